//! A lease: a process's presence in the store. It is a flock on `leases/<name>`, freed by death, and the folder `tmp/<name>`. Beside it every
//! process holds `locks/store`, shared: who deletes what no reference names holds it alone.

use std::os::fd::OwnedFd;
use std::str;
use std::time::Duration;

use rustix::fs::{self, AtFlags, Dir, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::sandbox::{cgroup, chroot};
use crate::session::DIRECTORY;
use crate::store::{Store, make_directory, random_name};

pub struct Lease {
    pub name: String,
    /// `tmp/<name>`, open.
    pub temporary: OwnedFd,
    _file: OwnedFd,
    presence: OwnedFd,
}

impl Lease {
    /// Takes a new lease: the lock first, then the folder, so that a sweep never meets a folder whose lock is free and whose owner lives.
    pub fn take(store: &Store) -> Result<Self, Error> {
        // First of all: nothing that is looked for after this is deleted while we live.
        let presence = be_present(store)?;
        loop {
            let name = random_name()?;
            let Some(file) = open_locked(store, &name, OFlags::CREATE)? else {
                continue;
            };
            make_directory(store.root(), &format!("tmp/{name}"))?;
            let temporary =
                openat(store.root(), format!("tmp/{name}"), DIRECTORY, Mode::empty()).doing(|| "open tmp")?;
            return Ok(Self {
                name,
                temporary,
                _file: file,
                presence,
            });
        }
    }

    /// Has the store alone until this process ends: who comes later waits in `take`. `false` when others are there.
    pub fn be_alone(&self) -> Result<bool, Error> {
        match flock(&self.presence, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => {
                // The kernel gives the old lock up before it tries for the new one.
                wait_for_presence(&self.presence)?;
                Ok(false)
            }
            Err(error) => Err(error).doing(|| "lock the store"),
        }
    }

    /// Gives it back at a regular end: what is left in the folder goes to the trash. After a kill the next process's sweep does this.
    pub fn give_back(&self, store: &Store) -> Result<(), Error> {
        store.discard(&format!("tmp/{}", self.name))?;
        remove_lock(store, &self.name)
    }
}

fn be_present(store: &Store) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(store.root(), "locks/store", flags, Mode::RUSR | Mode::WUSR).doing(|| "open the store's lock")?;
    wait_for_presence(&file)?;
    Ok(file)
}

/// By trying, so that a signal or a dead builder is not kept waiting by the kernel. Who has the store alone only renames.
fn wait_for_presence(file: &OwnedFd) -> Result<(), Error> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(error).doing(|| "lock the store"),
        }
    }
}

/// Opens and locks a lease's file. `None` when it is held, or when a sweep removed the file between open and lock.
fn open_locked(store: &Store, name: &str, create: OFlags) -> Result<Option<OwnedFd>, Error> {
    let path = format!("leases/{name}");
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | create;
    let file = match openat(store.root(), &path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error).doing(|| "open a lease"),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error).doing(|| "lock a lease"),
    }
    let ours = fs::fstat(&file).doing(|| "stat a lease")?;
    match fs::statat(store.root(), &path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) if named.st_ino == ours.st_ino => Ok(Some(file)),
        Ok(_) | Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error).doing(|| "stat a lease"),
    }
}

fn remove_lock(store: &Store, name: &str) -> Result<(), Error> {
    match fs::unlinkat(store.root(), format!("leases/{name}"), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error).doing(|| "remove a lease"),
    }
}

/// Moves away what dead processes left, then empties the trash.
pub fn sweep(store: &Store) -> Result<(), Error> {
    for folder in ["leases", "tmp"] {
        let directory = store.folder(folder)?;
        for entry in Dir::read_from(&directory).doing(|| "read leases")? {
            let entry = entry.doing(|| "read leases")?;
            let Ok(name) = str::from_utf8(entry.file_name().to_bytes()) else {
                continue;
            };
            if is_lease_name(name) {
                sweep_one(store, name)?;
            }
        }
    }
    store.empty_trash()
}

fn sweep_one(store: &Store, name: &str) -> Result<(), Error> {
    let Some(_held) = open_locked(store, name, OFlags::empty())? else {
        return sweep_orphan(store, name);
    };
    chroot::sweep(store, &format!("tmp/{name}"));
    if let Err(error) = cgroup::sweep::sweep(store, name) {
        // Its list stays, for the next command; the other leases have nothing to do with it.
        eprintln!("cooper-worker: {error}");
        return Ok(());
    }
    store.discard(&format!("tmp/{name}"))?;
    remove_lock(store, name)
}

/// A folder in `tmp/` whose lease has no file any more: its sweeper died between the two. A living owner always has the file.
fn sweep_orphan(store: &Store, name: &str) -> Result<(), Error> {
    match fs::statat(store.root(), format!("leases/{name}"), AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => store.discard(&format!("tmp/{name}")).map(drop),
        Ok(_) => Ok(()),
        Err(error) => Err(error).doing(|| "stat a lease"),
    }
}

/// As `random_name` makes them. Everything else in those folders is not ours to touch.
fn is_lease_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
