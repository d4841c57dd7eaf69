//! Owners and devices that the kernel would refuse, kept in attributes of the files (owner.rs), and in a list for what can have none.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, StatxFlags, Uid, XattrFlags, chownat, fchmod, fsetxattr, openat, readlinkat,
    statx,
};
use rustix::io::Errno;

use crate::owner::{self, DEVICE, Device, OWNER, Owner};
use crate::resolve::MOST_LINKS;
use crate::syscalls::others::Status;

use super::caller::{Caller, Outside};
use super::credentials::Credentials;
use super::errno;
use super::ids::KEEP;

/// Symlinks, sockets and the like that a step may give to somebody; more are root's.
const MOST_BESIDE: usize = 100_000;
/// Their group, in Debian and nearly everywhere.
const TERMINALS: u32 = 5;
/// Major numbers. Source: the kernel's admin-guide/devices.txt.
const PSEUDO_TERMINALS: std::ops::RangeInclusive<u32> = 136..=143;
const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Where a caller means a file to be.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    Descriptor(i32),
    Path {
        /// Where a relative path begins.
        directory: i32,
        /// Of the path, in the caller's memory.
        address: u64,
        follow: bool,
        /// Whether an empty path is the directory itself.
        empty: bool,
    },
}

impl Place {
    pub fn path(address: u64, follow: bool) -> Self {
        Self::Path {
            directory: libc::AT_FDCWD,
            address,
            follow,
            empty: false,
        }
    }

    /// With flags of `AT_…`.
    pub fn at(directory: i32, address: u64, flags: i32) -> Self {
        Self::Path {
            directory,
            address,
            follow: flags & libc::AT_SYMLINK_NOFOLLOW == 0,
            empty: flags & libc::AT_EMPTY_PATH != 0,
        }
    }
}

pub struct Files {
    pub outside: Rc<Outside>,
    /// Of the container's root filesystem: nothing else comes into a layer.
    mount: u64,
    /// Who a file without a mark belongs to.
    maker: Owner,
    pub beside: BTreeMap<String, Owner>,
}

impl Files {
    pub fn new(outside: Outside, maker: Owner) -> Result<Self, Errno> {
        let mount = mount_of(&outside.root)?;
        Ok(Self {
            outside: Rc::new(outside),
            mount,
            maker,
            beside: BTreeMap::new(),
        })
    }

    pub fn find(&self, caller: &Caller<'_>, place: Place) -> Result<OwnedFd, Errno> {
        let (directory, address, follow, empty) = match place {
            Place::Descriptor(number) => return caller.descriptor(number),
            Place::Path {
                directory,
                address,
                follow,
                empty,
            } => (directory, address, follow, empty),
        };
        let path = caller.read_path(address)?;
        let bytes = path.to_bytes();
        if bytes.is_empty() && empty {
            return caller.descriptor(directory);
        }
        // Our pid means nothing in the container's /proc, so these are looked up by us.
        if let Some(number) = descriptor_of(bytes).filter(|_| follow) {
            return caller.descriptor(number);
        }
        let flags = if follow { PLACE } else { PLACE | OFlags::NOFOLLOW };
        let mut own = None;
        let found = caller.within(directory, &path, |start| {
            let found = openat(start, &path, flags, Mode::empty());
            if follow && matches!(found, Err(Errno::NOENT)) {
                own = descriptor_behind(start, &path);
            }
            found
        });
        own.map_or(found, |number| caller.descriptor(number))
    }

    /// What `stat` has to say of it; `None` where the kernel says the same.
    pub fn status(&self, file: &OwnedFd, mask: Option<u32>) -> Result<Option<Status>, Errno> {
        let facts = Facts::of(file)?;
        let (owner, device) = (self.owner_of(file, &facts)?, self.device(file, &facts)?);
        if owner == facts.shown && device.is_none() {
            return Ok(None);
        }
        let status = match mask {
            None => Status::plain(file.as_fd()),
            Some(mask) => Status::extended(file.as_fd(), mask),
        };
        let mut status = status.map_err(errno)?;
        status.set_owner(owner);
        if let Some((block, numbers)) = device {
            status.set_device(if block { libc::S_IFBLK } else { libc::S_IFCHR }, numbers);
        }
        Ok(Some(status))
    }

