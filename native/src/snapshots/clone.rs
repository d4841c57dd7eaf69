//! One file from here to there with all that it is: bytes, holes, owner, mode, attributes, times.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, chmodat, chownat, copy_file_range,
    fchmod, fchown, ftruncate, futimens, ioctl_ficlone, mknodat, openat, readlinkat, seek, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::tree::xattr;

/// Copies what is no directory to the same name elsewhere.
pub fn leaf(source: &OwnedFd, target: &OwnedFd, name: &OsStr, stat: &Stat) -> Result<(), Errno> {
    leaf_as(source, name, target, name, stat)
}

/// Copies what is no directory to a new name.
pub fn leaf_as(source: &OwnedFd, from_name: &OsStr, target: &OwnedFd, name: &OsStr, stat: &Stat) -> Result<(), Errno> {
    let owner = (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)));
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let from = openat(source, from_name, flags | OFlags::RDONLY, Mode::empty())?;
            let new = flags | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
            let to = openat(target, name, new, Mode::RUSR | Mode::WUSR)?;
            bytes(&from, &to, stat.st_size as u64)?;
            attributes(&from, &to, stat)
        }
        FileType::Symlink => {
            symlinkat(readlinkat(source, from_name, Vec::new())?, target, name)?;
            chownat(target, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
            utimensat(target, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
        }
        kind => {
            mknodat(target, name, kind, Mode::RUSR, stat.st_rdev)?;
            chownat(target, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
            chmodat(target, name, Mode::from_raw_mode(stat.st_mode), AtFlags::empty())?;
            utimensat(target, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
        }
    }
}

/// Shares the blocks where the filesystem can; else copies inside the kernel, and leaves holes holes.
fn bytes(from: &OwnedFd, to: &OwnedFd, size: u64) -> Result<(), Errno> {
    if size == 0 || ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    let mut at = 0;
    while at < size {
        let start = match seek(from, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => break,
            // A filesystem that knows no holes.
            Err(_) => at,
        };
        let end = seek(from, SeekFrom::Hole(start)).unwrap_or(size).min(size);
        range(from, to, start, end.max(start + 1).min(size))?;
        at = end.max(start + 1);
    }
    ftruncate(to, size)
}

fn range(from: &OwnedFd, to: &OwnedFd, start: u64, end: u64) -> Result<(), Errno> {
    let (mut from_at, mut to_at) = (start, start);
    while from_at < end {
        let length = usize::try_from(end - from_at).unwrap_or(usize::MAX).min(1 << 30);
        match copy_file_range(from, Some(&mut from_at), to, Some(&mut to_at), length) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM) => {
                return through_memory(from, to, from_at, end);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn through_memory(from: &OwnedFd, to: &OwnedFd, mut at: u64, end: u64) -> Result<(), Errno> {
    let mut buffer = vec![0; (end - at).min(1024 * 1024) as usize];
    while at < end {
        let wanted = (end - at).min(buffer.len() as u64) as usize;
        let count = rustix::io::pread(from, &mut buffer[..wanted], at)?;
        if count == 0 {
            return Ok(());
        }
        let mut written = 0;
        while written < count {
            written += rustix::io::pwrite(to, &buffer[written..count], at + written as u64)?;
        }
        at += count as u64;
    }
    Ok(())
}

/// Owner, mode, attributes and times, in the order in which none undoes another.
pub fn attributes(from: &OwnedFd, to: &OwnedFd, stat: &Stat) -> Result<(), Errno> {
    fchown(to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    fchmod(to, Mode::from_raw_mode(stat.st_mode))?;
    // What this filesystem refuses it refused for the source too.
    xattr::write(to, &xattr::read_with_owner(from)?, &mut |_, _| {})?;
    set_times(to, stat)
}

/// The times of `stat`.
pub fn set_times(file: impl AsFd, stat: &Stat) -> Result<(), Errno> {
    let file: BorrowedFd<'_> = file.as_fd();
    futimens(file, &times(stat))
}

/// Of last access and modification.
pub fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as _),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as _),
    }
}
