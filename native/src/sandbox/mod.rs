//! The container of a RUN. The worker makes all mounts, detached, and hands them to a supervisor (supervisor.rs), which is this binary again:
//! a fresh process with one thread. Its child (init.rs) becomes the program, PID 1 of a pid namespace; when that ends, all in it ends.

mod cache;
mod capabilities;
mod certificates;
pub mod cgroup;
mod channel;
pub mod chroot;
mod device;
mod emulate;
mod files;
pub mod idmap;
mod init;
pub mod keeper;
mod mask;
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
mod socket;
mod spec;
mod stub;
mod supervisor;
mod target;
mod terminal;
pub mod user;
mod userns;
mod volume;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Signal, pidfd_send_signal};

use crate::context::{RequestContext, lock};
use crate::error::{Doing, Error};
use crate::layer::epoch;
use crate::network::Attachment;
use crate::overlay;
use crate::owner;
use crate::protocol::{
    Empty, Event, Mode, MountType, SandboxConnectParams, SandboxParams, SandboxResizeParams, SandboxResult,
    SandboxSignalParams, Snapshotter, Tty,
};
use crate::session::{Session, Snapshot, SnapshotState};
use crate::snapshots::{flatten, fuse_marks, root as roots};

use idmap::Idmap;
use notify::Service;
use process::Supervisors;
use pump::{Outcome, Streams};
use security::Security;
use spec::{Answer, Spec};

pub use process::ARGUMENT;
pub use supervisor::main as supervise;

/// What gives back a RUN where there is none.
const FIXES: &str = "run cooper as root with the right to mount (privileged, or with CAP_SYS_ADMIN); or give its user a range in /etc/subuid and \
                     /etc/subgid and install newuidmap; or allow user namespaces to it (seccomp=unconfined, an AppArmor profile with \"userns,\")";

const STILL_OPEN: &str = "a file that the step made is still open for writing in another container";
const STILL_OPEN_HINT: &str =
    "a program of the step has handed it to one of another step, through a cache mount that they share";

/// Running containers, by their request's stream.
#[derive(Default)]
pub struct Containers {
    supervisors: Arc<Supervisors>,
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

/// The upper directory of a running container; thrown away unless it is kept. Where no overlay is mounted, also its root.
struct Upper<'a> {
    session: &'a Session,
    snapshot: Arc<Snapshot>,
    directory: Option<roots::Directory>,
    kept: bool,
}

impl Upper<'_> {
    /// Where what the program writes lies: alone, or among all other files.
    fn files(&self) -> &OwnedFd {
        match &self.directory {
            Some(directory) => &directory.files,
            None => &self.snapshot.fs,
        }
    }
}

impl Drop for Upper<'_> {
    fn drop(&mut self) {
        let snapshot = (!self.kept).then(|| self.session.discard_snapshot(&self.snapshot));
        let directory = self.directory.take().map(|directory| directory.discard(self.session));
        for error in snapshot.into_iter().chain(directory).filter_map(Result::err) {
            eprintln!("cooper-worker: {error}");
        }
    }
}

