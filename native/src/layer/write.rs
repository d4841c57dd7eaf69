//! Writes entries to a directory: the files of a snapshot, a bind mount, an export.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::content::Opened;
use super::layout::Item;
use super::marks;
use crate::error::{Doing, Error};
use crate::index::entry::{Entry, Kind, Meta};
use crate::index::path;
use crate::owner;
use crate::tree::host::open_beneath;
use crate::tree::xattr;

/// What becomes of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// They are set.
    Real,
    /// They stand in an attribute (owner.rs); for symlinks and the like in the index only.
    Beside,
    /// Everything belongs to the caller.
    Callers,
}

/// How what a layer says is put on disk.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Which of marks.rs; None where whiteouts and marks are not wanted.
    pub opaque: Option<&'static [u8]>,
    pub owners: Owners,
    /// Whether devices are made where that is allowed; in a user namespace they stand in the index only.
    pub devices: bool,
}

/// Writes entries, given in the order of a walk, below an empty (or equally shaped) directory.
pub fn write_tree(root: &OwnedFd, items: &[Item], form: Form) -> Result<(), Error> {
    for item in items
        .iter()
        .filter(|item| item.entry.meta.is_dir() && !item.entry.path.is_empty())
    {
        make_directory(root, &item.entry.path)?;
    }
    let leaves: Vec<&Item> = items.iter().filter(|item| !item.entry.meta.is_dir()).collect();
    let (links, files): (Vec<&Item>, Vec<&Item>) = leaves
        .into_iter()
        .partition(|item| item.entry.meta.kind == Kind::Hardlink);
    files
        .par_iter()
        .with_min_len(16)
        .try_for_each(|item| write_leaf(root, item, form))?;
    links.iter().try_for_each(|item| link(root, &item.entry))?;
    // A directory's mtime changes with every child, so the deepest come first and the children are all there.
    items
        .iter()
        .rev()
        .filter(|item| item.entry.meta.is_dir())
        .try_for_each(|item| finish_directory(root, &item.entry, form))
}

/// Makes a directory that only we can enter; `finish_directory` gives it its attributes.
pub fn make_directory(root: &OwnedFd, at: &[u8]) -> Result<(), Error> {
    let (parent, name) = parent(root, at)?;
    match rustix::fs::mkdirat(&parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).doing(|| doing("make directory", at)),
    }
}

/// Sets a directory's attributes, once nothing more is written into it.
pub fn finish_directory(root: &OwnedFd, entry: &Entry, form: Form) -> Result<(), Error> {
    let directory = open_beneath(root, &entry.path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
    let directory = directory.doing(|| doing("open", &entry.path))?;
    if let Some(mark) = form.opaque.filter(|_| entry.opaque) {
        rustix::fs::fsetxattr(&directory, mark, b"y", XattrFlags::empty()).doing(|| doing("mark", &entry.path))?;
    }
    if entry.path.is_empty() {
        Ok(())
    } else {
        finish_open(&directory, entry, form)
    }
}

/// Gives the root itself its attributes: that of a cache mount is the mount.
pub fn finish_root(root: &OwnedFd, entry: &Entry, form: Form) -> Result<(), Error> {
    finish_open(root, entry, form)
}

fn write_leaf(root: &OwnedFd, item: &Item, form: Form) -> Result<(), Error> {
    let entry = &item.entry;
    if entry.meta.kind != Kind::File {
        return write_special(root, entry, form);
    }
    let file = create_file(root, &entry.path)?;
    copy(&item.content.open()?, &file, entry.meta.size).doing(|| doing("write", &entry.path))??;
    finish_open(&file, entry, form)
}

/// A new file that only we can read; `finish_open` gives it its attributes.
pub fn create_file(root: &OwnedFd, at: &[u8]) -> Result<File, Error> {
    let (parent, name) = parent(root, at)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&parent, name, flags, Mode::RUSR | Mode::WUSR);
    file.map(File::from).doing(|| doing("create", at))
}

