//! Removes what stands at a path below an open directory, with no symlink followed.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::index::path;
use crate::tree::host::{names, open_beneath};

/// Removes a file or a whole tree; nothing there is fine.
pub fn remove_tree(root: &OwnedFd, at: &[u8]) -> Result<(), Error> {
    // Paths to visit, with whether their content is gone already: no recursion, an archive decides how deep it is.
    let mut todo = vec![(at.to_vec(), false)];
    while let Some((at, emptied)) = todo.pop() {
        let (parent, name) = path::split(&at);
        let doing = || format!("remove \"{}\" of a snapshot", path::show(&at));
        let parent = open_beneath(root, parent, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).doing(doing)?;
        let flags = if emptied { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match rustix::fs::unlinkat(&parent, OsStr::from_bytes(name), flags) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) if !emptied => {
                let directory =
                    open_beneath(root, &at, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).doing(doing)?;
                let below = names(&directory).doing(doing)?;
                todo.push((at.clone(), true));
                todo.extend(below.into_iter().map(|name| (path::join(&at, &name), false)));
            }
            Err(error) => return Err(error).doing(doing),
        }
    }
    Ok(())
}
