//! The container's own /dev: a tmpfs with the devices that Docker gives, made before it hangs anywhere.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid, chmodat, chownat, fstat, makedev, mkdirat, mknodat, openat,
    statat, symlinkat,
};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use crate::error::{Doing, Error};
use crate::protocol::Tty;

use super::root::{copy, filesystem, fill, hang, set};
use super::spec::Spec;
use super::target::place;
use super::terminal::Terminal;

/// Name and numbers. Source: the kernel's admin-guide/devices.txt.
pub const NODES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
const MACHINE_NODES: [(&str, u32, u32); 6] = [
    ("kmsg", 1, 11),
    ("cuse", 10, 203),
    ("fuse", 10, 229),
    ("kvm", 10, 232),
    ("net/tun", 10, 200),
    ("loop-control", 10, 237),
];
const LOOP_MAJOR: u32 = 7;
const LOOPS: u32 = 16;
pub const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];
/// As Docker's default.
const SHM_BYTES: u64 = 64 * 1024 * 1024;

pub struct Devices {
    /// The tmpfs; once it is complete, with all that hangs below it.
    pub directory: OwnedFd,
    /// Filesystems to hang below it, by name.
    inner: Vec<(&'static str, OwnedFd)>,
    /// The nodes, each a mount of its own: they are all that can be opened, as everything else in the container is mounted nodev.
    nodes: Vec<(&'static str, OwnedFd)>,
}

impl Devices {
    /// `nodes` has the devices, where others had to make them (`make_folder`).
    pub fn prepare(spec: &Spec, nodes: Option<BorrowedFd<'_>>) -> Result<Self, Error> {
        let (user_namespace, insecure) = (spec.user_namespace, spec.insecure);
        let doing = || "make /dev";
        let plain = MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC);
        let options = [("mode", Some("755")), ("size", Some("65536k"))];
        // A program may make nodes of any device, as in Docker, but opens none of them: here neither.
        let harmless = if insecure {
            plain
        } else {
            plain | MountAttrFlags::MOUNT_ATTR_NODEV
        };
        // What lies in /dev itself may be executed, as in Docker: /dev/zero is mapped so by programs that make code.
        let executable = (harmless - MountAttrFlags::MOUNT_ATTR_NOEXEC) | MountAttrFlags::MOUNT_ATTR_STRICTATIME;
        let directory = filesystem("tmpfs", &options, executable).doing(doing)?;
        // Where the kernel has no image of its memory, runc makes no name for it either.
        let there = |name: &str| name != "core" || statat(CWD, "/proc/kcore", AtFlags::empty()).is_ok();
        for (name, target) in LINKS.into_iter().filter(|(name, _)| there(name)) {
            symlinkat(target, &directory, name).doing(doing)?;
        }
        for (name, ..) in NODES {
            mknodat(&directory, name, FileType::RegularFile, Mode::from_raw_mode(0o666), 0).doing(doing)?;
        }
        if insecure && !user_namespace {
            make_machine_nodes(&directory).doing(doing)?;
        }
        let nodes = match nodes {
            Some(folder) => hang(folder, &spec.staging).and_then(|()| copies(folder)),
            None if user_namespace => copy_nodes(c"/dev"),
            None => make_nodes(&spec.staging),
        };
        let nodes = nodes.doing(doing)?;
        let inner = inner_filesystems(spec, plain, harmless)?;
        for (name, _) in &inner {
            mkdirat(&directory, *name, Mode::from_raw_mode(0o755)).doing(doing)?;
        }
        Ok(Self {
            directory,
            inner,
            nodes,
        })
    }

    /// With the mounts below it in their places.
    pub fn complete(self) -> Result<Self, Error> {
        fill(&self.directory, "/dev", |_| {
            for (name, mount) in self.inner.iter().chain(&self.nodes) {
                let target = self.open(name)?;
                place(mount.as_fd(), target.as_fd()).doing(|| format!("mount /dev/{name}"))?;
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// Once the rest is there: a terminal, which is /dev/console too, as runc has it.
    pub fn open_terminal(&self, size: Tty, supervisor: &UnixStream) -> Result<Terminal, Error> {
        let doing = || "make /dev/console";
        // That which hangs in its place: the terminal has a name there.
        let devpts = self.open("pts")?;
        let terminal = Terminal::open(devpts.as_fd(), size, supervisor)?;
        let mode = Mode::from_raw_mode(0o600);
        mknodat(&self.directory, "console", FileType::RegularFile, mode, 0).doing(doing)?;
        let console = copy(terminal.slave.as_fd(), false).doing(doing)?;
        place(console.as_fd(), self.open("console")?.as_fd()).doing(doing)?;
        Ok(terminal)
    }

    /// A detached copy of our own null device, to cover files with. Never the image's: that may be anything.
    pub fn null(&self) -> Result<OwnedFd, Error> {
        let null = self.nodes.iter().find(|(name, _)| *name == "null");
        let (_, null) = null.ok_or_else(|| Error::internal("no null device"))?;
        copy(null.as_fd(), false).doing(|| "copy /dev/null")
    }

    /// For standard input that there is none of: by the machine's, which the worker has open, a container's root could change the mode and the
    /// owner of the machine's node.
    pub fn open_null(&self) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.directory, "null", flags, Mode::empty()).doing(|| "open /dev/null")
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

/// What is mounted below /dev besides its nodes.
fn inner_filesystems(
    spec: &Spec,
    plain: MountAttrFlags,
    harmless: MountAttrFlags,
) -> Result<Vec<(&'static str, OwnedFd)>, Error> {
    let mut terminals = vec![
        ("newinstance", None),
        ("ptmxmode", Some("0666")),
        ("mode", Some("0620")),
    ];
    // Where there is one id, this is none.
    if !spec.emulate_ids {
        terminals.push(("gid", Some("5")));
    }
    let shm_bytes = spec.shm_bytes.unwrap_or(SHM_BYTES).to_string();
    let shared = [("mode", Some("1777")), ("size", Some(shm_bytes.as_str()))];
    let make = |name, kind, options: &[_], attributes| {
        let made = filesystem(kind, options, attributes);
        made.map(|mount| (name, mount)).doing(|| format!("make /dev/{name}"))
    };
    Ok(vec![
        make("pts", "devpts", &terminals, plain)?,
        make("shm", "tmpfs", &shared, harmless)?,
        make("mqueue", "mqueue", &[], harmless)?,
    ])
}

/// The container's own nodes, so that what it does to their mode or owner changes nobody else's.
fn make_nodes(staging: &str) -> rustix::io::Result<Vec<(&'static str, OwnedFd)>> {
    let folder = make_folder(0)?;
    // Only of a mount that hangs somewhere can a part be copied. It goes with the old root.
    hang(folder.as_fd(), staging)?;
    copies(folder.as_fd())
}

/// The nodes on a detached filesystem of their own, which is the machine's: on one that was made in a user namespace none can be opened.
pub fn make_folder(owner: u32) -> rustix::io::Result<OwnedFd> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID;
    let folder = filesystem("tmpfs", &[("mode", Some("755")), ("size", Some("0"))], attributes)?;
    let (uid, gid) = (Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)));
    for (name, major, minor) in NODES {
        let mode = Mode::from_raw_mode(0o666);
        mknodat(&folder, name, FileType::CharacterDevice, mode, makedev(major, minor))?;
        // Whatever the umask is.
        chmodat(&folder, name, mode, AtFlags::empty())?;
        if owner != 0 {
            chownat(&folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(folder)
}

/// What mounting filesystems and running machines takes. They need not be there. Source: BuildKit, `WithInsecureSpec`.
fn make_machine_nodes(directory: &OwnedFd) -> rustix::io::Result<()> {
    mkdirat(directory, "net", Mode::from_raw_mode(0o755))?;
    let mode = Mode::from_raw_mode(0o666);
    for (name, major, minor) in MACHINE_NODES {
        mknodat(directory, name, FileType::CharacterDevice, mode, makedev(major, minor))?;
    }
    for number in 0..LOOPS {
        let device = makedev(LOOP_MAJOR, number);
        mknodat(directory, format!("loop{number}"), FileType::BlockDevice, mode, device)?;
    }
    Ok(())
}

/// In a user namespace no node can be made, and the machine's belong to nobody there; or to the container's root, where the machine is itself a
/// container. Read-only mounts are written to as devices are, but keep mode, owner and times.
fn copy_nodes(folder: &CStr) -> rustix::io::Result<Vec<(&'static str, OwnedFd)>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let nodes = copies(openat(CWD, folder, flags, Mode::empty())?.as_fd())?;
    for (_, node) in &nodes {
        set(node.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, false)?;
    }
    Ok(nodes)
}

fn copies(folder: BorrowedFd<'_>) -> rustix::io::Result<Vec<(&'static str, OwnedFd)>> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let copied = NODES.map(|(name, ..)| open_tree(folder, name, flags).map(|node| (name, node)));
    copied.into_iter().collect()
}
