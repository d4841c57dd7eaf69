//! A directory of the host, read by descriptor: no path of it is ever joined to a string, no symlink in it is followed by the kernel.

use std::ffi::OsStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat};
use rustix::io::Errno;

use super::xattr;
use crate::error::{Doing, Error};
use crate::index::entry::{Kind, Meta, Xattrs};
use crate::index::path;
use crate::resolve::openat2;

/// What tells a file from its earlier states and from its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ident {
    pub device: u64,
    pub inode: u64,
    pub links: u64,
    /// Seconds and nanoseconds.
    pub changed: (i64, u32),
}

/// A directory held open.
#[derive(Debug, Clone)]
pub struct HostDir {
    root: Arc<OwnedFd>,
    listed: Arc<AtomicU64>,
}

impl HostDir {
    pub fn new(root: OwnedFd) -> Self {
        Self {
            root: Arc::new(root),
            listed: Arc::default(),
        }
    }

    /// Metadata of a path without its xattrs; None where nothing stands, or something on the way is no directory.
    pub fn stat(&self, at: &[u8]) -> Result<Option<(Meta, Ident)>, Error> {
        match self.open_with(at, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(file) => {
                let stat = rustix::fs::fstat(&file).doing(|| format!("stat \"{}\"", path::show(at)))?;
                describe(&file, OsStr::from_bytes(b""), &stat).map(Some)
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(failed("open", at, error)),
        }
    }

    /// How many directories have been listed.
    pub fn listed(&self) -> u64 {
        self.listed.load(Ordering::Relaxed)
    }

    /// What is in a directory, sorted by name. `None` for something that has gone in between.
    pub fn list(&self, at: &[u8]) -> Result<Vec<(Vec<u8>, Meta, Ident)>, Error> {
        self.listed.fetch_add(1, Ordering::Relaxed);
        let directory = self
            .open_with(at, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|error| failed("open", at, error))?;
        let mut names = names(&directory).doing(|| format!("list \"{}\"", path::show(at)))?;
        names.sort_unstable();
        let mut list = Vec::with_capacity(names.len());
        for name in names {
            let os_name = OsStr::from_bytes(&name);
            match rustix::fs::statat(&directory, os_name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    let (meta, ident) = describe(&directory, os_name, &stat)?;
                    list.push((name, meta, ident));
                }
                // Removed since the directory was read: as if it had never been there.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(failed("stat", &path::join(at, &name), error)),
            }
        }
        Ok(list)
    }

    /// Opens a regular file to read it; anything else that has taken its place meanwhile is refused without being opened.
    pub fn open(&self, at: &[u8]) -> Result<File, Error> {
        let file = self.open_with(at, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW);
        file.map(File::from).map_err(|error| failed("open", at, error))
    }

    /// The xattrs that go into layers, of a file or directory.
    pub fn xattrs(&self, at: &[u8]) -> Result<Xattrs, Error> {
        let file = self.open_with(at, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW);
        let file = file.map_err(|error| failed("open", at, error))?;
        xattr::read(&file).doing(|| format!("read the extended attributes of \"{}\"", path::show(at)))
    }

    fn open_with(&self, at: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        open_beneath(&*self.root, at, flags, Mode::empty())
    }
}

/// Opens a path below a directory; no component may be a symlink.
pub fn open_beneath(root: impl AsFd, at: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let at = if at.is_empty() { b"." } else { at };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, OsStr::from_bytes(at), flags | OFlags::CLOEXEC, mode, resolve)
}

/// Names in a directory, `.` and `..` left out, in no order.
pub fn names(directory: impl AsFd) -> Result<Vec<Vec<u8>>, Errno> {
    // Who listed it by the same descriptor before has left it at its end.
    rustix::fs::seek(&directory, rustix::fs::SeekFrom::Start(0))?;
    let mut buffer = vec![MaybeUninit::uninit(); 32 * 1024];
    let mut reader = RawDir::new(directory, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = reader.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

/// Metadata from a stat of `name` in `directory` (an empty name: of an O_PATH descriptor itself).
pub fn describe(directory: impl AsFd, name: &OsStr, stat: &Stat) -> Result<(Meta, Ident), Error> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::CharacterDevice => Kind::Char,
        FileType::BlockDevice => Kind::Block,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::RegularFile | FileType::Unknown => Kind::File,
    };
    let mut meta = Meta::new(kind, stat.st_mode & 0o7777);
    (meta.uid, meta.gid) = (stat.st_uid, stat.st_gid);
    meta.mtime = (stat.st_mtime, stat.st_mtime_nsec as u32);
    match kind {
        Kind::File => meta.size = stat.st_size as u64,
        Kind::Char | Kind::Block => meta.device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)),
        Kind::Symlink => {
            let target = rustix::fs::readlinkat(directory, name, Vec::new());
            meta.link = target
                .map_err(|error| failed("read the symlink", name.as_bytes(), error))?
                .into_bytes();
        }
        _ => {}
    }
    // u32 on some processors, u64 on others.
    #[allow(clippy::useless_conversion)]
    let links = u64::from(stat.st_nlink);
    let ident = Ident {
        device: stat.st_dev,
        inode: stat.st_ino,
        links,
        changed: (stat.st_ctime, stat.st_ctime_nsec as u32),
    };
    Ok((meta, ident))
}

fn failed(doing: &str, at: &[u8], error: Errno) -> Error {
    let shown = path::show(at);
    match error {
        Errno::ACCESS | Errno::PERM => {
            let message = format!("\"{shown}\" in the source may not be read");
            Error::user("COPY_FAILED", message).hint("change its permissions, or leave it out with .dockerignore")
        }
        // It was found a moment ago. A symlink that is none any more is an invalid one.
        Errno::NOENT | Errno::NOTDIR | Errno::ISDIR | Errno::LOOP | Errno::INVAL => {
            let message = format!("\"{shown}\" was replaced while it was copied");
            Error::user("COPY_FAILED", message).hint("build again when nothing writes to the context")
        }
        _ => Error::System {
            doing: format!("{doing} \"{shown}\""),
            source: error.into(),
        },
    }
}
