//! The supervisor: a fresh process of ours with one thread, outside the container's pid namespace. It makes the container, waits for its end
//! and reports it. When the worker is gone, its end of the socket closes, and the supervisor kills the container.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, set_dumpable_behavior,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{Doing, Error};
use crate::syscalls;

use super::channel::{receive, send};
use super::chroot;
use super::emulate::Emulation;
use super::init::{self, Report};
use super::notify::Notifier;
use super::seccomp::{self, Filter};
use super::spec::{Answer, Spec, Stubs};
use super::userns;

/// Runs one container as told on stdin (a socket), then returns.
pub fn main() -> Result<(), Error> {
    let socket = UnixStream::from(
        std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .doing(|| "take the socket")?,
    );
    // Its own session: a terminal's signals are for the worker.
    rustix::process::setsid().doing(|| "start a session")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).doing(|| "become undumpable")?;
    // Most containers have it: made while nobody waits.
    let usual = seccomp::Options::default();
    let ready = seccomp::default_filter(&usual);
    let Some((spec, descriptors)) = receive::<Spec>(&socket)? else {
        return Ok(());
    };
    let filter = match &spec.security.filter {
        Filter::None => None,
        Filter::Policy(options) if *options == usual => Some(ready),
        Filter::Policy(options) => Some(seccomp::default_filter(options)),
        Filter::Program(compiled) => Some(compiled.load()),
    };
    match start(&spec, descriptors, filter.as_ref(), &socket) {
        Ok(container) => attend(&socket, container),
        Err(error) => {
            // Where the worker is gone, or has given up itself, there is nobody to be told.
            let _ = send(&socket, &Answer::Failed(error.to_wire()), &[]);
            Ok(())
        }
    }
}

/// What was started.
struct Container {
    chroot: bool,
    first: Pid,
    answer: Answer,
    /// Where it has one: our end.
    terminal: Option<OwnedFd>,
    /// Where it has calls that are answered.
    notifier: Option<Notifier>,
    /// Where its ids are emulated.
    emulation: Option<Emulation>,
}

fn start(
    spec: &Spec,
    descriptors: Vec<OwnedFd>,
    filter: Option<&seccomp::Compiled>,
    worker: &UnixStream,
) -> Result<Container, Error> {
    if let Some(place) = spec.network {
        let namespace = descriptors
            .get(place)
            .ok_or_else(|| Error::internal("no network namespace"))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .doing(|| "enter a network namespace")?;
    }
    if spec.chroot {
        chroot::adopt()?;
    }
    let namespaces = if spec.chroot {
        0
    } else {
        // That of cgroups comes once the child is in its own.
        libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS
    };
    let (reading, writing) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).doing(|| "make a pipe")?;
    let (ours, theirs) = UnixStream::pair().doing(|| "make a socket")?;
    let userns = spec
        .ids
        .map(|place| userns::Container::prepare(&descriptors, place))
        .transpose()?;
    let nodes = userns.as_ref().map(|container| container.nodes.as_fd());
    let cloned = match &userns {
        None => syscalls::clone_process(namespaces).doing(|| "make namespaces")?,
        Some(container) => container.clone_process(namespaces)?,
    };
    match cloned {
        None => {
            drop((reading, ours));
            let (report, supervisor) = (File::from(writing), theirs);
            init::run(init::Start {
                spec,
                descriptors,
                nodes,
                filter,
                worker,
                report,
                supervisor,
            });
            syscalls::exit_now(125)
        }
        Some(first) => {
            drop((writing, theirs, descriptors));
            let started = watch(spec, first, reading, &ours);
            started.or_else(|error| {
                // Its program may run already.
                rustix::process::kill_process(first, Signal::KILL).doing(|| "kill a container")?;
                syscalls::wait(first).doing(|| "wait for a container")?;
                Err(error)
            })
        }
    }
}

/// Waits until the program runs, and takes what its container sent.
fn watch(spec: &Spec, first: Pid, report: OwnedFd, container: &UnixStream) -> Result<Container, Error> {
    let answer = read_report(report)?;
    let terminal = take_terminal(spec, container)?;
    let notifier = take_notifier(spec, &answer, container, first)?;
    let emulated = spec.emulate_ids && matches!(answer, Answer::Started(_));
    let emulation = emulated.then(|| Emulation::start(container)).transpose()?;
    Ok(Container {
        chroot: spec.chroot,
        first,
        answer,
        terminal,
        notifier,
        emulation,
    })
}

