//! SOURCE_DATE_EPOCH: no mtime of a new layer is later, in its tar, its index and its snapshot. What is older keeps its time.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, fstat, statat, utimensat};

use super::layout::Item;
use crate::error::{Doing, Error};
use crate::index::path;
use crate::tree::host::{names, open_beneath};

/// Of a layer that is not written yet.
pub fn limit_items(items: &mut [Item], epoch: Option<i64>) {
    let Some(epoch) = epoch else { return };
    for item in items {
        let mtime = &mut item.entry.meta.mtime;
        *mtime = (*mtime).min((epoch, 0));
    }
}

/// Of the files of a snapshot, its root too, while nothing stands on it.
pub fn limit_files(root: &OwnedFd, epoch: i64) -> Result<(), Error> {
    limit_below(root.as_fd(), b"", epoch)?;
    let stat = fstat(root).doing(|| "stat a snapshot")?;
    limit(root, b".", &stat, epoch)
}

/// Of one path.
pub fn limit_path(root: &OwnedFd, at: &[u8], epoch: i64) -> Result<(), Error> {
    let (parent, name) = path::split(at);
    let doing = || format!("stat \"{}\" of a snapshot", path::show(at));
    let parent = open_beneath(root, parent, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).doing(doing)?;
    let stat = statat(&parent, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW).doing(doing)?;
    limit(&parent, name, &stat, epoch)
}

fn limit_below(directory: impl AsFd, at: &[u8], epoch: i64) -> Result<(), Error> {
    let names = names(&directory).doing(|| "list a directory of a snapshot")?;
    for name in &names {
        let here = path::join(at, name);
        path::check_length(&here)?;
        let stat = statat(&directory, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)
            .doing(|| format!("stat \"{}\" of a snapshot", path::show(name)))?;
        match FileType::from_raw_mode(stat.st_mode) {
            // A whiteout has no time in a layer.
            FileType::CharacterDevice if stat.st_rdev == 0 => continue,
            FileType::Directory => {
                let below = open_beneath(&directory, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
                    .doing(|| format!("open \"{}\" of a snapshot", path::show(name)))?;
                limit_below(below, &here, epoch)?;
            }
            _ => {}
        }
        limit(&directory, name, &stat, epoch)?;
    }
    Ok(())
}

fn limit(directory: impl AsFd, name: &[u8], stat: &Stat, epoch: i64) -> Result<(), Error> {
    if (stat.st_mtime, stat.st_mtime_nsec as i64) <= (epoch, 0) {
        return Ok(());
    }
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(0, UTIME_OMIT as _),
        last_modification: time(epoch, 0),
    };
    utimensat(directory, OsStr::from_bytes(name), &times, AtFlags::SYMLINK_NOFOLLOW)
        .doing(|| format!("set the time of \"{}\" in a snapshot", path::show(name)))
}
