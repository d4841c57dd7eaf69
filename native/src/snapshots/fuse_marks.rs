//! What fuse-overlayfs leaves in a snapshot that the kernel's overlay does not: files besides its marks, and a mark on every new directory, also
//! where nothing is below it that could be hidden. Without them the layer is the one that is made everywhere.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Dir, FileType, Mode, fremovexattr, fstat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::clone::set_times;
use crate::error::{Doing, Error};
use crate::layer::marks;
use crate::session::DIRECTORY;

/// What it puts into an opaque directory besides the mark that it reads.
const OWN_FILES: [&[u8]; 2] = [b".wh..opq", b".wh..wh..opq"];

/// `lowers` are the layers below, the lowest first.
pub fn clean(snapshot: &OwnedFd, lowers: Vec<OwnedFd>) -> Result<(), Error> {
    let highest_first: Vec<_> = lowers.into_iter().rev().collect();
    clean_directory(snapshot, &highest_first).doing(|| "clean a snapshot of fuse-overlayfs")
}

/// `lowers` are the directories that are seen through this one, the highest first.
fn clean_directory(directory: &OwnedFd, lowers: &[OwnedFd]) -> Result<(), Errno> {
    let before = fstat(directory)?;
    let mut removed = false;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if OWN_FILES.contains(&name) {
            if marks::is_opaque(directory)? {
                unlinkat(directory, OsStr::from_bytes(name), AtFlags::empty())?;
                removed = true;
            }
        } else if !matches!(name, b"." | b"..") {
            clean_member(directory, name, lowers)?;
        }
    }
    if removed {
        set_times(directory, &before)?;
    }
    Ok(())
}

fn clean_member(directory: &OwnedFd, name: &[u8], lowers: &[OwnedFd]) -> Result<(), Errno> {
    let member = match openat(directory, OsStr::from_bytes(name), DIRECTORY, Mode::empty()) {
        Ok(member) => member,
        Err(Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Ok(()),
        Err(error) => return Err(error),
    };
    if !marks::is_opaque(&member)? {
        return clean_directory(&member, &below(lowers, name)?.unwrap_or_default());
    }
    clean_directory(&member, &[])?;
    // Only after its files, which are known by it.
    if below(lowers, name)?.is_none() {
        unmark(&member)?;
    }
    Ok(())
}

/// The directories that a name shows in these; empty for a file, `None` where there is none.
fn below(lowers: &[OwnedFd], name: &[u8]) -> Result<Option<Vec<OwnedFd>>, Errno> {
    let mut found: Option<Vec<OwnedFd>> = None;
    for lower in lowers {
        let stat = match statat(lower, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error),
        };
        if marks::is_whiteout(lower, name, &stat)? {
            break;
        }
        let all = found.get_or_insert_default();
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            break;
        }
        let directory = openat(lower, OsStr::from_bytes(name), DIRECTORY, Mode::empty())?;
        let is_opaque = marks::is_opaque(&directory)?;
        all.push(directory);
        if is_opaque {
            break;
        }
    }
    Ok(found)
}

fn unmark(directory: &OwnedFd) -> Result<(), Errno> {
    for name in marks::OPAQUE {
        match fremovexattr(directory, name) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
