//! The rung of the ladder that this machine allows, found by trying: root, then a user namespace with a range of ids, then neither.

use std::os::fd::AsFd;
use std::sync::OnceLock;

use rustix::fs::{Mode as FileMode, openat};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::UnshareFlags;

use crate::error::{Doing, Error};
use crate::lease::Lease;
use crate::overlay::{self, Parts};
use crate::protocol::{Mode, Snapshotter};
use crate::session::DIRECTORY;
use crate::store::{Store, make_directory};
use crate::{syscalls, userns};

/// What was found, and why not the rung above.
#[derive(Debug, Clone)]
pub struct Probed {
    pub mode: Mode,
    pub reason: String,
    pub snapshotter: Snapshotter,
}

/// Mode and reason, from before any thread.
static PREPARED: OnceLock<(Mode, String)> = OnceLock::new();

/// Once, while the process has one thread: a mount namespace of our own, from which nothing spreads, in a user namespace where we are not
/// root. Of a process that forked itself for that, only the child returns.
pub fn prepare() -> Result<(), Error> {
    let prepared = if rustix::process::geteuid().is_root() {
        prepare_root()
    } else {
        prepare_user()?
    };
    // Only main calls this, once.
    let _ = PREPARED.set(prepared);
    Ok(())
}

fn prepare_root() -> (Mode, String) {
    let private = syscalls::unshare(UnshareFlags::NEWNS).and_then(|()| make_private());
    match private {
        Ok(()) if userns::is_initial() => (Mode::Root, String::new()),
        Ok(()) => (
            Mode::Rootless,
            "root of a user namespace, not of the machine".to_owned(),
        ),
        Err(error) => (
            Mode::Unprivileged,
            format!("root without the right to make a mount namespace ({error})"),
        ),
    }
}

fn prepare_user() -> Result<(Mode, String), Error> {
    let reason = match userns::enter()? {
        None => match make_private() {
            Ok(()) => return Ok((Mode::Rootless, "not root".to_owned())),
            Err(error) => format!("a user namespace without the right to mount ({error})"),
        },
        Some(reason) => reason,
    };
    Ok((Mode::Unprivileged, format!("not root, and {reason}")))
}

fn make_private() -> rustix::io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

/// Tries what containers need of this store: an overlay on its filesystem.
pub fn probe(store: &Store, lease: &Lease) -> Result<Probed, Error> {
    let (mode, reason) = PREPARED
        .get()
        .cloned()
        .ok_or_else(|| Error::internal("the mode was not prepared"))?;
    let snapshotter = match mode {
        Mode::Root => Snapshotter::Overlay,
        Mode::Rootless => Snapshotter::OverlayUserxattr,
        Mode::Unprivileged => {
            return Ok(Probed {
                mode,
                reason,
                snapshotter: Snapshotter::None,
            });
        }
    };
    match try_overlay(lease, snapshotter) {
        Ok(()) => Ok(Probed {
            mode,
            reason,
            snapshotter,
        }),
        Err(error) => {
            let reason = format!("no overlay can be mounted on \"{}\": {error}", store.path().display());
            Ok(Probed {
                mode: Mode::Unprivileged,
                reason,
                snapshotter: Snapshotter::None,
            })
        }
    }
}

fn try_overlay(lease: &Lease, snapshotter: Snapshotter) -> Result<(), Error> {
    let mut directories = Vec::new();
    make_directory(lease.temporary.as_fd(), "probe")?;
    for name in ["probe/lower", "probe/upper", "probe/work"] {
        make_directory(lease.temporary.as_fd(), name)?;
        directories.push(openat(&lease.temporary, name, DIRECTORY, FileMode::empty()).doing(|| "open a directory")?);
    }
    let upper = Some((directories[1].as_fd(), directories[2].as_fd()));
    let temporary = lease.temporary.as_fd();
    let mount = overlay::mount(&Parts {
        snapshotter,
        lowers: &directories[..1],
        upper,
        temporary,
    })?;
    // A mount can succeed and yet be read-only.
    rustix::fs::mkdirat(&mount, "probe", FileMode::RWXU).doing(|| "write to an overlay")
}
