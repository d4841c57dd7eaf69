//! /proc of a container. Where the kernel refuses a new one (something covers a part of ours, and we are in a user namespace) it is ours, bound:
//! it shows the processes that we see. What lies behind them stays closed: those outside of our user namespace are another namespace's, and
//! the worker has capabilities that no container gets. Only steps that run at the same time can look into each other.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::thread::CapabilitySet;

use crate::context::RequestContext;
use crate::error::{Doing, Error};
use crate::session::Session;

use super::root::{HARMLESS, copy, filesystem, set};
use super::security::Security;
use super::spec::Spec;

/// Made (or opened) before the machine is left: a procfs in a user namespace wants to see another.
pub fn make(spec: &Spec) -> Result<OwnedFd, Error> {
    if !spec.bind_proc {
        return filesystem("proc", &[], HARMLESS).doing(|| "mount /proc");
    }
    let doing = || "bind /proc";
    let ours = openat(CWD, "/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(doing)?;
    // With what covers parts of it: the kernel gives it no other way.
    let bound = copy(ours.as_fd(), true).doing(doing)?;
    set(bound.as_fd(), HARMLESS, true).doing(doing)?;
    Ok(bound)
}

/// Refuses what would open the processes that are shown; says once that they are.
pub fn check(session: &Session, security: &Security, request: &RequestContext) -> Result<(), Error> {
    let asked = CapabilitySet::from_bits_retain(security.capabilities);
    if asked.contains(CapabilitySet::SYS_PTRACE) || security.insecure {
        let message = "a container that sees the builder's /proc cannot have CAP_SYS_PTRACE, nor be insecure";
        return Err(Error::user("PRIVILEGE_MISSING", message).hint(HINT));
    }
    if session.containers.proc_told.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    request.warn(format!(
        "no /proc can be mounted here: containers see the processes around cooper, and steps that run together each other ({HINT})"
    ))
}

/// For `doctor` too.
pub const HINT: &str = "systempaths=unconfined in Docker, procMount: Unmasked in Kubernetes";
