//! Overlay mounts by descriptor. A mount made here is detached: it is in no place until it is moved to one, and gone with its descriptor.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

use crate::digest::LayerRef;
use crate::error::{Doing, Error};
use crate::protocol::Snapshotter;
use crate::session::{DIRECTORY, Session, Snapshot};
use crate::store::make_directory;

/// Layers that the kernel takes in one mount, less those that we add.
const MOST_LAYERS: usize = 490;

/// The filesystem of a chain, read-only and detached. Read it by openat2 beneath the descriptor, or move it somewhere.
pub fn mount_chain(session: &Session, chain: &[LayerRef]) -> Result<OwnedFd, Error> {
    mount(session.snapshotter, &lowers(session, chain)?, None)
}

/// A chain with a snapshot of this session on top, which takes all changes.
pub fn mount_active(session: &Session, chain: &[LayerRef], upper: &Snapshot) -> Result<OwnedFd, Error> {
    let work = format!("{}/work", upper.name);
    make_directory(session.temporary(), &work)?;
    let work = openat(session.temporary(), &work, DIRECTORY, Mode::empty()).doing(|| "open a work directory")?;
    mount(
        session.snapshotter,
        &lowers(session, chain)?,
        Some((upper.fs.as_fd(), work.as_fd())),
    )
}

/// Base first. An empty directory is added where the kernel wants one more: it refuses none, and one without an upper.
fn lowers(session: &Session, chain: &[LayerRef]) -> Result<Vec<OwnedFd>, Error> {
    let mut layers = distinct(session.layers(chain)?)?;
    for name in ["empty", "nothing"] {
        if layers.len() < 2 {
            layers.insert(0, empty_directory(session, name)?);
        }
    }
    if layers.len() > MOST_LAYERS {
        let message = format!(
            "the filesystem has {} layers; {MOST_LAYERS} can be mounted",
            layers.len()
        );
        return Err(Error::user("UNSUPPORTED", message).hint("put several RUN or COPY instructions into one"));
    }
    Ok(layers)
}

/// A layer may stand in a chain twice, and the kernel refuses a directory that does. The upper one alone says the same: what the lower
/// one changed it changes again.
fn distinct(layers: Vec<OwnedFd>) -> Result<Vec<OwnedFd>, Error> {
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(layers.len());
    for layer in layers.into_iter().rev() {
        let stat = fstat(&layer).doing(|| "stat a layer")?;
        if seen.insert((stat.st_dev, stat.st_ino)) {
            kept.push(layer);
        }
    }
    kept.reverse();
    Ok(kept)
}

fn empty_directory(session: &Session, name: &str) -> Result<OwnedFd, Error> {
    make_directory(session.temporary(), name)?;
    let directory = openat(session.temporary(), name, DIRECTORY, Mode::empty()).doing(|| "open a directory")?;
    rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o755)).doing(|| "set the mode of a directory")?;
    Ok(directory)
}

/// `lowers` base first; with `upper` and its work directory, what is written goes there.
pub fn mount(
    snapshotter: Snapshotter,
    lowers: &[OwnedFd],
    upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
) -> Result<OwnedFd, Error> {
    let doing = || "mount an overlay";
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).doing(doing)?;
    fsconfig_set_string(overlay.as_fd(), "source", "cooper").doing(doing)?;
    // The kernel wants the top layer first.
    for lower in lowers.iter().rev() {
        set_directory(&overlay, "lowerdir+", lower.as_fd())?;
    }
    // An upper directory must be whole by itself: it is packed without its lowers.
    // `nofollow` is `off`, and does not follow what somebody else wrote either; `userxattr` allows no other.
    for (option, value) in [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")] {
        fsconfig_set_string(overlay.as_fd(), option, value).doing(doing)?;
    }
    if snapshotter == Snapshotter::OverlayUserxattr {
        fsconfig_set_flag(overlay.as_fd(), "userxattr").doing(doing)?;
    }
    if let Some((upper, work)) = upper {
        set_directory(&overlay, "upperdir", upper)?;
        set_directory(&overlay, "workdir", work)?;
        // A snapshot is a cache: after a crash it is made again, so nothing here need reach the disk.
        fsconfig_set_flag(overlay.as_fd(), "volatile").doing(doing)?;
    }
    fsconfig_create(overlay.as_fd()).doing(doing)?;
    let attributes = if upper.is_some() {
        MountAttrFlags::empty()
    } else {
        MountAttrFlags::MOUNT_ATTR_RDONLY
    };
    fsmount(overlay.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).doing(doing)
}

/// By descriptor; kernels before 6.13 want a path, and get the descriptor's.
fn set_directory(overlay: &OwnedFd, key: &str, directory: BorrowedFd<'_>) -> Result<(), Error> {
    let doing = || format!("add \"{key}\" to an overlay");
    match fsconfig_set_fd(overlay.as_fd(), key, directory) {
        Err(Errno::INVAL) => {
            let path = CString::new(format!("/proc/self/fd/{}", directory.as_raw_fd())).map_err(|_| Errno::INVAL);
            path.and_then(|path| fsconfig_set_string(overlay.as_fd(), key, path))
                .doing(doing)
        }
        other => other.doing(doing),
    }
}
