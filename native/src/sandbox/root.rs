//! The container's filesystem, assembled by descriptor: every mount is made detached, the machine is left by pivot_root, and only then is
//! anything hung into the image, which cannot lead anywhere else any more. What does not come from the image is made before that is there.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, fstatfs, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change, open_tree, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};

use crate::error::{Doing, Error};
use crate::resolve::openat2;
use crate::syscalls::mount_setattr;

use super::cgroup::view;
use super::device::Devices;
use super::mask::{self, Tree};
use super::passed_device;
use super::proc;
use super::spec::{self, Program, ROOT, Spec};
use super::target::{Root, find_part, is_directory, place};
use super::terminal::Terminal;

pub const HARMLESS: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);
pub const PROC_MAGIC: i64 = 0x9fa0;
pub const SYSFS_MAGIC: i64 = 0x6265_6572;

/// What a container has whatever its image is: whole trees, which hang among the machine's mounts.
pub struct Own {
    names: OwnedFd,
    /// To hang mounts on before they have their place. Opened first, as the container's own trees may come to hang above it.
    staging: OwnedFd,
    proc: OwnedFd,
    sys: OwnedFd,
    devices: Devices,
}

impl Own {
    /// `nodes` has the devices, where others had to make them.
    pub fn make(spec: &Spec, nodes: Option<BorrowedFd<'_>>) -> Result<Self, Error> {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).doing(|| "make the mounts private")?;
        let names =
            openat(CWD, "/proc/self/fd", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(|| "open /proc")?;
        let staging = open_place(&spec.staging).doing(|| "open a folder for mounts")?;
        // What needs the machine's view is made before anything hangs over it.
        let proc = proc::make(spec)?;
        let sys = sysfs(spec.insecure).doing(|| "mount /sys")?;
        let devices = Devices::prepare(spec, nodes)?.complete()?;
        let masks = |mount: BorrowedFd<'_>, place: &str| {
            if spec.security.masks {
                mask::mask(&Tree { mount, place }, &devices)?;
            }
            Ok(())
        };
        fill(&proc, "/proc", |proc| masks(proc, "/proc"))?;
        fill(&sys, "/sys", |sys| {
            view::attach(sys, &spec.cgroups, spec.insecure)?;
            masks(sys, "/sys")
        })?;
        Ok(Self {
            names,
            staging,
            proc,
            sys,
            devices,
        })
    }

    /// Makes the root, enters it, and hangs everything into it. Gives it, its null device, open for reading, and its terminal.
    pub fn assemble(
        mut self,
        spec: &Spec,
        program: &Program,
        descriptors: &[OwnedFd],
        supervisor: &UnixStream,
    ) -> Result<(Root, OwnedFd, Option<Terminal>), Error> {
        for tree in [&mut self.proc, &mut self.sys, &mut self.devices.directory] {
            // Now, and not before: mounts are listed in the order in which they were made, and the root is to be the first.
            *tree = copy(tree.as_fd(), true).doing(|| "copy the container's own mounts")?;
        }
        let mounts = prepare_all(spec, (program, descriptors), self.staging.as_fd())?;
        let root = descriptors
            .get(ROOT)
            .ok_or_else(|| Error::internal("no root filesystem"))?;
        enter(root.as_fd(), spec, self.staging)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, "/", flags, Mode::empty()).doing(|| "open the root")?;
        let mut root = Root {
            directory,
            names: self.names,
            stubs: spec::Stubs::default(),
        };
        attach_own(&mut root, self.proc.as_fd(), "/proc")?;
        attach_own(&mut root, self.sys.as_fd(), "/sys")?;
        attach_own(&mut root, self.devices.directory.as_fd(), "/dev")?;
        let null = self.devices.open_null()?;
        let terminal = spec
            .terminal
            .map(|size| self.devices.open_terminal(size, supervisor))
            .transpose()?;
        for (mount, descriptor) in program.mounts.iter().zip(&mounts) {
            attach_asked(&mut root, descriptor.as_fd(), mount, &self.devices)?;
        }
        Ok((root, null, terminal))
    }
}

/// Hangs mounts into a detached one. For that it hangs somewhere itself (until 6.15 it has to), and goes there with the machine's mounts: where no
/// other does, which a copy would have too.
pub fn fill(
    mount: &OwnedFd,
    place: &str,
    filling: impl FnOnce(BorrowedFd<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    hang(mount.as_fd(), place).doing(|| "make the container's own mounts")?;
    filling(mount.as_fd())
}

/// A new, detached filesystem with options (`None`: a flag).
pub fn filesystem(
    kind: &str,
    options: &[(&str, Option<&str>)],
    attributes: MountAttrFlags,
) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        match value {
            Some(value) => fsconfig_set_string(context.as_fd(), *key, *value)?,
            None => fsconfig_set_flag(context.as_fd(), *key)?,
        }
    }
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// A detached copy of the mount at an open place (and of those below it).
pub fn copy(place: BorrowedFd<'_>, recursive: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(place, c"", flags)
}

