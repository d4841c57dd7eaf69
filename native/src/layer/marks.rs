//! How a snapshot says on disk that a name is gone, or that a directory hides what is below it: as overlayfs reads it, or, where no overlay is
//! mounted, in a form of our own, for which no device need be made (an overlayfs that holds the store refuses that device).

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, XattrFlags, fchmod, fsetxattr, mknodat, openat};
use rustix::io::Errno;

use crate::tree::host::open_beneath;
use crate::tree::xattr;

/// The marks of an opaque directory: as root, in a user namespace, fuse-overlayfs's, and our own.
pub const OPAQUE: [&[u8]; 4] = [
    b"trusted.overlay.opaque",
    b"user.overlay.opaque",
    b"user.fuseoverlayfs.opaque",
    OWN_OPAQUE,
];
/// No attribute of this name comes from a layer or gets into one (tree/xattr.rs), so no image forges it.
pub const OWN_OPAQUE: &[u8] = b"user.cooper.opaque";
/// On an empty file that nobody may open.
const OWN_WHITEOUT: &[u8] = b"user.cooper.whiteout";

/// Makes a whiteout in the form to which this mark of an opaque directory belongs.
pub fn make_whiteout(directory: impl AsFd, name: &[u8], opaque: &[u8]) -> Result<(), Errno> {
    let name = OsStr::from_bytes(name);
    if opaque != OWN_OPAQUE {
        return mknodat(directory, name, FileType::CharacterDevice, Mode::empty(), 0);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    fsetxattr(&file, OWN_WHITEOUT, b"y", XattrFlags::empty())?;
    fchmod(&file, Mode::empty())
}

/// Whether a name of a snapshot is one, in whatever form.
pub fn is_whiteout(root: &OwnedFd, at: &[u8], stat: &Stat) -> Result<bool, Errno> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice => Ok(stat.st_rdev == 0),
        FileType::RegularFile if stat.st_size == 0 && stat.st_mode & 0o7777 == 0 => {
            let file = open_beneath(root, at, OFlags::RDONLY | OFlags::NOFOLLOW, Mode::empty())?;
            has(&file, OWN_WHITEOUT)
        }
        _ => Ok(false),
    }
}

/// Whether a directory of a snapshot hides what is below it.
pub fn is_opaque(directory: &OwnedFd) -> Result<bool, Errno> {
    for name in OPAQUE {
        if has(directory, name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has(file: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
    match xattr::get(file, name) {
        Ok(value) => Ok(value == b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the store's filesystem keeps our own marks.
pub fn try_own(directory: &OwnedFd) -> Result<(), Errno> {
    fsetxattr(directory, OWN_OPAQUE, b"y", XattrFlags::empty())?;
    make_whiteout(directory, b"gone", OWN_OPAQUE)?;
    let stat = rustix::fs::statat(directory, "gone", AtFlags::SYMLINK_NOFOLLOW)?;
    if is_opaque(directory)? && is_whiteout(directory, b"gone", &stat)? {
        Ok(())
    } else {
        Err(Errno::OPNOTSUPP)
    }
}
