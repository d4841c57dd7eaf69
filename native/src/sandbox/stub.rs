//! Takes back what was made in an upper directory only to have a place for mounts: a layer must show no trace of it.

use std::os::fd::OwnedFd;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, fstat, statat, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::resolve::openat2;

use super::spec::{Stubs, Touched};

/// The program may have put anything in the place of a stub or its parents, so nothing is followed, and only what is as we made it goes.
pub fn remove(upper: &OwnedFd, stubs: &Stubs) -> Result<(), Error> {
    remove_stubs(upper, stubs)?;
    // The deepest first: a parent is empty only when its child is gone.
    let mut touched: Vec<_> = stubs.touched.iter().collect();
    touched.sort_by_key(|directory| std::cmp::Reverse(directory.path.matches('/').count()));
    for directory in touched.into_iter().filter(|directory| !directory.path.is_empty()) {
        remove_copy(upper, directory)?;
    }
    Ok(())
}

/// The stubs alone: in a directory that is no copy nothing else was made for them.
pub fn remove_stubs(root: &OwnedFd, stubs: &Stubs) -> Result<(), Error> {
    stubs.made.iter().rev().try_for_each(|path| remove_stub(root, path))
}

pub fn open_parent(upper: &OwnedFd, path: &str) -> Result<Option<OwnedFd>, Error> {
    let parent = match path.rsplit_once('/') {
        Some((parent, _)) => parent,
        None => ".",
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(upper, parent, flags, Mode::empty(), resolve) {
        Ok(parent) => Ok(Some(parent)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error).doing(|| format!("open \"{parent}\" of a snapshot")),
    }
}

fn remove_stub(upper: &OwnedFd, path: &str) -> Result<(), Error> {
    let Some(parent) = open_parent(upper, path)? else {
        return Ok(());
    };
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let stat = match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error).doing(|| format!("stat \"{path}\" of a snapshot")),
    };
    let before = fstat(&parent).doing(|| "stat a directory")?;
    let flags = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => AtFlags::REMOVEDIR,
        FileType::RegularFile if stat.st_size == 0 => AtFlags::empty(),
        _ => return Ok(()),
    };
    match unlinkat(&parent, name, flags) {
        Ok(()) => set_time(&parent, (before.st_mtime, before.st_mtime_nsec as i64)),
        // A program put something into it, or in its place: then it is the program's.
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR | Errno::ISDIR) => Ok(()),
        Err(error) => Err(error).doing(|| format!("remove \"{path}\" of a snapshot")),
    }
}

/// A directory that was copied up only because it got a stub: empty, and in all else as it was below.
fn remove_copy(upper: &OwnedFd, touched: &Touched) -> Result<(), Error> {
    let Some(parent) = open_parent(upper, &touched.path)? else {
        return Ok(());
    };
    let name = touched
        .path
        .rsplit_once('/')
        .map_or(touched.path.as_str(), |(_, name)| name);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match rustix::fs::openat(&parent, name, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        Err(error) => return Err(error).doing(|| "open a directory of a snapshot"),
    };
    let stat = fstat(&directory).doing(|| "stat a directory")?;
    if !unchanged(&stat, touched) || Dir::read_from(&directory).doing(|| "read a directory")?.any(is_entry) {
        return Ok(());
    }
    let before = fstat(&parent).doing(|| "stat a directory")?;
    unlinkat(&parent, name, AtFlags::REMOVEDIR).doing(|| format!("remove \"{}\" of a snapshot", touched.path))?;
    set_time(&parent, (before.st_mtime, before.st_mtime_nsec as i64))
}

fn is_entry(entry: rustix::io::Result<rustix::fs::DirEntry>) -> bool {
    entry.map_or(true, |entry| !matches!(entry.file_name().to_bytes(), b"." | b".."))
}

pub fn unchanged(stat: &Stat, touched: &Touched) -> bool {
    stat.st_mode == touched.mode
        && (stat.st_uid, stat.st_gid) == (touched.uid, touched.gid)
        && (stat.st_mtime, stat.st_mtime_nsec as i64) == touched.mtime
}

fn set_time(directory: &OwnedFd, mtime: (i64, i64)) -> Result<(), Error> {
    let kept = Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_OMIT as _,
    };
    let last_modification = Timespec {
        tv_sec: mtime.0,
        tv_nsec: mtime.1 as _,
    };
    utimensat(
        directory,
        ".",
        &Timestamps {
            last_access: kept,
            last_modification,
        },
        AtFlags::empty(),
    )
    .doing(|| "set the time of a directory")
}
