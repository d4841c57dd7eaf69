//! What fuse-overlayfs leaves in a snapshot that the kernel's overlay does not: files besides its marks, and a mark on every new directory, also
//! where nothing is below it that could be hidden. Without them the layer is the one that is made everywhere.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, fremovexattr, fstat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::clone::set_times;
use crate::error::{Doing, Error};
use crate::index::path;
use crate::layer::marks;
use crate::session::DIRECTORY;
use crate::tree::host::names;

/// What it puts into an opaque directory besides the mark that it reads.
const OWN_FILES: [&[u8]; 2] = [b".wh..opq", b".wh..wh..opq"];

/// `lowers` are the layers below, the lowest first.
pub fn clean(snapshot: &OwnedFd, lowers: Vec<OwnedFd>) -> Result<(), Error> {
    let highest_first: Vec<_> = lowers.into_iter().rev().collect();
    clean_directory(snapshot, b"", &highest_first)
}

/// `lowers` are the directories that are seen through this one, the highest first.
fn clean_directory(directory: &OwnedFd, at: &[u8], lowers: &[OwnedFd]) -> Result<(), Error> {
    let doing = || format!("clean \"{}\" of a snapshot of fuse-overlayfs", path::show(at));
    for name in remove_own_files(directory).doing(doing)? {
        let here = path::join(at, &name);
        path::check_length(&here)?;
        let member = match openat(directory, OsStr::from_bytes(&name), DIRECTORY, Mode::empty()) {
            Ok(member) => member,
            Err(Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => continue,
            Err(error) => return Err(error).doing(doing),
        };
        if !marks::is_opaque(&member).doing(doing)? {
            clean_directory(&member, &here, &below(lowers, &name).doing(doing)?.unwrap_or_default())?;
            continue;
        }
        clean_directory(&member, &here, &[])?;
        // Only after its files, which are known by it.
        if below(lowers, &name).doing(doing)?.is_none() {
            unmark(&member).doing(doing)?;
        }
    }
    Ok(())
}

/// Gives the names that stay.
fn remove_own_files(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let before = fstat(directory)?;
    let (own, others): (Vec<_>, Vec<_>) = names(directory)?
        .into_iter()
        .partition(|name| OWN_FILES.contains(&name.as_slice()));
    if !own.is_empty() && marks::is_opaque(directory)? {
        for name in own {
            unlinkat(directory, OsStr::from_bytes(&name), AtFlags::empty())?;
        }
        set_times(directory, &before)?;
    }
    Ok(others)
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

#[cfg(test)]
mod tests {
    use super::clean;
    use crate::index::path::tests::too_deep;

    #[test]
    fn directories_deeper_than_a_path_leads_are_refused() {
        let (_folder, top) = too_deep();
        assert_eq!(clean(&top, Vec::new()).unwrap_err().code(), "UNSUPPORTED");
    }
}
