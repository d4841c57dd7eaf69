//! The container's own /dev: a tmpfs with the devices that Docker gives, made before it hangs anywhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, makedev, mkdirat, mknodat, openat, symlinkat};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use crate::error::{Doing, Error};

use super::root::{copy, filesystem};
use super::target::{Root, place};

/// Name and numbers. Source: the kernel's admin-guide/devices.txt.
const NODES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];
/// As Docker's default.
const SHM_SIZE: &str = "67108864";

pub struct Devices {
    /// The tmpfs.
    pub directory: OwnedFd,
    /// Filesystems to hang below it, by name.
    inner: Vec<(&'static str, OwnedFd)>,
    /// Copies of the machine's nodes, where we may make none.
    bound: Vec<(&'static str, OwnedFd)>,
}

impl Devices {
    pub fn prepare(user_namespace: bool) -> Result<Self, Error> {
        let doing = || "make /dev";
        let plain = MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC);
        let options = [("mode", Some("755")), ("size", Some("65536k"))];
        let directory = filesystem("tmpfs", &options, plain | MountAttrFlags::MOUNT_ATTR_STRICTATIME).doing(doing)?;
        for (name, target) in LINKS {
            symlinkat(target, &directory, name).doing(doing)?;
        }
        let mut bound = Vec::new();
        for (name, major, minor) in NODES {
            let node = if user_namespace {
                (FileType::RegularFile, 0)
            } else {
                (FileType::CharacterDevice, makedev(major, minor))
            };
            mknodat(&directory, name, node.0, Mode::from_raw_mode(0o666), node.1).doing(doing)?;
            if user_namespace {
                let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
                bound.push((name, open_tree(CWD, format!("/dev/{name}"), flags).doing(doing)?));
            }
        }
        let harmless = plain | MountAttrFlags::MOUNT_ATTR_NODEV;
        let terminals = [
            ("newinstance", None),
            ("ptmxmode", Some("0666")),
            ("mode", Some("0620")),
            ("gid", Some("5")),
        ];
        let shared = [("mode", Some("1777")), ("size", Some(SHM_SIZE))];
        let inner = vec![
            (
                "pts",
                filesystem("devpts", &terminals, plain).doing(|| "make /dev/pts")?,
            ),
            ("shm", filesystem("tmpfs", &shared, harmless).doing(|| "make /dev/shm")?),
            (
                "mqueue",
                filesystem("mqueue", &[], harmless).doing(|| "make /dev/mqueue")?,
            ),
        ];
        for (name, _) in &inner {
            mkdirat(&directory, *name, Mode::from_raw_mode(0o755)).doing(doing)?;
        }
        Ok(Self {
            directory,
            inner,
            bound,
        })
    }

    /// Once /dev hangs in its place, the mounts below it can.
    pub fn finish(&self, root: &mut Root) -> Result<(), Error> {
        for (name, mount) in self.inner.iter().chain(&self.bound) {
            let target = self.open(name)?;
            place(mount.as_fd(), target.as_fd()).doing(|| format!("mount /dev/{name}"))?;
        }
        // Nothing of these is a stub in the image: they lie on the tmpfs.
        debug_assert!(
            root.stubs.made.iter().all(|stub| !stub.starts_with("dev/")),
            "stubs below /dev"
        );
        Ok(())
    }

    /// A detached copy of our own null device, to cover files with. Never the image's: that may be anything.
    pub fn null(&self) -> Result<OwnedFd, Error> {
        let null = match self.bound.iter().find(|(name, _)| *name == "null") {
            Some((_, mount)) => return copy(mount.as_fd(), false).doing(|| "copy /dev/null"),
            None => self.open("null")?,
        };
        copy(null.as_fd(), false).doing(|| "copy /dev/null")
    }

    fn open(&self, name: &str) -> Result<OwnedFd, Error> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(self.directory.as_fd(), name, flags, Mode::empty()).doing(|| format!("open /dev/{name}"))
    }

    pub fn stat(&self) -> Result<Stat, Error> {
        let directory: BorrowedFd<'_> = self.directory.as_fd();
        fstat(directory).doing(|| "stat /dev")
    }
}