/// Everything but files, directories and hard links.
pub fn write_special(root: &OwnedFd, entry: &Entry, form: Form) -> Result<(), Error> {
    let (at, meta) = (&entry.path, &entry.meta);
    let (parent, name) = parent(root, at)?;
    let device = rustix::fs::makedev(meta.device.0, meta.device.1);
    let made = match meta.kind {
        Kind::Symlink => rustix::fs::symlinkat(OsStr::from_bytes(&meta.link), &parent, name),
        Kind::Whiteout => match form.opaque {
            Some(mark) => marks::make_whiteout(&parent, name.as_bytes(), mark),
            None => return Ok(()),
        },
        Kind::Fifo => rustix::fs::mknodat(&parent, name, FileType::Fifo, Mode::RUSR, 0),
        Kind::Char if form.devices => rustix::fs::mknodat(&parent, name, FileType::CharacterDevice, Mode::RUSR, device),
        Kind::Block if form.devices => rustix::fs::mknodat(&parent, name, FileType::BlockDevice, Mode::RUSR, device),
        _ => return Ok(()),
    };
    match made {
        // A container may be allowed some devices only: it stands in the index, as in a user namespace.
        Err(Errno::PERM) if matches!(meta.kind, Kind::Char | Kind::Block) => return Ok(()),
        made => made.doing(|| doing("make", at))?,
    }
    if meta.kind == Kind::Whiteout {
        return Ok(());
    }
    if form.owners == Owners::Real {
        let (uid, gid) = (Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)));
        rustix::fs::chownat(&parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| owner_refused(error, entry))?;
    }
    if meta.kind != Kind::Symlink {
        rustix::fs::chmodat(&parent, name, Mode::from_raw_mode(meta.mode), AtFlags::empty())
            .doing(|| doing("set the mode of", at))?;
    }
    rustix::fs::utimensat(&parent, name, &times(meta), AtFlags::SYMLINK_NOFOLLOW)
        .doing(|| doing("set the times of", at))
}

/// Another name of a file that is there already.
pub fn link(root: &OwnedFd, entry: &Entry) -> Result<(), Error> {
    let (from, from_name) = parent(root, &entry.meta.link)?;
    let (to, to_name) = parent(root, &entry.path)?;
    rustix::fs::linkat(&from, from_name, &to, to_name, AtFlags::empty()).doing(|| doing("link", &entry.path))
}

/// Owner, mode, xattrs and times by descriptor, in the order in which none undoes another.
pub fn finish_open(file: impl AsFd, entry: &Entry, form: Form) -> Result<(), Error> {
    let meta = &entry.meta;
    if form.owners != Owners::Callers {
        owner::give(&file, (meta.uid, meta.gid), form.owners == Owners::Beside)
            .map_err(|error| owner_refused(error, entry))?;
    }
    rustix::fs::fchmod(&file, Mode::from_raw_mode(meta.mode)).doing(|| doing("set the mode of", &entry.path))?;
    // What this filesystem refuses stays in the index and in the layer, which are what others see.
    xattr::write(&file, &meta.xattrs, &mut |_, _| {}).doing(|| doing("set extended attributes of", &entry.path))?;
    rustix::fs::futimens(&file, &times(meta)).doing(|| doing("set the times of", &entry.path))
}

fn owner_refused(error: Errno, entry: &Entry) -> Error {
    let (at, uid, gid) = (path::show(&entry.path), entry.meta.uid, entry.meta.gid);
    match error {
        Errno::INVAL | Errno::PERM => Error::user(
            "PRIVILEGE_MISSING",
            format!("\"{at}\" cannot be given to {uid}:{gid} here"),
        )
        .hint("give this user a larger range in /etc/subuid and /etc/subgid, or build as root"),
        _ => Error::System {
            doing: doing("set the owner of", &entry.path),
            source: error.into(),
        },
    }
}

fn times(meta: &Meta) -> Timestamps {
    let time = Timespec {
        tv_sec: meta.mtime.0,
        tv_nsec: i64::from(meta.mtime.1),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Copies inside the kernel where it can (a reflink where the filesystem has them), else through memory.
fn copy(content: &Opened<'_>, to: &File, size: u64) -> std::io::Result<Result<(), Error>> {
    let mut at = 0;
    if let Some(from) = content.file() {
        while at < size {
            let (mut from_at, mut to_at) = (at, at);
            let length = usize::try_from(size - at).unwrap_or(usize::MAX).min(1 << 30);
            match rustix::fs::copy_file_range(from, Some(&mut from_at), to, Some(&mut to_at), length) {
                Ok(0) => break,
                Ok(count) => at += count as u64,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    let mut buffer = vec![0; (size - at).min(1024 * 1024) as usize];
    while at < size {
        let length = (size - at).min(buffer.len() as u64) as usize;
        if let Err(error) = content.read_at(&mut buffer[..length], at) {
            return Ok(Err(error));
        }
        to.write_all_at(&buffer[..length], at)?;
        at += length as u64;
    }
    Ok(Ok(()))
}

fn parent<'p>(root: &OwnedFd, at: &'p [u8]) -> Result<(OwnedFd, &'p OsStr), Error> {
    let (parent, name) = path::split(at);
    let opened =
        open_beneath(root, parent, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).doing(|| doing("open", parent))?;
    Ok((opened, OsStr::from_bytes(name)))
}

fn doing(what: &str, at: &[u8]) -> String {
    format!("{what} \"{}\" of a snapshot", path::show(at))
}