/// `sandbox.run`.
pub fn run(session: &Session, params: SandboxParams, request: &RequestContext) -> Result<SandboxResult, Error> {
    if session.mode == Mode::Unprivileged {
        return Err(Error::user(
            "PRIVILEGE_MISSING",
            format!("no container can be run here: {}", session.reason),
        )
        .hint(FIXES));
    }
    let mut security = Security::of(&params)?;
    if !session.own_proc {
        proc::check(session, &security, request)?;
    }
    let is_chroot = session.mode == Mode::Chroot;
    if is_chroot {
        chroot::check(&params, &mut security, request)?;
    }
    let ids = idmap::of_container(session, &params, |message| request.warn(message))?;
    let snapshot = session.new_snapshot()?;
    let mut upper = Upper {
        session,
        snapshot,
        directory: None,
        kept: false,
    };
    let roots::Root { place: root, directory } =
        roots::open(session, &params.root, &upper.snapshot, ids, &request.cancel)?;
    upper.directory = directory;
    let keeper = session.idmap().map(|idmap| &idmap.keeper);
    let attachment = session.network.attach(&params, keeper, request)?;
    let (mut mounts, mut places) = if is_chroot {
        let (mounts, places) = chroot::prepare(session, &params, &root, &attachment, request)?;
        (mounts, Some(places))
    } else {
        let mounts = mounts::prepare(session, &params, root.as_fd(), ids, &attachment, request)?;
        (mounts, None)
    };
    let certificates = match &params.certificates {
        Some(wanted) => Some(certificates::install(wanted, root.as_fd(), upper.files())?),
        None => None,
    };
    match (&certificates, &mut places) {
        (Some(installed), None) => installed.show(&mut mounts)?,
        (Some(installed), Some(places)) => installed.place(places)?,
        (None, _) => {}
    }
    let (streams, stdio) = Streams::open(params.stdin, params.tty.is_some(), ids.map(|_| idmap::FIRST))?;
    let group = cgroup::make(session, &params)?;
    let mut spec = spec_of(session, &params, &attachment, &mounts, security, group.as_ref(), ids)?;
    if let Some(installed) = &certificates {
        spec.env.extend(installed.variables(&spec.env));
    }
    let mut descriptors: Vec<BorrowedFd<'_>> = vec![root.as_fd()];
    descriptors.extend(stdio.iter().map(AsFd::as_fd));
    descriptors.extend(attachment.namespace());
    descriptors.extend(mounts.descriptors.iter().map(AsFd::as_fd));
    descriptors.extend(group.iter().flat_map(cgroup::Group::entrances));
    descriptors.extend(ids.map(|ids| ids.keeper.namespace()));
    let memory = Watch::begin(session);
    let supervisor = session.containers.supervisors.take()?;
    let started = nanoseconds();
    channel::send(&supervisor.socket, &spec, &descriptors)?;
    drop(stdio);
    let outcome = mounts
        .sockets
        .serve(session, request, || attend(session, request, &supervisor, streams));
    let ended = nanoseconds();
    drop(supervisor);
    let mut outcome = outcome?;
    if let Some(places) = places {
        outcome.touched.extend(places.undo()?);
    }
    drop(mounts);
    request.cancel.check()?;
    let exit_code = outcome.exit_code();
    let usage = group.as_ref().and_then(cgroup::Group::usage);
    let oom = match usage {
        Some(usage) => usage.kills > 0,
        None => memory.was_short(session, exit_code),
    };
    drop(group);
    let kept = params.commit && exit_code == 0;
    if kept && upper.directory.is_none() && !params.insecure.unwrap_or(false) && !overlay::freeze(root.as_fd())? {
        return Err(Error::user("RUN_FAILED", STILL_OPEN).hint(STILL_OPEN_HINT));
    }
    drop(root);
    let snapshot = if kept {
        Some(commit(session, &mut upper, &outcome, &params, certificates)?)
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
        started_ns: started.to_string(),
        ended_ns: ended.to_string(),
        snapshot,
    })
}

/// Sees a container from its start to its end.
fn attend(
    session: &Session,
    request: &RequestContext,
    supervisor: &process::Supervisor,
    streams: Streams,
) -> Result<Outcome, Error> {
    let (answer, descriptors) = channel::receive::<Answer>(&supervisor.socket)?
        .ok_or_else(|| Error::internal("the supervisor ended before the container began"))?;
    let stubs = match answer {
        Answer::Failed(error) => return Err(Error::Relayed(Box::new(error))),
        Answer::Ended { .. } => return Err(Error::internal("the container ended before it began")),
        Answer::Started(stubs) => stubs,
        Answer::NotExecuted { stubs, status, message } => {
            request.send_data(2, format!("cooper: {message}\n").as_bytes())?;
            let (ended, _) = channel::receive::<Answer>(&supervisor.socket)?.unzip();
            return Outcome::of(ended, stubs).map(|outcome| outcome.without_program(status));
        }
    };
    let mut descriptors = descriptors.into_iter();
    let pidfd = descriptors.next();
    let pidfd = pidfd.ok_or_else(|| Error::internal("the container came without pidfd"))?;
    let terminal = descriptors.next();
    let streams = match &terminal {
        None => streams,
        Some(terminal) => streams.of_terminal(terminal)?,
    };
    let running = Arc::new(Running { pidfd, terminal });
    // The next step's supervisor starts while this one's program runs.
    Supervisors::replenish(&session.containers.supervisors)?;
    lock(&session.containers.running).insert(request.stream, Arc::clone(&running));
    request.emit(&Event::Started)?;
    let mask = session.secrets.mask()?;
    let ended = pump::run(request, &supervisor.socket, &running.pidfd, streams, mask.as_deref());
    lock(&session.containers.running).remove(&request.stream);
    Outcome::of(Some(ended?), stubs)
}

