//! The store's folders (ARCHITECTURE.md has the table), opened once and used by descriptor.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Doing, Error};

/// Folders of the store, made where they are missing.
const FOLDERS: [&str; 16] = [
    "blobs",
    "blobs/sha256",
    "refs",
    "layers",
    "indexes",
    "snapshots",
    "blocks",
    "layers-by-name",
    "content",
    "records",
    "statcache",
    "mounts",
    "mount-facts",
    "leases",
    "locks",
    "tmp",
];
/// What was moved away, to be deleted in the background.
pub const TRASH: &str = "trash";
/// For reading a directory by descriptor, never through a symlink.
pub const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

pub struct Store {
    root: OwnedFd,
    path: PathBuf,
}

impl Store {
    /// Opens the store at `path`; makes it (0700: setuid files lie in it) where it is missing.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if !path.is_absolute() {
            return Err(Error::user(
                "STORE_FAILED",
                format!("the store's path \"{}\" is not absolute", path.display()),
            ));
        }
        let failed = |source: std::io::Error| {
            Error::user(
                "STORE_FAILED",
                format!("cannot open the store \"{}\": {source}", path.display()),
            )
            .hint("give another place with --root or COOPER_ROOT")
        };
        std::fs::create_dir_all(path).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::openat(CWD, path, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        let path = path.canonicalize().map_err(failed)?;
        let store = Self { root, path };
        store
            .lay_out()
            .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        Ok(store)
    }

    fn lay_out(&self) -> Result<(), Error> {
        let stat = fs::fstat(&self.root).doing(|| "stat the store")?;
        if stat.st_mode & 0o077 != 0 {
            fs::fchmod(&self.root, Mode::RWXU).doing(|| "make the store private")?;
        }
        for folder in FOLDERS.iter().chain(&[TRASH]) {
            make_directory(self.root.as_fd(), folder)?;
        }
        Ok(())
    }

    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// For programs that need a path; everything else goes by `root`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder of the store by a name of ours (no name from outside goes in here).
    pub fn folder(&self, name: &str) -> Result<OwnedFd, Error> {
        fs::openat(&self.root, name, DIRECTORY, Mode::empty()).doing(|| format!("open \"{name}\" of the store"))
    }

    /// Moves a relative path into `trash/`, under a new name. `false` when there is nothing.
    pub fn discard(&self, relative: &str) -> Result<bool, Error> {
        let clean = Path::new(relative)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if relative.is_empty() || !clean {
            return Err(Error::internal(format!("\"{relative}\" is no path within the store")));
        }
        match fs::renameat(&self.root, relative, &self.root, format!("{TRASH}/{}", random_name()?)) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).doing(|| format!("move \"{relative}\" of the store away")),
        }
    }

    /// Whether this is the name of one of the store's folders, those of the builder included.
    pub fn is_folder(name: &str) -> bool {
        FOLDERS.contains(&name) || [TRASH, "http", "git", "origins"].contains(&name)
    }

    /// What lies in one of the store's folders. Names that are not UTF-8 are none of ours.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        let names = names_in(self.folder(folder)?.as_fd())?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    /// Deletes all of `trash/`. Another process may do the same at the same time: what is gone is gone.
    pub fn empty_trash(&self) -> Result<(), Error> {
        let trash = self.folder(TRASH)?;
        // A directory's own directories are moved up beside it, so the deepest of trees costs neither stack nor descriptors.
        loop {
            let names = names_in(trash.as_fd())?;
            if names.is_empty() {
                return Ok(());
            }
            for name in names {
                remove_flat(trash.as_fd(), &name)?;
            }
        }
    }
}

/// Makes one directory, 0700; one that is there is fine.
pub fn make_directory(parent: BorrowedFd<'_>, name: &str) -> Result<(), Error> {
    match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).doing(|| format!("make directory \"{name}\"")),
    }
}

