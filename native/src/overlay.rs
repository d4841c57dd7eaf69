//! Overlay mounts by descriptor. A mount made here is detached: it is in no place until it is moved to one, and gone with its descriptor.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, MountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_reconfigure, fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, fspick, open_tree,
    unmount,
};

use crate::context::lock;
use crate::digest::LayerRef;
use crate::error::{Doing, Error};
use crate::fuse;
use crate::protocol::Snapshotter;
use crate::sandbox::idmap::Idmap;
use crate::session::{DIRECTORY, Session, Snapshot};
use crate::snapshots::flatten;
use crate::store::make_directory;

/// Layers that the kernel takes in one mount, less those that we add.
const MOST_LAYERS: usize = 490;

/// The filesystem of a chain, read-only and detached. Read it by openat2 beneath the descriptor, or move it somewhere.
pub fn mount_chain(session: &Session, chain: &[LayerRef], ids: Option<&Idmap>) -> Result<OwnedFd, Error> {
    let lowers = lowers(session, chain)?;
    match ids {
        None => mount_in(session, &lowers, None),
        Some(ids) => ids.mount_overlay(session.snapshotter, &lowers, None, session.temporary()),
    }
}

/// A chain with a snapshot of this session on top, which takes all changes.
pub fn mount_active(
    session: &Session,
    chain: &[LayerRef],
    upper: &Snapshot,
    ids: Option<&Idmap>,
) -> Result<OwnedFd, Error> {
    let work = format!("{}/work", upper.name);
    make_directory(session.temporary(), &work)?;
    if let Some(ids) = ids {
        let folder = openat(session.temporary(), &upper.name, DIRECTORY, Mode::empty());
        let folder = folder.doing(|| "open the folder of a snapshot")?;
        let upper = Some(folder.as_fd());
        return ids.mount_overlay(
            session.snapshotter,
            &lowers(session, chain)?,
            upper,
            session.temporary(),
        );
    }
    let work = openat(session.temporary(), &work, DIRECTORY, Mode::empty()).doing(|| "open a work directory")?;
    mount_in(
        session,
        &lowers(session, chain)?,
        Some((upper.fs.as_fd(), work.as_fd())),
    )
}

fn mount_in(
    session: &Session,
    lowers: &[OwnedFd],
    upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
) -> Result<OwnedFd, Error> {
    mount(&Parts {
        snapshotter: session.snapshotter,
        lowers,
        upper,
        temporary: session.temporary(),
    })
}

/// Base first. An empty directory is added where the kernel wants one more: it refuses none, and one without an upper.
fn lowers(session: &Session, chain: &[LayerRef]) -> Result<Vec<OwnedFd>, Error> {
    let mut layers = distinct(flatten::directories(session, chain)?)?;
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

/// What an overlay is made of.
pub struct Parts<'a> {
    pub snapshotter: Snapshotter,
    /// Base first.
    pub lowers: &'a [OwnedFd],
    /// The directory that takes what is written, and its work directory; without them the mount is read-only.
    pub upper: Option<(BorrowedFd<'a>, BorrowedFd<'a>)>,
    /// A folder of ours, for kernels that can mount only in some place.
    pub temporary: BorrowedFd<'a>,
}

/// An upper directory must be whole by itself: it is packed without its lowers. `nofollow` is `off`, and does not follow what somebody else
/// wrote either; `userxattr` allows no other.
const OPTIONS: [(&str, &str); 3] = [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")];

pub fn mount(parts: &Parts<'_>) -> Result<OwnedFd, Error> {
    if parts.snapshotter == Snapshotter::FuseOverlayfs {
        return fuse::mount(parts);
    }
    let doing = || "mount an overlay";
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).doing(doing)?;
    fsconfig_set_string(overlay.as_fd(), "source", "cooper").doing(doing)?;
    // The kernel wants the top layer first.
    for lower in parts.lowers.iter().rev() {
        match set_directory(&overlay, "lowerdir+", lower.as_fd()) {
            // Before 6.8 layers cannot be given one by one.
            Err(Errno::INVAL) => return mount_by_path(parts),
            other => other.doing(doing)?,
        }
    }
    for (option, value) in OPTIONS {
        fsconfig_set_string(overlay.as_fd(), option, value).doing(doing)?;
    }
    if parts.snapshotter == Snapshotter::OverlayUserxattr {
        fsconfig_set_flag(overlay.as_fd(), "userxattr").doing(doing)?;
    }
    if let Some((upper, work)) = parts.upper {
        set_directory(&overlay, "upperdir", upper).doing(doing)?;
        set_directory(&overlay, "workdir", work).doing(doing)?;
        // A snapshot is a cache: after a crash it is made again, so nothing here need reach the disk.
        fsconfig_set_flag(overlay.as_fd(), "volatile").doing(doing)?;
    }
    fsconfig_create(overlay.as_fd()).doing(doing)?;
    let attributes = if parts.upper.is_some() {
        MountAttrFlags::empty()
    } else {
        MountAttrFlags::MOUNT_ATTR_RDONLY
    };
    fsmount(overlay.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).doing(doing)
}