fn commit(
    session: &Session,
    upper: &mut Upper<'_>,
    outcome: &Outcome,
    params: &SandboxParams,
    certificates: Option<certificates::Installed>,
) -> Result<crate::digest::SnapshotID, Error> {
    let restored = match certificates {
        Some(installed) => installed.withdraw(upper.files(), upper.directory.is_none())?,
        None => Vec::new(),
    };
    if session.snapshotter == Snapshotter::FuseOverlayfs {
        // Its files would keep the places of mounts in the layer.
        fuse_marks::clean(&upper.snapshot.fs, flatten::directories(session, &params.root)?)?;
    }
    match &mut upper.directory {
        None => stub::remove(&upper.snapshot.fs, &outcome.stubs)?,
        Some(directory) => {
            stub::remove_stubs(&directory.files, &outcome.stubs)?;
            let paths = outcome.stubs.touched.iter().map(|touched| touched.path.clone());
            let touched: Vec<_> = paths.chain(restored).chain(outcome.touched.iter().cloned()).collect();
            directory.write_changes(session, &upper.snapshot, &touched, params.epoch_seconds)?;
        }
    }
    // Here, before the next step can see a time, and not when it is packed beside that step.
    if let Some(epoch) = params.epoch_seconds {
        epoch::limit_files(&upper.snapshot.fs, epoch)?;
    }
    if let Some(owners) = &outcome.owners {
        owner::mark_new(&upper.snapshot.fs, owners.maker)?;
        // A snapshot is committed once.
        let _ = upper.snapshot.owners.set(Arc::new(owners.clone()));
    }
    session.discard_temporary(&format!("{}/work", upper.snapshot.name))?;
    upper.snapshot.set_state(SnapshotState::Committed);
    upper.kept = true;
    if let Some(directory) = upper.directory.take() {
        session
            .roots
            .keep(session, &params.root, upper.snapshot.id, directory)?;
    }
    Ok(upper.snapshot.id)
}

fn spec_of(
    session: &Session,
    params: &SandboxParams,
    attachment: &Attachment,
    mounts: &mounts::Prepared,
    security: Security,
    group: Option<&cgroup::Group>,
    ids: Option<&Idmap>,
) -> Result<Spec, Error> {
    let first = spec::STDIO + 3;
    let network = attachment.namespace().map(|_| first);
    let first_mount = first + usize::from(network.is_some());
    let first_cgroup = first_mount + mounts.descriptors.len();
    let after_cgroups = first_cgroup + group.map_or(0, |group| group.entrances().count());
    let mut env = params.env.clone();
    for (name, id) in params.secret_env.iter().flatten() {
        let value = session.secrets.get(id)?;
        let value = std::str::from_utf8(&value).map_err(|_| {
            Error::user(
                "SECRET_MISSING",
                format!("secret \"{id}\" is not UTF-8: give it as a file"),
            )
        })?;
        env.push(format!("{name}={value}"));
    }
    Ok(Spec {
        argv: params.argv.clone(),
        env,
        cwd: mounts::clean(&params.cwd),
        user: params.user.clone(),
        hostname: params.hostname.clone(),
        // The containers' root can't go into our folders. What hangs there goes with the old root; /proc is not looked into by then.
        staging: ids.map_or_else(|| session.staging(), |_| Ok("/proc".to_owned()))?,
        network,
        user_namespace: session.mode.in_user_namespace(),
        bind_proc: !session.own_proc,
        emulate_ids: session.mode.emulates_ids(),
        chroot: session.mode == Mode::Chroot,
        insecure: params.insecure.unwrap_or(false),
        security,
        cgroup: (first_cgroup..after_cgroups).collect(),
        ids: ids.map(|_| after_cgroups),
        cgroups: session
            .containers
            .shown_cgroups
            .get_or_init(cgroup::view::shown)
            .clone(),
        shm_bytes: params.shm_bytes,
        ulimits: params.ulimits.clone().unwrap_or_default(),
        has_secret: params.secret_env.iter().flatten().next().is_some()
            || params.mounts.iter().any(|mount| mount.kind == MountType::Secret),
        terminal: params.tty,
        mounts: mounts
            .list
            .iter()
            .map(|mount| spec::Mount {
                descriptor: mount.descriptor + first_mount,
                within: mount.within.clone(),
                target: mount.target.clone(),
                readonly: mount.readonly,
                device: mount.device,
            })
            .collect(),
        services: ids.map_or_else(Vec::new, |_| vec![Service::Mknod]),
    })
}

/// Looks for kills for want of memory around a container that has no cgroup to count them.
struct Watch {
    kills: u64,
    /// Which container this is, when no other runs.
    alone: Option<u64>,
}

impl Watch {
    fn begin(session: &Session) -> Self {
        let containers = &session.containers;
        let number = containers.started.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            kills: containers.kills.get_or_init(cgroup::Counter::open).read(),
            alone: lock(&containers.running).is_empty().then_some(number),
        }
    }

    /// Nobody of us has sent KILL to a container whose end is reported, so a program that died of it was killed by the kernel if that has
    /// killed anything meanwhile. A shell whose child was killed says 137, `make` something of its own: that counts where we ran alone.
    fn was_short(&self, session: &Session, exit_code: i32) -> bool {
        const KILLED: i32 = 128 + libc::SIGKILL;
        let containers = &session.containers;
        let alone = self
            .alone
            .is_some_and(|number| number == containers.started.load(Ordering::Relaxed));
        exit_code != 0
            && (exit_code == KILLED || alone)
            && containers
                .kills
                .get()
                .is_some_and(|counter| counter.read() > self.kills)
    }
}

/// Since the epoch.
fn nanoseconds() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos())
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