    fn device(&self, file: &OwnedFd, facts: &Facts) -> Result<Option<Device>, Errno> {
        if facts.kind != FileType::RegularFile || facts.size != 0 {
            return Ok(None);
        }
        let mut value = [0u8; 64];
        match rustix::fs::getxattr(self.outside.name(file)?, DEVICE, &mut value[..]) {
            Ok(length) => Ok(owner::parse_device(&value[..length])),
            Err(_) => Ok(None),
        }
    }

    /// Gives an open file to somebody. The kernel does all else that a change of owners does: it copies the file up, and takes setuid bits away.
    pub fn give(&mut self, who: &Credentials, file: &OwnedFd, (uid, gid): Owner) -> Result<(), Errno> {
        let facts = Facts::of(file)?;
        let owner = self.owner_of(file, &facts)?;
        if !who.may_give(owner, (uid, gid)) {
            return Err(Errno::PERM);
        }
        let (user, group) = ((uid != KEEP).then_some(Uid::ROOT), (gid != KEEP).then_some(Gid::ROOT));
        chownat(file, "", user, group, AtFlags::EMPTY_PATH)?;
        let new = (
            if uid == KEEP { owner.0 } else { uid },
            if gid == KEEP { owner.1 } else { gid },
        );
        self.set_owner(file, &facts, new)
    }

    fn set_owner(&mut self, file: &OwnedFd, facts: &Facts, owner: Owner) -> Result<(), Errno> {
        if facts.has_attributes() {
            self.mark(file, OWNER, &owner::text(owner))
        } else {
            self.note(file, facts, owner)
        }
    }

    /// Of a file that has just been made for somebody.
    pub fn mark_made(&mut self, file: &OwnedFd, owner: Owner) -> Result<(), Errno> {
        self.set_owner(file, &Facts::of(file)?, owner)
    }

    /// Whom a file would belong to.
    pub fn owner(&self, file: &OwnedFd) -> Result<Owner, Errno> {
        self.owner_of(file, &Facts::of(file)?)
    }

    fn owner_of(&self, file: &OwnedFd, facts: &Facts) -> Result<Owner, Errno> {
        if !facts.has_attributes() {
            let noted = self.name(file, facts)?.and_then(|name| self.beside.get(&name).copied());
            return Ok(noted.unwrap_or_else(|| self.unnoted(facts)));
        }
        let mut value = [0u8; 64];
        match rustix::fs::getxattr(self.outside.name(file)?, OWNER, &mut value[..]) {
            Ok(length) => Ok(owner::parse(&value[..length]).unwrap_or_else(|| self.unmarked(facts.mount))),
            Err(Errno::NODATA) => Ok(self.unmarked(facts.mount)),
            // No file of ours: nothing is kept of it.
            Err(_) => Ok((0, 0)),
        }
    }

    /// Whose a file without a mark is: in the root filesystem of lower layers all have one, so the step's user made it. Elsewhere it was there
    /// before, and is root's.
    pub fn unmarked(&self, mount: u64) -> Owner {
        if mount == self.mount { self.maker } else { (0, 0) }
    }

    /// The same of what can have no mark: that of lower layers cannot be told from it, so what the step makes is noted. Pipes without a name and
    /// terminals are the step's own.
    fn unnoted(&self, facts: &Facts) -> Owner {
        match facts.kind {
            FileType::Socket => self.maker,
            FileType::Fifo if facts.mount != self.mount => self.maker,
            FileType::CharacterDevice if facts.is_terminal => (self.maker.0, TERMINALS),
            _ => (0, 0),
        }
    }

    /// Whether a new file belongs to `owner` if nothing is said of it, while the step runs and after. What can have no mark is root's to who
    /// looks at it, and the step's user's in the layer.
    pub fn needs_word(&self, owner: Owner, mount: u64, can_have_mark: bool) -> bool {
        if can_have_mark {
            owner != self.unmarked(mount)
        } else {
            [owner, self.maker] != [(0, 0); 2]
        }
    }

