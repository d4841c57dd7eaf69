//! The container of a RUN. A supervisor (supervisor.rs), which is this binary again, a fresh process with one thread, is told first what the
//! container is (shell.rs). While it makes that, the worker makes all mounts of what lies in it, detached, and hands them over (content.rs). The
//! supervisor's child (init.rs) becomes the program, PID 1 of a pid namespace; when that ends, all in it ends.

mod ahead;
mod cache;
mod capabilities;
mod certificates;
pub mod cgroup;
mod channel;
pub mod chroot;
mod content;
mod device;
mod emulate;
mod family;
mod files;
pub mod idmap;
mod init;
pub mod keeper;
mod mask;
mod memory;
mod mounts;
mod notify;
mod passed_device;
pub mod proc;
mod process;
mod pump;
mod rlimits;
mod root;
mod seccomp;
mod security;
mod shell;
mod socket;
mod spec;
mod stub;
mod supervisor;
mod target;
mod terminal;
mod upper;
pub mod user;
mod userns;
mod volume;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::process::{Signal, pidfd_send_signal};

use crate::context::{RequestContext, lock};
use crate::error::{Doing, Error};
use crate::protocol::{
    Empty, Mode, SandboxConnectParams, SandboxParams, SandboxResizeParams, SandboxResult, SandboxSignalParams, Tty,
};
use crate::session::Session;

use ahead::Ahead;
use content::{Content, Ran};
use security::Security;
use shell::{Asked, Shell};

pub use process::ARGUMENT;
pub use supervisor::main as supervise;

/// What gives back a RUN where there is none.
const FIXES: &str = "run cooper as root with the right to mount (privileged, or with CAP_SYS_ADMIN); or give its user a range in /etc/subuid and \
                     /etc/subgid and install newuidmap; or allow user namespaces to it (seccomp=unconfined, an AppArmor profile with \"userns,\")";

/// Running containers, by their request's stream.
#[derive(Default)]
pub struct Containers {
    pub ahead: Ahead,
    running: Mutex<BTreeMap<u32, Arc<Running>>>,
    connections: socket::Connections,
    /// How many were ever started.
    started: AtomicU64,
    /// Whether it was said that they see our /proc.
    proc_told: AtomicBool,
    shown_cgroups: OnceLock<Vec<cgroup::view::Shown>>,
    kills: OnceLock<cgroup::Counter>,
}

/// What others can do to one.
struct Running {
    pidfd: OwnedFd,
    terminal: Option<OwnedFd>,
}

/// `sandbox.run`.
pub fn run(session: &Session, params: SandboxParams, request: &RequestContext) -> Result<SandboxResult, Error> {
    let security = admit(session, &params, request)?;
    let asked = Asked {
        session,
        params: &params,
        request,
        ids: idmap::of_container(session, &params, |message| request.warn(message))?,
    };
    // While it is made, what lies in it is made here.
    let shell = Shell::begin(&asked, &security)?;
    let (content, root) = Content::make(&asked, &shell.attachment)?;
    let Shell {
        supervisor,
        group,
        attachment: _held,
        forwarders: _forwarders,
        spec,
    } = shell;
    let Ran {
        mut outcome,
        memory,
        started_ns,
        ended_ns,
    } = content.run(&asked, (supervisor, &spec), root.as_fd())?;
    let (upper, certificates) = content.take_down(&mut outcome)?;
    request.cancel.check()?;
    let exit_code = outcome.exit_code();
    let usage = group.as_ref().and_then(cgroup::Group::usage);
    let oom = match usage {
        Some(usage) => usage.kills > 0,
        None => memory.was_short(session, exit_code),
    };
    drop(group);
    let snapshot = if params.commit && exit_code == 0 {
        Some(upper.commit(root, &params, &outcome, certificates)?)
    } else {
        None
    };
    Ok(SandboxResult {
        exit_code,
        signal: outcome.signal(),
        oom,
        peak_memory_bytes: usage.and_then(|usage| usage.peak_bytes),
        max_rss_bytes: outcome.max_rss_bytes,
        user_ms: outcome.user_ms,
        system_ms: outcome.system_ms,
        started_ns: started_ns.to_string(),
        ended_ns: ended_ns.to_string(),
        snapshot,
    })
}

/// Refuses what cannot be had here.
fn admit(session: &Session, params: &SandboxParams, request: &RequestContext) -> Result<Security, Error> {
    if session.mode == Mode::Unprivileged {
        let message = format!("no container can be run here: {}", session.reason);
        return Err(Error::user("PRIVILEGE_MISSING", message).hint(FIXES));
    }
    let mut security = Security::of(params)?;
    if !session.own_proc {
        proc::check(session, &security, request)?;
    }
    if session.mode == Mode::Chroot {
        chroot::check(params, &mut security, request)?;
    }
    Ok(security)
}

/// `sandbox.connect`.
pub fn connect(session: &Session, params: SandboxConnectParams, request: &RequestContext) -> Result<Empty, Error> {
    session
        .containers
        .connections
        .relay(params.connection, request)
        .map(|()| Empty {})
}

fn running(session: &Session, stream: u32) -> Result<Arc<Running>, Error> {
    let running = lock(&session.containers.running).get(&stream).map(Arc::clone);
    running.ok_or_else(|| Error::internal(format!("no container runs on stream {stream}")))
}

/// `sandbox.resize`.
pub fn resize(session: &Session, params: SandboxResizeParams) -> Result<Empty, Error> {
    let SandboxResizeParams { stream, rows, columns } = params;
    let running = running(session, stream)?;
    let terminal = running.terminal.as_ref();
    let terminal = terminal.ok_or_else(|| Error::internal(format!("stream {stream} has no terminal")))?;
    terminal::resize(terminal.as_fd(), Tty { rows, columns }).doing(|| "resize a terminal")?;
    Ok(Empty {})
}

/// `sandbox.signal`.
pub fn signal(session: &Session, params: SandboxSignalParams) -> Result<Empty, Error> {
    let running = running(session, params.stream)?;
    let signal = Signal::from_named_raw(params.signal)
        .ok_or_else(|| Error::internal(format!("{} is no signal", params.signal)))?;
    match pidfd_send_signal(&running.pidfd, signal) {
        // It has ended in the meantime: as good.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(Empty {}),
        Err(error) => Err(error).doing(|| "signal a container"),
    }
}
