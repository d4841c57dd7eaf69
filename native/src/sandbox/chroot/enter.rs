//! The program's side: into the directory.

use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{chdir, chroot, fchdir};

use crate::error::{Doing, Error};

use super::super::spec::{ROOT, Stubs};
use super::super::target::Root;

/// Makes the directory the root.
pub fn enter(descriptors: &[OwnedFd]) -> Result<Root, Error> {
    let doing = || "enter the root filesystem";
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let names = openat(CWD, "/proc/self/fd", flags, Mode::empty()).doing(|| "open /proc")?;
    let root = descriptors
        .get(ROOT)
        .ok_or_else(|| Error::internal("no root filesystem"))?;
    fchdir(root).doing(doing)?;
    chroot(".").doing(doing)?;
    chdir("/").doing(doing)?;
    let directory = openat(CWD, "/", flags | OFlags::DIRECTORY, Mode::empty()).doing(doing)?;
    Ok(Root {
        directory,
        names,
        stubs: Stubs::default(),
    })
}