    fn mark(&self, file: &OwnedFd, name: &str, value: &str) -> Result<(), Errno> {
        match rustix::fs::setxattr(self.outside.name(file)?, name, value.as_bytes(), XattrFlags::empty()) {
            // A filesystem without attributes (/proc, /sys, old tmpfs) is no part of a layer.
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn note(&mut self, file: &OwnedFd, facts: &Facts, owner: Owner) -> Result<(), Errno> {
        if let Some(name) = self.name(file, facts)?
            && (self.beside.len() < MOST_BESIDE || self.beside.contains_key(&name))
        {
            self.beside.insert(name, owner);
        }
        Ok(())
    }

    /// What it is noted by (owner.rs); `None` where it lies in no layer, or has no text for a name.
    fn name(&self, file: &OwnedFd, facts: &Facts) -> Result<Option<String>, Errno> {
        if facts.mount != self.mount {
            return Ok(None);
        }
        if facts.lasting_name.is_some() {
            return Ok(facts.lasting_name.clone());
        }
        let path = readlinkat(&self.outside.names, self.outside.name(file)?, Vec::new())?;
        Ok(path
            .into_string()
            .ok()
            .map(|path| path.trim_start_matches('/').to_owned()))
    }

    /// An empty file in the place of a device.
    pub fn make_device(
        &self,
        caller: &Caller<'_>,
        directory: i32,
        path: &CString,
        (mode, device): (u32, u64),
        owner: Option<Owner>,
    ) -> Result<(), Errno> {
        let permissions = Mode::from_raw_mode(mode & 0o7777 & !caller.umask()?);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = caller.within(directory, path, |start| openat(start, path, flags, permissions))?;
        fchmod(&file, permissions)?;
        let kind = if FileType::from_raw_mode(mode) == FileType::BlockDevice {
            'b'
        } else {
            'c'
        };
        let text = format!("{kind}:{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        if let Some(owner) = owner {
            owner::write(&file, owner)?;
        }
        fsetxattr(&file, DEVICE, text.as_bytes(), XattrFlags::empty())
    }
}

/// What decides where the owner of a file stands.
#[derive(Debug)]
struct Facts {
    kind: FileType,
    mount: u64,
    size: u64,
    /// Whom the kernel names.
    shown: Owner,
    /// Of what can have no attribute.
    lasting_name: Option<String>,
    is_terminal: bool,
}

impl Facts {
    fn of(file: &OwnedFd) -> Result<Self, Errno> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
        let stat = statx(file, "", AtFlags::EMPTY_PATH, wanted)?;
        let kind = FileType::from_raw_mode(stat.stx_mode.into());
        Ok(Self {
            kind,
            shown: (stat.stx_uid, stat.stx_gid),
            lasting_name: if has_attributes(kind) {
                None
            } else {
                owner::lasting_name(&stat)
            },
            mount: stat.stx_mnt_id,
            size: stat.stx_size,
            is_terminal: PSEUDO_TERMINALS.contains(&stat.stx_rdev_major),
        })
    }

    fn has_attributes(&self) -> bool {
        has_attributes(self.kind)
    }
}

fn has_attributes(kind: FileType) -> bool {
    matches!(kind, FileType::RegularFile | FileType::Directory)
}

fn mount_of(file: &OwnedFd) -> Result<u64, Errno> {
    statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).map(|stat| stat.stx_mnt_id)
}

/// Where a symlink leads, as a path that begins where its own does.
pub fn behind_link(start: BorrowedFd<'_>, path: &CStr) -> Result<CString, Errno> {
    let link = readlinkat(start, path, Vec::new())?;
    match path.to_bytes().iter().rposition(|byte| *byte == b'/') {
        Some(slash) if !link.to_bytes().starts_with(b"/") => {
            let whole = [&path.to_bytes()[..=slash], link.to_bytes()].concat();
            CString::new(whole).map_err(|_| Errno::INVAL)
        }
        _ => Ok(link),
    }
}

/// Names by which a process means one of its own descriptors.
fn descriptor_of(path: &[u8]) -> Option<i32> {
    match path {
        b"/dev/stdin" => Some(0),
        b"/dev/stdout" => Some(1),
        b"/dev/stderr" => Some(2),
        _ => {
            let number = path
                .strip_prefix(b"/proc/self/fd/")
                .or_else(|| path.strip_prefix(b"/dev/fd/"))?;
            std::str::from_utf8(number).ok()?.parse().ok()
        }
    }
}

/// The same behind symlinks: logs that lead to /dev/stdout.
fn descriptor_behind(start: BorrowedFd<'_>, path: &CStr) -> Option<i32> {
    let mut path = behind_link(start, path).ok()?;
    for _ in 1..MOST_LINKS {
        let number = descriptor_of(path.to_bytes());
        if number.is_some() {
            return number;
        }
        path = behind_link(start, &path).ok()?;
    }
    None
}
