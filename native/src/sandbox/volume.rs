//! Anonymous volumes begin with what the image has at their place.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, fchmod};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::resolve::openat2;
use crate::snapshots::root::copy_tree;

/// Copies the image's `path` into `volume` with owners, modes, times and attributes. Nothing is copied where it has none.
pub fn seed(root: BorrowedFd<'_>, path: &str, volume: &OwnedFd) -> Result<(), Error> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(source) => copy_tree(&source, volume),
        Err(Errno::NOENT | Errno::NOTDIR) => {
            fchmod(volume, Mode::from_raw_mode(0o755)).doing(|| "set the mode of a volume")
        }
        Err(error) => Err(error).doing(|| format!("open \"{path}\" of the image")),
    }
}
