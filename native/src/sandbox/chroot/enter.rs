//! The program's side: into the directory.

use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::pipe::{PipeFlags, pipe_with};
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

/// For standard input that there is none of: the program's own null device, never the container's, whose mode and owner root could change. Where
/// it cannot be opened, a pipe that has ended is as empty.
pub fn open_null(root: &Root) -> Result<OwnedFd, Error> {
    match root.open_file("/dev/null") {
        Ok(null) => Ok(null),
        Err(_) => pipe_with(PipeFlags::CLOEXEC)
            .map(|(reading, _)| reading)
            .doing(|| "make a pipe"),
    }
}
