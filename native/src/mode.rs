//! The rung of the ladder that this machine allows, found by trying.

use rustix::mount::{MountPropagationFlags, mount_change};

use crate::error::{Doing, Error};
use crate::lease::Lease;
use crate::protocol::{Mode, Snapshotter};
use crate::store::Store;

/// What was found, and why not the rung above.
#[derive(Debug, Clone)]
pub struct Probed {
    pub mode: Mode,
    pub reason: String,
    pub snapshotter: Snapshotter,
}

pub fn probe(_store: &Store, _lease: &Lease) -> Result<Probed, Error> {
    let root = rustix::process::geteuid().is_root();
    let (mode, snapshotter) = if root {
        (Mode::Root, Snapshotter::Overlay)
    } else {
        (Mode::Unprivileged, Snapshotter::None)
    };
    Ok(Probed {
        mode,
        reason: String::new(),
        snapshotter,
    })
}

/// Once, while the process has one thread: a mount namespace of our own, from which nothing spreads.
pub fn prepare() -> Result<(), Error> {
    if rustix::process::geteuid().is_root() {
        crate::syscalls::unshare(rustix::thread::UnshareFlags::NEWNS).doing(|| "make a mount namespace")?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).doing(|| "make the mounts private")?;
    }
    Ok(())
}
