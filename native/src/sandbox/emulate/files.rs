//! Owners and devices that the kernel would refuse, kept in attributes of the files (owner.rs), and in a list for what can have none.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, StatxFlags, Uid, XattrFlags, chownat, fchmod, fsetxattr, fstat, openat,
    readlinkat, statx,
};
use rustix::io::Errno;

use crate::owner::{self, DEVICE, Device, OWNER, Owner};
use crate::syscalls::others::Status;

use super::caller::{Caller, Outside};
use super::credentials::Credentials;
use super::ids::KEEP;

/// Symlinks, sockets and the like that a step may give to somebody; more are root's.
const MOST_BESIDE: usize = 100_000;
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

/// The directory does not matter to an absolute path, and need not be open.
fn start(directory: i32, path: &[u8]) -> i32 {
    if path.starts_with(b"/") {
        libc::AT_FDCWD
    } else {
        directory
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
        caller.within(start(directory, bytes), || openat(CWD, &path, flags, Mode::empty()))
    }

    /// What `stat` has to say of it; `None` where the kernel says the same.
    pub fn status(&self, file: &OwnedFd, mask: Option<u32>) -> Result<Option<Status>, Errno> {
        let (owner, device) = (self.owner(file)?, self.device(file)?);
        if owner == (0, 0) && device.is_none() {
            return Ok(None);
        }
        let status = match mask {
            None => Status::plain(file.as_fd()),
            Some(mask) => Status::extended(file.as_fd(), mask),
        };
        let mut status = status.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        status.set_owner(owner);
        if let Some((block, numbers)) = device {
            status.set_device(if block { libc::S_IFBLK } else { libc::S_IFCHR }, numbers);
        }
        Ok(Some(status))
    }

    fn device(&self, file: &OwnedFd) -> Result<Option<Device>, Errno> {
        let stat = fstat(file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_size != 0 {
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
        let owner = self.owner(file)?;
        if !who.may_give(owner, (uid, gid)) {
            return Err(Errno::PERM);
        }
        let (user, group) = ((uid != KEEP).then_some(Uid::ROOT), (gid != KEEP).then_some(Gid::ROOT));
        chownat(file, "", user, group, AtFlags::EMPTY_PATH)?;
        let new = (
            if uid == KEEP { owner.0 } else { uid },
            if gid == KEEP { owner.1 } else { gid },
        );
        if has_attributes(file)? {
            self.mark(file, OWNER, &owner::text(new))
        } else {
            self.note(file, new)
        }
    }

    /// Whom a file would belong to.
    pub fn owner(&self, file: &OwnedFd) -> Result<Owner, Errno> {
        if !has_attributes(file)? {
            let noted = self.path(file)?.and_then(|path| self.beside.get(&path).copied());
            return Ok(noted.unwrap_or(self.maker));
        }
        let mut value = [0u8; 64];
        match rustix::fs::getxattr(self.outside.name(file)?, OWNER, &mut value[..]) {
            Ok(length) => Ok(owner::parse(&value[..length]).unwrap_or(self.maker)),
            Err(Errno::NODATA) => Ok(self.maker),
            // No file of ours: nothing is kept of it.
            Err(_) => Ok((0, 0)),
        }
    }

    fn mark(&self, file: &OwnedFd, name: &str, value: &str) -> Result<(), Errno> {
        match rustix::fs::setxattr(self.outside.name(file)?, name, value.as_bytes(), XattrFlags::empty()) {
            // A filesystem without attributes (/proc, /sys, old tmpfs) is no part of a layer.
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn note(&mut self, file: &OwnedFd, owner: Owner) -> Result<(), Errno> {
        if let Some(path) = self.path(file)?
            && (self.beside.len() < MOST_BESIDE || self.beside.contains_key(&path))
        {
            self.beside.insert(path, owner);
        }
        Ok(())
    }

    /// In the root filesystem, without the slash at the front; `None` where it lies in no layer, or has no text for a name.
    fn path(&self, file: &OwnedFd) -> Result<Option<String>, Errno> {
        if mount_of(file)? != self.mount {
            return Ok(None);
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
    ) -> Result<(), Errno> {
        let permissions = Mode::from_raw_mode(mode & 0o7777 & !caller.umask()?);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = caller.within(start(directory, path.as_bytes()), || {
            openat(CWD, path, flags, permissions)
        })?;
        fchmod(&file, permissions)?;
        let kind = if FileType::from_raw_mode(mode) == FileType::BlockDevice {
            'b'
        } else {
            'c'
        };
        let text = format!("{kind}:{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        fsetxattr(&file, DEVICE, text.as_bytes(), XattrFlags::empty())
    }
}

fn has_attributes(file: &OwnedFd) -> Result<bool, Errno> {
    let kind = FileType::from_raw_mode(fstat(file)?.st_mode);
    Ok(matches!(kind, FileType::RegularFile | FileType::Directory))
}

fn mount_of(file: &OwnedFd) -> Result<u64, Errno> {
    statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).map(|stat| stat.stx_mnt_id)
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