/// 32 hex digits that nobody else has.
pub fn random_name() -> Result<String, Error> {
    let mut bytes = [0u8; 16];
    let count =
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).doing(|| "get random bytes")?;
    debug_assert_eq!(count, bytes.len(), "short reads happen over 256 bytes only");
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn names_in(directory: BorrowedFd<'_>) -> Result<Vec<OsString>, Error> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(directory).doing(|| "read a directory")? {
        let entry = entry.doing(|| "read a directory")?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

/// Deletes one entry of the trash. Of a directory the files only: its directories become entries of the trash.
fn remove_flat(trash: BorrowedFd<'_>, name: &OsStr) -> Result<(), Error> {
    if !is_directory_after_unlink(trash, name)? {
        return Ok(());
    }
    let Some(directory) = open_own(trash, name).doing(|| "open a directory of the trash")? else {
        return Ok(());
    };
    for child in names_in(directory.as_fd())? {
        if is_directory_after_unlink(directory.as_fd(), &child)? {
            open_own(directory.as_fd(), &child).doing(|| "open a directory of the trash")?;
            ignore_missing(fs::renameat(&directory, &child, trash, random_name()?))
                .doing(|| "move within the trash")?;
        }
    }
    match fs::unlinkat(trash, name, AtFlags::REMOVEDIR) {
        // Another collector may have moved something in here between our reading and now: the next round takes it.
        Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        Err(error) => Err(error).doing(|| "delete a directory of the trash"),
    }
}

/// Opens a directory with all of its owner's bits: without them it can neither be read nor moved, except by root. Nothing else is followed or
/// changed: a program that still holds the tree may put a symlink in its place at any moment. `None` where there is no directory any more.
fn open_own(parent: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<Option<OwnedFd>> {
    let opened = match fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Err(Errno::ACCESS) => fs::openat(parent, name, DIRECTORY | OFlags::PATH, Mode::empty()).and_then(|place| {
            let place = format!("/proc/self/fd/{}", place.as_raw_fd());
            fs::chmod(&place, Mode::RWXU)?;
            fs::openat(CWD, &place, DIRECTORY - OFlags::NOFOLLOW, Mode::empty())
        }),
        other => other.and_then(|directory| fs::fchmod(&directory, Mode::RWXU).map(|()| directory)),
    };
    match opened {
        Ok(directory) => Ok(Some(directory)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Unlinks what is no directory.
fn is_directory_after_unlink(parent: BorrowedFd<'_>, name: &OsStr) -> Result<bool, Error> {
    match fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(false),
        Err(Errno::ISDIR | Errno::PERM) => Ok(true),
        Err(error) => Err(error).doing(|| format!("delete {name:?}")),
    }
}

fn ignore_missing(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use rustix::fs::{RenameFlags, renameat_with};

    use super::*;

    /// A program that was handed a directory of a step that failed goes on in it, while it is deleted: a directory and a symlink out of the
    /// store change places all the time.
    #[test]
    fn deleting_changes_nothing_behind_symlinks() {
        let (home, canary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        std::fs::set_permissions(canary.path(), std::fs::Permissions::from_mode(0o751)).unwrap();
        let store = Store::open(home.path()).unwrap();
        let trash = home.path().join(TRASH);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // As long as both are there.
                    let at = trash.join("step");
                    let _ = renameat_with(CWD, at.join("sub"), CWD, at.join("link"), RenameFlags::EXCHANGE);
                }
            });
            for _ in 0..500 {
                std::fs::create_dir_all(trash.join("step/sub")).unwrap();
                symlink(canary.path(), trash.join("step/link")).unwrap();
                store.empty_trash().unwrap();
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(mode(canary.path()), 0o751);
    }

    #[test]
    fn deleting_needs_no_rights_to_what_is_deleted() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let deep = home.path().join(TRASH).join("step/closed/deeper");
        std::fs::create_dir_all(&deep).unwrap();
        for path in [deep.as_path(), deep.parent().unwrap()] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        store.empty_trash().unwrap();
        assert_eq!(store.names(TRASH).unwrap(), Vec::<String>::new());
    }
}
