//! `/sys/fs/cgroup` of a container, as runc makes it: what the machine has, with the container's own cgroup as the root, read-only.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error};
use crate::resolve::openat2;

use super::super::root::{HARMLESS, filesystem, set};
use super::super::target::place;
use super::hierarchy::{self, Version};

/// A tree to be shown: `controllers` is empty for version 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    name: String,
    controllers: Vec<String>,
}

/// What there is on the machine. It stays the same, so it is asked for once.
pub fn shown() -> Vec<Shown> {
    let hierarchies = hierarchy::find(Path::new("/proc/self")).unwrap_or_default();
    let name = |mount: &Path| mount.file_name().map(|name| name.to_string_lossy().into_owned());
    hierarchies
        .into_iter()
        .filter_map(|hierarchy| {
            let controllers = if hierarchy.version == Version::V1 {
                hierarchy.controllers
            } else {
                Vec::new()
            };
            Some(Shown {
                name: name(&hierarchy.mount)?,
                controllers,
            })
        })
        .collect()
}

/// Hangs them below a /sys that is in its place. Programs take what is missing for no limit, so a tree that the kernel refuses is left out.
pub fn attach(sys: BorrowedFd<'_>, shown: &[Shown], writable: bool) -> Result<(), Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let target = match openat2(sys, "fs/cgroup", flags, Mode::empty(), resolve) {
        Ok(target) => target,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error).doing(|| "find /sys/fs/cgroup"),
    };
    let doing = || "mount /sys/fs/cgroup";
    let readonly = if writable {
        MountAttrFlags::empty()
    } else {
        MountAttrFlags::MOUNT_ATTR_RDONLY
    };
    if let [Shown { controllers, .. }] = shown
        && controllers.is_empty()
    {
        return match filesystem("cgroup2", &[], HARMLESS | readonly) {
            Ok(tree) => place(tree.as_fd(), target.as_fd()).doing(doing),
            Err(_) => Ok(()),
        };
    }
    let folder = filesystem("tmpfs", &[("mode", Some("755")), ("size", Some("64k"))], HARMLESS).doing(doing)?;
    place(folder.as_fd(), target.as_fd()).doing(doing)?;
    for tree in shown {
        if let Ok(mount) = mount(tree, HARMLESS | readonly) {
            hang(folder.as_fd(), tree, mount).doing(doing)?;
        }
    }
    set(folder.as_fd(), readonly, false).doing(doing)
}

fn mount(tree: &Shown, attributes: MountAttrFlags) -> rustix::io::Result<OwnedFd> {
    let option = |name| match str::split_once(name, '=') {
        Some((key, value)) => (key, Some(value)),
        None => (name, None),
    };
    let options: Vec<_> = tree.controllers.iter().map(|name| option(name)).collect();
    filesystem(
        if tree.controllers.is_empty() {
            "cgroup2"
        } else {
            "cgroup"
        },
        &options,
        attributes,
    )
}

/// Controllers that share a tree are found by their own names too.
fn hang(folder: BorrowedFd<'_>, tree: &Shown, mount: OwnedFd) -> rustix::io::Result<()> {
    mkdirat(folder, &tree.name, Mode::from_raw_mode(0o755))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    place(mount.as_fd(), openat(folder, &tree.name, flags, Mode::empty())?.as_fd())?;
    for name in tree
        .controllers
        .iter()
        .filter(|name| tree.controllers.len() > 1 && **name != tree.name)
    {
        symlinkat(&tree.name, folder, name)?;
    }
    Ok(())
}
