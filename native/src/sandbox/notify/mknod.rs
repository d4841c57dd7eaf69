//! Device nodes. In a user namespace nobody may make one, as Docker's containers may; ours can't be opened, whoever made them (every mount is
//! nodev), so the supervisor makes them: a child of it that goes into the caller's root, takes the caller's ids and, of all capabilities, the
//! right to make nodes and those of the caller that say how far its ids reach. Everything else is the kernel's own check.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, Gid, Mode, OFlags, ResolveFlags, Uid, fstat};
use rustix::io::Errno;
use rustix::process::{chroot, fchdir, umask};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

use crate::resolve::openat2;
use crate::sandbox::idmap::is_mapped;
use crate::syscalls::{self, notification::Answer};

use super::caller::{Caller, Rights};
use super::{AARCH64, ARM, Call, Handler, I386, Trap, X86_64};

const X86_64_MKNOD: u32 = 133;
const I386_MKNOD: u32 = 14;
const ARM_MKNOD: u32 = 14;

/// mknod and mknodat. Source: the kernel's syscall tables.
pub const TRAPS: &[Trap] = &[
    (X86_64, X86_64_MKNOD),
    (X86_64, 259),
    (I386, I386_MKNOD),
    (I386, 297),
    (AARCH64, 33),
    (ARM, ARM_MKNOD),
    (ARM, 324),
];

/// A node is made in microseconds. A child that takes this long is ended.
const MOST_SECONDS: u32 = 10;

/// What of the caller's capabilities goes with it.
const REACH: CapabilitySet = CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::FSETID);

pub struct Mknod {
    /// The container's: device and inode.
    pub user_namespace: (u64, u64),
}

struct Wanted {
    directory: i32,
    path: u64,
    mode: u32,
    device: u32,
}

impl Handler for Mknod {
    fn answer(&mut self, call: &Call<'_>) -> Answer {
        let wanted = wanted(call);
        // Pipes, sockets and files need no right; a whiteout the kernel refuses or makes by itself.
        if !is_device(&wanted) {
            return Answer::Continue;
        }
        match self.make(call, &wanted) {
            Ok(()) => Answer::Value(0),
            Err(error) => Answer::Error(error.raw_os_error().unwrap_or(libc::EIO)),
        }
    }
}

impl Mknod {
    fn make(&self, call: &Call<'_>, wanted: &Wanted) -> std::io::Result<()> {
        let caller = call.caller()?;
        let rights = caller.rights()?;
        let path = caller.path(wanted.path)?;
        if !self.may_make_nodes(&caller, &rights)? {
            return Err(Errno::PERM.into());
        }
        let root = caller.root()?;
        let start = if path.starts_with(b"/") {
            root.try_clone()?
        } else {
            caller.start(wanted.directory)?
        };
        let place = Place { root, start, path };
        // All of it was the caller's: it has waited from before until now.
        if !call.is_waiting() {
            return Err(Errno::SRCH.into());
        }
        syscalls::in_child(0, || make_as(&place, &rights, wanted))
    }

    /// As the kernel would have it if the container's namespace were the machine's: the right counts there, and in no namespace that a program
    /// made for itself.
    fn may_make_nodes(&self, caller: &Caller, rights: &Rights) -> std::io::Result<bool> {
        let has = CapabilitySet::from_bits_retain(rights.capabilities).contains(CapabilitySet::MKNOD);
        Ok(has && caller.user_namespace()? == self.user_namespace)
    }
}

/// The two calls differ in their first argument.
fn wanted(call: &Call<'_>) -> Wanted {
    let trap = (call.notification.architecture, call.notification.number);
    let plain = [(X86_64, X86_64_MKNOD), (I386, I386_MKNOD), (ARM, ARM_MKNOD)].contains(&trap);
    let (directory, first) = if plain { (libc::AT_FDCWD, 0) } else { (call.int(0), 1) };
    Wanted {
        directory,
        path: call.argument(first),
        mode: call.argument(first + 1) as u32 & 0xFFFF,
        device: call.argument(first + 2) as u32,
    }
}

fn is_device(wanted: &Wanted) -> bool {
    match wanted.mode & libc::S_IFMT {
        libc::S_IFCHR => wanted.device != 0,
        libc::S_IFBLK => true,
        _ => false,
    }
}

struct Place {
    root: OwnedFd,
    start: OwnedFd,
    path: Vec<u8>,
}

/// In a child: becomes as powerful as the caller, and no more but for the node.
fn make_as(place: &Place, rights: &Rights, wanted: &Wanted) -> rustix::io::Result<()> {
    syscalls::end_after(MOST_SECONDS);
    let (parent, name) = split(&place.path)?;
    fchdir(&place.root)?;
    chroot(".")?;
    fchdir(&place.start)?;
    become_caller(rights)?;
    umask(Mode::from_raw_mode(rights.umask));
    // A magic link of /proc would lead to what other processes have open.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = openat2(
        CWD,
        OsStr::from_bytes(parent),
        flags,
        Mode::empty(),
        ResolveFlags::NO_MAGICLINKS,
    )?;
    // Over files of nobody the caller's rights do not reach, but those of a child of ours would.
    let stat = fstat(&parent)?;
    if !is_mapped(stat.st_uid) || !is_mapped(stat.st_gid) {
        return Err(Errno::ACCESS);
    }
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    syscalls::make_node(parent.as_fd(), &name, wanted.mode, wanted.device)
}

/// The directory, and the name in it. A node has no slash behind it.
fn split(path: &[u8]) -> rustix::io::Result<(&[u8], &[u8])> {
    let at = path.iter().rposition(|byte| *byte == b'/');
    let (parent, name) = match at {
        None => (&b"."[..], path),
        Some(at) => (&path[..=at], &path[at + 1..]),
    };
    match name {
        b"" => Err(Errno::NOENT),
        b"." | b".." => Err(Errno::EXIST),
        name => Ok((parent, name)),
    }
}

fn become_caller(rights: &Rights) -> rustix::io::Result<()> {
    let groups: Vec<_> = rights.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let (uid, gid) = (Uid::from_raw(rights.fs_uid), Gid::from_raw(rights.fs_gid));
    set_keep_capabilities(true)?;
    set_thread_groups(&groups)?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let kept = CapabilitySet::from_bits_retain(rights.capabilities).intersection(REACH) | CapabilitySet::MKNOD;
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_as_the_kernel_does() {
        for (path, want) in [
            (&b"null"[..], Ok((&b"."[..], &b"null"[..]))),
            (b"/null", Ok((b"/", b"null"))),
            (b"a/b/null", Ok((b"a/b/", b"null"))),
            (b"", Err(Errno::NOENT)),
            (b"a/", Err(Errno::NOENT)),
            (b"/", Err(Errno::NOENT)),
            (b"a/..", Err(Errno::EXIST)),
            (b".", Err(Errno::EXIST)),
        ] {
            assert_eq!(split(path), want, "{}", String::from_utf8_lossy(path));
        }
    }
}