/// It was sent before the report.
fn take_terminal(spec: &Spec, socket: &UnixStream) -> Result<Option<OwnedFd>, Error> {
    if spec.terminal.is_none() {
        return Ok(None);
    }
    let descriptor = receive::<()>(socket)?.and_then(|((), mut descriptors)| descriptors.pop());
    descriptor
        .map(Some)
        .ok_or_else(|| Error::internal("the container came without terminal"))
}

fn take_notifier(spec: &Spec, answer: &Answer, socket: &UnixStream, first: Pid) -> Result<Option<Notifier>, Error> {
    match answer {
        Answer::Started(_) if !spec.services.is_empty() => Notifier::take(&spec.services, socket, first).map(Some),
        _ => Ok(None),
    }
}

/// Reads until the program's exec closes the pipe, or the end of the container does.
fn read_report(pipe: OwnedFd) -> Result<Answer, Error> {
    let mut stubs = Stubs::default();
    let mut ready = false;
    for line in BufReader::new(File::from(pipe)).lines() {
        let line = line.doing(|| "read a container's report")?;
        match serde_json::from_str(&line).map_err(|error| Error::internal(error.to_string()))? {
            Report::Ready(made) => (stubs, ready) = (made, true),
            Report::Failed(error) => return Err(Error::Relayed(Box::new(error))),
            Report::NotExecuted { status, message } => return Ok(Answer::NotExecuted { stubs, status, message }),
        }
    }
    if ready {
        Ok(Answer::Started(stubs))
    } else {
        Err(Error::internal("the container ended before its program began"))
    }
}

fn attend(socket: &UnixStream, container: Container) -> Result<(), Error> {
    let Container {
        chroot: has_no_namespace,
        first,
        answer,
        terminal,
        notifier,
        emulation,
    } = container;
    let pidfd = pidfd_open(first, PidfdFlags::empty()).doing(|| "open a container")?;
    let descriptors: Vec<_> = [pidfd.as_fd()]
        .into_iter()
        .chain(terminal.as_ref().map(AsFd::as_fd))
        .collect();
    let sent = send(socket, &answer, &descriptors);
    drop(descriptors);
    // The worker alone has it now: with its end the terminal hangs up.
    drop(terminal);
    if sent.is_ok() {
        wait_for_end(socket, &pidfd, notifier)?;
    } else {
        kill(&pidfd)?;
    }
    let ended = syscalls::wait(first).doing(|| "wait for a container")?;
    if has_no_namespace {
        chroot::end_all()?;
    }
    let owners = match emulation.map(Emulation::finish).transpose() {
        Ok(owners) => owners,
        Err(error) => return send(socket, &Answer::Failed(error.to_wire()), &[]),
    };
    let answer = Answer::Ended {
        status: ended.status,
        max_rss_bytes: ended.max_rss_bytes,
        user_ms: ended.user_ms,
        system_ms: ended.system_ms,
        owners,
    };
    // Where the worker is gone there is nobody to be told.
    let _ = send(socket, &answer, &[]);
    Ok(())
}

/// The worker says nothing after the spec: what comes on the socket is its end.
fn wait_for_end(socket: &UnixStream, pidfd: &OwnedFd, mut notifier: Option<Notifier>) -> Result<(), Error> {
    loop {
        let mut waiting = vec![PollFd::new(pidfd, PollFlags::IN), PollFd::new(socket, PollFlags::IN)];
        if let Some(notifier) = &notifier {
            waiting.push(PollFd::from_borrowed_fd(notifier.listener(), PollFlags::IN));
        }
        match poll(&mut waiting, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).doing(|| "wait for a container"),
        }
        if !waiting[0].revents().is_empty() {
            return Ok(());
        }
        if !waiting[1].revents().is_empty() {
            return kill(pidfd);
        }
        let calls = waiting.get(2).map(PollFd::revents).unwrap_or(PollFlags::empty());
        drop(waiting);
        if calls.contains(PollFlags::IN) {
            let served = notifier.as_mut().map_or(Ok(()), Notifier::serve);
            served.or_else(|error| kill(pidfd).and(Err(error)))?;
        } else if !calls.is_empty() {
            // Nobody is left who could call.
            notifier = None;
        }
    }
}

/// Ends a container; one that has ended by itself is fine.
pub fn kill(pidfd: &OwnedFd) -> Result<(), Error> {
    match pidfd_send_signal(pidfd, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).doing(|| "kill a container"),
    }
}
