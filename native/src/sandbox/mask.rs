//! Paths of /proc and /sys that a container must not read, or must not write. Source: Docker's defaults (oci-spec's `default` lists).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use crate::error::{Doing, Error};
use crate::resolve::openat2;

use crate::tree::host::names;

use super::device::Devices;
use super::root::{copy, filesystem, set};
use super::target::{is_directory, place};

const HIDDEN: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
/// Each processor's folder, and how often it was too warm. The first has that where any has it. Source: moby, `DefaultLinuxSpec`.
const PROCESSORS: &str = "/sys/devices/system/cpu";
const THERMAL: &str = "thermal_throttle";
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Covers them with what is ours: our null device over files, an empty directory over directories.
pub fn mask(tree: &Tree<'_>, devices: &Devices) -> Result<(), Error> {
    for path in HIDDEN {
        hide(tree, devices, path)?;
    }
    if let Some(cover) = hide(tree, devices, &format!("{PROCESSORS}/cpu0/{THERMAL}"))? {
        hide_others(tree, &cover)?;
    }
    for path in READ_ONLY {
        let Some(target) = tree.find(path)? else { continue };
        let doing = || format!("make \"{path}\" read-only");
        let same = copy(target.as_fd(), true).doing(doing)?;
        set(same.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, true).doing(doing)?;
        place(same.as_fd(), target.as_fd()).doing(doing)?;
    }
    Ok(())
}

/// Machines have many processors: all of them get the cover of the first.
fn hide_others(tree: &Tree<'_>, cover: &OwnedFd) -> Result<(), Error> {
    let doing = || format!("cover \"{THERMAL}\" of a processor");
    let Some(folder) = tree.open(PROCESSORS, OFlags::RDONLY | OFlags::DIRECTORY)? else {
        return Ok(());
    };
    for name in names(&folder).doing(doing)? {
        let name = String::from_utf8_lossy(&name);
        if name == "cpu0" || !name.starts_with("cpu") {
            continue;
        }
        if let Some(target) = tree.find(&format!("{PROCESSORS}/{name}/{THERMAL}"))? {
            let same = copy(cover.as_fd(), false).doing(doing)?;
            place(same.as_fd(), target.as_fd()).doing(doing)?;
        }
    }
    Ok(())
}

/// Gives what covers it, where there is something to hide.
fn hide(tree: &Tree<'_>, devices: &Devices, path: &str) -> Result<Option<OwnedFd>, Error> {
    let Some(target) = tree.find(path)? else {
        return Ok(None);
    };
    let doing = || format!("cover \"{path}\"");
    let cover = if is_directory(target.as_fd())? {
        filesystem(
            "tmpfs",
            &[("size", Some("0")), ("nr_inodes", Some("2")), ("mode", Some("555"))],
            MountAttrFlags::MOUNT_ATTR_RDONLY,
        )
        .doing(doing)?
    } else {
        devices.null()?
    };
    place(cover.as_fd(), target.as_fd()).doing(doing)?;
    Ok(Some(cover))
}

/// One of the trees, before it has its place.
pub struct Tree<'a> {
    pub mount: BorrowedFd<'a>,
    /// Where it will be.
    pub place: &'a str,
}

impl Tree<'_> {
    fn find(&self, path: &str) -> Result<Option<OwnedFd>, Error> {
        self.open(path, OFlags::PATH)
    }

    /// `None` for what lies in the other tree; and not every kernel has all of them.
    fn open(&self, path: &str, flags: OFlags) -> Result<Option<OwnedFd>, Error> {
        let Some(within) = path.strip_prefix(self.place) else {
            return Ok(None);
        };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
        match openat2(self.mount, within, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            // A path that the container cannot reach either: it is the machine's /sys, bound in a user namespace.
            Err(Errno::ACCESS | Errno::PERM) => Ok(None),
            Err(error) => Err(error).doing(|| format!("find \"{path}\"")),
        }
    }
}