/// On the machine's network in a user namespace no sysfs can be made; then it is the machine's, read-only.
fn sysfs(writable: bool) -> rustix::io::Result<OwnedFd> {
    let readonly = if writable {
        MountAttrFlags::empty()
    } else {
        MountAttrFlags::MOUNT_ATTR_RDONLY
    };
    match filesystem("sysfs", &[], HARMLESS | readonly) {
        Err(Errno::PERM) => {
            let machine = openat(CWD, "/sys", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            let sys = copy(machine.as_fd(), true)?;
            set(sys.as_fd(), HARMLESS | readonly, true)?;
            Ok(sys)
        }
        other => other,
    }
}

pub fn set(mount: BorrowedFd<'_>, attributes: MountAttrFlags, recursive: bool) -> rustix::io::Result<()> {
    mount_setattr(mount, attributes.bits().into(), recursive)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn prepare_all(
    spec: &Spec,
    (program, descriptors): (&Program, &[OwnedFd]),
    staging: BorrowedFd<'_>,
) -> Result<Vec<OwnedFd>, Error> {
    let mut hanging = BTreeSet::new();
    let mut prepared = Vec::with_capacity(program.mounts.len());
    for mount in &program.mounts {
        let whole = descriptors
            .get(mount.descriptor)
            .ok_or_else(|| Error::internal("a mount without descriptor"))?;
        let doing = || format!("prepare the mount at \"{}\"", mount.target);
        // Only of a mount that hangs somewhere can a part be copied.
        if mount.within.is_some() && hanging.insert(mount.descriptor) {
            place(whole.as_fd(), staging).doing(doing)?;
        }
        let own = match &mount.within {
            None => whole.try_clone().doing(doing)?,
            Some(path) => copy(find_part(whole, path, &mount.target)?.as_fd(), false).doing(doing)?,
        };
        let readonly = if mount.readonly {
            MountAttrFlags::MOUNT_ATTR_RDONLY
        } else {
            MountAttrFlags::empty()
        };
        let attributes = if mount.device.is_some() {
            passed_device::ATTRIBUTES
        } else {
            readonly | nodev(spec)
        };
        set(own.as_fd(), attributes, true).doing(doing)?;
        prepared.push(own);
    }
    Ok(prepared)
}

/// Hangs a detached mount somewhere: of no other can a part be copied.
pub fn hang(mount: BorrowedFd<'_>, staging: &str) -> rustix::io::Result<()> {
    place(mount, open_place(staging)?.as_fd())
}

fn open_place(path: &str) -> rustix::io::Result<OwnedFd> {
    openat(
        CWD,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// Who was allowed to be insecure may open devices.
fn nodev(spec: &Spec) -> MountAttrFlags {
    if spec.insecure {
        MountAttrFlags::empty()
    } else {
        MountAttrFlags::MOUNT_ATTR_NODEV
    }
}

/// Leaves the machine: afterwards the root is the container's, and there is no way back.
fn enter(root: BorrowedFd<'_>, spec: &Spec, staging: OwnedFd) -> Result<(), Error> {
    let doing = || "enter the root filesystem";
    // Nodes of the image, and those that the program makes, open nothing of the machine: no cgroup of devices is needed.
    set(root, nodev(spec), false).doing(doing)?;
    place(root, staging.as_fd()).doing(doing)?;
    // Of the machine: what is open there would hold it.
    drop(staging);
    fchdir(root).doing(doing)?;
    pivot_root(".", ".").doing(doing)?;
    // The old root lies over the new one now.
    unmount(".", UnmountFlags::DETACH).doing(doing)?;
    chdir("/").doing(doing)
}

/// `/proc`, `/sys` and `/dev` must be what they say: a symlink of the image in their place is an attack.
fn attach_own(root: &mut Root, mount: BorrowedFd<'_>, path: &str) -> Result<(), Error> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    let invalid = |what| {
        Err(Error::user(
            "IMAGE_INVALID",
            format!("\"{path}\" is {what} in the image"),
        ))
    };
    match openat2(&root.directory, path, flags, Mode::empty(), resolve) {
        Ok(there) if is_directory(there.as_fd())? => {
            place(mount, there.as_fd()).doing(|| format!("mount at \"{path}\""))
        }
        Ok(_) => invalid("not a directory"),
        Err(Errno::NOENT) => root.attach(mount, path, |_| Ok(())),
        Err(_) => invalid("a symlink"),
    }
}

/// A mount that was asked for. None may hide what keeps the container in.
fn attach_asked(root: &mut Root, mount: BorrowedFd<'_>, asked: &spec::Mount, devices: &Devices) -> Result<(), Error> {
    let dev = devices.stat()?;
    root.attach(mount, &asked.target, |target| {
        let magic = fstatfs(target).doing(|| "stat a mount target")?.f_type as i64;
        let there = fstat(target).doing(|| "stat a mount target")?;
        let is_dev = (there.st_dev, there.st_ino) == (dev.st_dev, dev.st_ino);
        if magic == PROC_MAGIC || magic == SYSFS_MAGIC || is_dev {
            return Err(
                Error::user("UNSUPPORTED", format!("nothing can be mounted at \"{}\"", asked.target))
                    .hint("/proc, /sys and /dev belong to the container"),
            );
        }
        Ok(())
    })
}
