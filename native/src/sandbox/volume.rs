//! Anonymous volumes begin with what the image has at their place.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid, XattrFlags, chownat, fchmod, fgetxattr,
    flistxattr, fsetxattr, fstat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::resolve::openat2;
use crate::session::DIRECTORY;
use crate::snapshots::clone::{set_times, times};

/// Deeper trees than this are refused; each level costs two descriptors.
const DEEPEST: usize = 200;

/// Copies the image's `path` into `volume` with owners, modes, times and attributes. Nothing is copied where it has none.
pub fn seed(root: BorrowedFd<'_>, path: &str, volume: &OwnedFd) -> Result<(), Error> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let source = match openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(source) => source,
        Err(Errno::NOENT | Errno::NOTDIR) => {
            return fchmod(volume, Mode::from_raw_mode(0o755)).doing(|| "set the mode of a volume");
        }
        Err(error) => return Err(error).doing(|| format!("open \"{path}\" of the image")),
    };
    let stat = fstat(&source).doing(|| "stat a volume's source")?;
    copy_directory(&source, volume, &stat, DEEPEST)
}

fn copy_directory(source: &OwnedFd, target: &OwnedFd, stat: &Stat, depth: usize) -> Result<(), Error> {
    if depth == 0 {
        return Err(Error::user(
            "UNSUPPORTED",
            format!("a volume's content is deeper than {DEEPEST} directories"),
        ));
    }
    for entry in Dir::read_from(source).doing(|| "read a volume's source")? {
        let entry = entry.doing(|| "read a volume's source")?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            copy_entry(source, target, name, depth).map_err(|error| in_volume(error, name))?;
        }
    }
    finish(target, stat, source.as_fd())
}

fn in_volume(error: Error, name: &CStr) -> Error {
    match error {
        Error::System { doing, source } => Error::System {
            doing: format!("{doing} ({name:?})"),
            source,
        },
        other => other,
    }
}

fn copy_entry(source: &OwnedFd, target: &OwnedFd, name: &CStr, depth: usize) -> Result<(), Error> {
    let doing = || "copy into a volume";
    let stat = statat(source, name, AtFlags::SYMLINK_NOFOLLOW).doing(doing)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            mkdirat(target, name, Mode::RWXU).doing(doing)?;
            let from = openat(source, name, DIRECTORY, Mode::empty()).doing(doing)?;
            let to = openat(target, name, DIRECTORY, Mode::empty()).doing(doing)?;
            copy_directory(&from, &to, &stat, depth - 1)
        }
        FileType::RegularFile => {
            let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let from = openat(source, name, flags | OFlags::RDONLY, Mode::empty()).doing(doing)?;
            let new = flags | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
            let to = openat(target, name, new, Mode::RUSR | Mode::WUSR).doing(doing)?;
            let (mut from, mut to) = (File::from(from), File::from(to));
            std::io::copy(&mut from, &mut to).doing(doing)?;
            finish(&OwnedFd::from(to), &stat, from.as_fd())
        }
        FileType::Symlink => {
            let link = readlinkat(source, name, Vec::new()).doing(doing)?;
            symlinkat(link, target, name).doing(doing)?;
            own_link(target, name, &stat)
        }
        kind => {
            mknodat(target, name, kind, Mode::from_raw_mode(stat.st_mode), stat.st_rdev).doing(doing)?;
            own_link(target, name, &stat)?;
            rustix::fs::chmodat(target, name, Mode::from_raw_mode(stat.st_mode), AtFlags::empty()).doing(doing)
        }
    }
}

fn own_link(target: &OwnedFd, name: &CStr, stat: &Stat) -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(target, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).doing(|| "set an owner")?;
    utimensat(target, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW).doing(|| "set a time")
}

/// Owner, attributes, mode, time, in this order: each would undo one before it.
fn finish(target: &OwnedFd, stat: &Stat, source: BorrowedFd<'_>) -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::fchown(target, Some(uid), Some(gid)).doing(|| "set an owner")?;
    copy_attributes(source, target)?;
    fchmod(target, Mode::from_raw_mode(stat.st_mode)).doing(|| "set a mode")?;
    set_times(target, stat).doing(|| "set a time")
}

/// Those that an image can have: `user.*` and file capabilities.
fn copy_attributes(source: BorrowedFd<'_>, target: &OwnedFd) -> Result<(), Error> {
    let doing = || "copy extended attributes";
    let mut list = vec![0u8; 64 * 1024];
    let length = match flistxattr(source, &mut list) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(error) => return Err(error).doing(doing),
    };
    for name in list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // Our own marks too: where the kernel has one id they tell whose a file is.
        let own = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
        if !own && name != b"security.capability" {
            continue;
        }
        let name = CString::new(name).map_err(|_| Error::internal("an attribute's name holds a NUL"))?;
        let mut value = vec![0u8; 64 * 1024];
        let length = fgetxattr(source, &name, &mut value).doing(doing)?;
        fsetxattr(target, &name, &value[..length], XattrFlags::empty()).doing(doing)?;
    }
    Ok(())
}
