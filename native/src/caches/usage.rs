//! What lies in the store takes how much of the disk: `store.usage`.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, statat};
use rustix::io::Errno;

use super::facts::milliseconds;
use crate::context::{CancelToken, RequestContext};
use crate::error::{Doing, Error};
use crate::index::path;
use crate::protocol::{StoreUsage, StoreUsageParams, StoreUsageResult};
use crate::session::Session;
use crate::store::Store;
use crate::tree::host::{names, open_beneath};

/// Bytes on the disk, files and directories, and the time of the topmost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub bytes: u64,
    pub files: u64,
    pub modified_ms: u64,
}

/// `store.usage`: the entries of one of the store's folders.
pub fn usage(
    session: &Session,
    params: &StoreUsageParams,
    request: &RequestContext,
) -> Result<StoreUsageResult, Error> {
    let folder = &params.folder;
    if !Store::is_folder(folder) {
        return Err(Error::internal(format!("\"{folder}\" is no folder of the store")));
    }
    let directory = match session.store.folder(folder) {
        Ok(directory) => directory,
        // The builder makes some of them later.
        Err(Error::System { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(StoreUsageResult { entries: Vec::new() });
        }
        Err(error) => return Err(error),
    };
    let mut names = session.store.names(folder)?;
    names.sort_unstable();
    let entry = |name: String| {
        let size = measure(&directory, name.as_bytes(), &request.cancel)?;
        let Size {
            bytes,
            files,
            modified_ms,
        } = size;
        Ok(StoreUsage {
            name,
            bytes,
            files,
            modified_ms,
        })
    };
    let entries: Result<Vec<StoreUsage>, Error> = names.into_par_iter().map(entry).collect();
    Ok(StoreUsageResult { entries: entries? })
}

/// The size of what stands at a path. Others may change it meanwhile: what has gone is not counted, nor is what lies too deep for a path.
pub fn measure(root: &OwnedFd, at: &[u8], cancel: &CancelToken) -> Result<Size, Error> {
    let mut size = Size::default();
    let mut linked = HashSet::new();
    let mut todo = vec![at.to_vec()];
    let mut first = true;
    while let Some(at) = todo.pop() {
        cancel.check()?;
        let (parent, name) = path::split(&at);
        let Some(parent) = there(open_beneath(
            root,
            parent,
            OFlags::PATH | OFlags::DIRECTORY,
            Mode::empty(),
        ))?
        else {
            continue;
        };
        let Some(stat) = there(statat(&parent, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW))? else {
            continue;
        };
        if std::mem::take(&mut first) {
            size.modified_ms = milliseconds(stat.st_mtime, stat.st_mtime_nsec as i64);
        }
        size.files += 1;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_directory || stat.st_nlink == 1 || linked.insert((stat.st_dev, stat.st_ino)) {
            size.bytes += stat.st_blocks as u64 * 512;
        }
        if is_directory
            && let Some(directory) = there(open_beneath(
                &parent,
                name,
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW,
                Mode::empty(),
            ))?
            && let Some(names) = there(names(&directory))?
        {
            todo.extend(names.into_iter().map(|name| path::join(&at, &name)));
        }
    }
    Ok(size)
}

fn there<T>(result: Result<T, Errno>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error).doing(|| "look through the store"),
    }
}
