//! How snapshots are put together, found by trying on the store's own filesystem: by the kernel's overlay, else by less.

use std::os::fd::AsFd;

use rustix::fs::{Mode as FileMode, openat};

use crate::error::{Doing, Error};
use crate::layer::marks;
use crate::lease::Lease;
use crate::overlay::{self, Parts};
use crate::protocol::{Downgrade, Mode, Snapshotter};
use crate::session::DIRECTORY;
use crate::store::{Store, make_directory};

/// For users and tests: the only one to be tried.
const VARIABLE: &str = "COOPER_SNAPSHOTTER";

/// The first that works; `None` where none does.
pub fn find(
    mode: Mode,
    store: &Store,
    lease: &Lease,
    downgrades: &mut Vec<Downgrade>,
) -> Result<Option<Snapshotter>, Error> {
    let all = candidates(mode);
    let asked = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty());
    if let Some(asked) = &asked
        && !["overlay", "fuse-overlayfs", "copy"].contains(&asked.as_str())
    {
        return Err(Error::user(
            "ARG_INVALID",
            format!("{VARIABLE} is \"{asked}\", which is no snapshotter"),
        )
        .hint("one of \"overlay\", \"fuse-overlayfs\", \"copy\""));
    }
    for &snapshotter in all
        .iter()
        .filter(|each| asked.as_ref().is_none_or(|asked| name(**each) == asked))
    {
        let Err(error) = attempt(lease, snapshotter) else {
            return Ok(Some(snapshotter));
        };
        let reason = format!("it cannot be used on \"{}\": {error}", store.path().display());
        if asked.is_some() {
            return Err(Error::user(
                "ARG_INVALID",
                format!("{VARIABLE} is \"{}\", and {reason}", name(snapshotter)),
            )
            .hint(format!("unset {VARIABLE}, and see \"cooper doctor\"")));
        }
        downgrades.push(Downgrade {
            rung: name(snapshotter).to_owned(),
            reason,
            hint: Some("a store on another filesystem (--root, COOPER_ROOT)".to_owned()),
        });
    }
    Ok(None)
}

fn name(snapshotter: Snapshotter) -> &'static str {
    match snapshotter {
        Snapshotter::Overlay | Snapshotter::OverlayUserxattr => "overlay",
        Snapshotter::FuseOverlayfs => "fuse-overlayfs",
        Snapshotter::Copy => "copy",
        Snapshotter::None => "none",
    }
}

fn candidates(mode: Mode) -> &'static [Snapshotter] {
    match mode {
        Mode::Root => &[Snapshotter::Overlay, Snapshotter::FuseOverlayfs, Snapshotter::Copy],
        Mode::Pod | Mode::Rootless | Mode::SingleId => &[
            Snapshotter::OverlayUserxattr,
            Snapshotter::FuseOverlayfs,
            Snapshotter::Copy,
        ],
        Mode::Chroot => &[Snapshotter::Copy],
        Mode::Unprivileged => &[],
    }
}

fn attempt(lease: &Lease, snapshotter: Snapshotter) -> Result<(), Error> {
    let mut directories = Vec::new();
    make_directory(lease.temporary.as_fd(), "probe")?;
    for name in ["probe/lower", "probe/upper", "probe/work"] {
        make_directory(lease.temporary.as_fd(), name)?;
        directories.push(openat(&lease.temporary, name, DIRECTORY, FileMode::empty()).doing(|| "open a directory")?);
    }
    if snapshotter == Snapshotter::Copy {
        return marks::try_own(&directories[1]).doing(|| "keep extended attributes");
    }
    if snapshotter == Snapshotter::FuseOverlayfs {
        // It would take files of its own for them, which nobody else reads.
        marks::make_whiteout(&directories[1], b"gone", marks::OPAQUE[0]).doing(|| "make a whiteout")?;
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