/// How often, and how long between, a file is waited for that is still open for writing: the kernel may be about to close it.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// Ends all writing to an overlay, by whatever descriptor. A program can hand one to a program of another container, through a socket in a cache
/// mount, and that one outlives it: what it wrote afterwards would be in a layer that has its digest already. `false`: a file is open for writing.
pub fn freeze(mount: BorrowedFd<'_>) -> Result<bool, Error> {
    let doing = || "make an overlay read-only";
    let overlay = fspick(mount, "", FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH).doing(doing)?;
    fsconfig_set_flag(overlay.as_fd(), "ro").doing(doing)?;
    for _ in 0..TRIES {
        match fsconfig_reconfigure(overlay.as_fd()) {
            Err(Errno::BUSY) => thread::sleep(PAUSE),
            other => return other.map(|()| true).doing(doing),
        }
    }
    Ok(false)
}

/// One mount at a time in the place that all share.
static PLACE: Mutex<()> = Mutex::new(());

/// By mount(2), with the descriptors as paths in one string of at most a page. What hangs is copied, detached, and taken down again.
fn mount_by_path(parts: &Parts<'_>) -> Result<OwnedFd, Error> {
    let doing = || "mount an overlay by path";
    let path = |directory: BorrowedFd<'_>| format!("/proc/self/fd/{}", directory.as_raw_fd());
    let lowers: Vec<_> = parts.lowers.iter().rev().map(|lower| path(lower.as_fd())).collect();
    let mut options = vec![format!("lowerdir={}", lowers.join(":"))];
    options.extend(OPTIONS.map(|(option, value)| format!("{option}={value}")));
    if parts.snapshotter == Snapshotter::OverlayUserxattr {
        options.push("userxattr".to_owned());
    }
    let mut flags = MountFlags::RDONLY;
    if let Some((upper, work)) = parts.upper {
        options.push(format!("upperdir={},workdir={},volatile", path(upper), path(work)));
        flags = MountFlags::empty();
    }
    let options = CString::new(options.join(",")).map_err(|_| Error::internal("a mount option holds a NUL"))?;
    make_directory(parts.temporary, "overlay")?;
    let open = || {
        openat(
            parts.temporary,
            "overlay",
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .doing(doing)
    };
    let _alone = lock(&PLACE);
    let place = open()?;
    rustix::mount::mount("cooper", path(place.as_fd()), "overlay", flags, options.as_c_str()).doing(doing)?;
    let mounted = open()?;
    let tree = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let detached = open_tree(&mounted, c"", tree).doing(doing);
    unmount(path(mounted.as_fd()), UnmountFlags::DETACH).doing(doing)?;
    detached
}

/// By descriptor; kernels before 6.13 want a path, and get the descriptor's.
fn set_directory(overlay: &OwnedFd, key: &str, directory: BorrowedFd<'_>) -> rustix::io::Result<()> {
    match fsconfig_set_fd(overlay.as_fd(), key, directory) {
        Err(Errno::INVAL) => {
            let path = CString::new(format!("/proc/self/fd/{}", directory.as_raw_fd())).map_err(|_| Errno::INVAL)?;
            fsconfig_set_string(overlay.as_fd(), key, path)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, mkdirat};
    use rustix::mount::{MountPropagationFlags, mount_change};
    use rustix::thread::UnshareFlags;

    /// Both ways on whatever kernel runs the test. In a mount namespace of the test's own thread.
    #[test]
    fn mounts_by_descriptor_and_by_path_are_the_same() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        crate::syscalls::unshare(UnshareFlags::NEWNS).unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        for by in [mount, mount_by_path] {
            let folder = tempfile::tempdir().unwrap();
            let temporary = openat(CWD, folder.path(), DIRECTORY, Mode::empty()).unwrap();
            let open = |name: &str| {
                mkdirat(&temporary, name, Mode::RWXU).unwrap();
                openat(&temporary, name, DIRECTORY, Mode::empty()).unwrap()
            };
            let lowers = [open("base"), open("top")];
            mkdirat(&lowers[0], "of-base", Mode::RWXU).unwrap();
            mkdirat(&lowers[1], "of-top", Mode::RWXU).unwrap();
            let (upper, work) = (open("upper"), open("work"));
            let upper = Some((upper.as_fd(), work.as_fd()));
            let parts = Parts {
                snapshotter: Snapshotter::Overlay,
                lowers: &lowers,
                upper,
                temporary: temporary.as_fd(),
            };
            let mounted = by(&parts).unwrap();
            for name in ["of-base", "of-top"] {
                assert!(
                    rustix::fs::statat(&mounted, name, rustix::fs::AtFlags::empty()).is_ok(),
                    "{name}"
                );
            }
            mkdirat(&mounted, "new", Mode::RWXU).unwrap();
            assert!(folder.path().join("upper/new").is_dir());
            let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            assert!(
                !mounts.contains(folder.path().to_str().unwrap()),
                "nothing hangs anywhere"
            );
        }
    }
}
