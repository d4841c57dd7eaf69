//! Holds the user namespace of a session's containers: a process of ours that is in it and does nothing but make network namespaces there, so
//! that they belong to it. It has one thread, which entering a user namespace takes, and ends with the worker.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::Mutex;

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, openat};
use rustix::mount::MountAttrFlags;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde::{Deserialize, Serialize};

use crate::context::lock;
use crate::error::{Doing, Error};
use crate::network::set_up_namespace;
use crate::protocol::WorkerError;
use crate::syscalls;

use super::channel::{receive, send};
use super::idmap::{COUNT, FIRST};
use super::process::spawn_ourselves;
use super::root::filesystem;

/// The argument that makes this binary a keeper.
pub const ARGUMENT: &str = "keep-user-namespace";

pub struct Keeper {
    namespace: OwnedFd,
    socket: Mutex<UnixStream>,
    child: Mutex<Child>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // It ends with its socket; one that does not is ended.
        let mut child = lock(&self.child);
        if let Err(error) = child.kill().and_then(|()| child.wait().map(drop)) {
            eprintln!("cooper-worker: end the keeper of a user namespace: {error}");
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// Ids are mapped: become root.
    Begin,
    Network,
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Done,
    /// With the namespace; whether its `lo` is up.
    Network(bool),
    Failed(WorkerError),
}

impl Keeper {
    /// Starts one, and tries in its namespace what containers need of it.
    pub fn start() -> Result<Self, Error> {
        let started = spawn_ourselves("/proc/self/exe", ARGUMENT);
        let (ours, mut child) = started.doing(|| "start the keeper of a user namespace")?;
        match begin(&ours, child.id()) {
            Ok(namespace) => Ok(Self {
                namespace,
                socket: Mutex::new(ours),
                child: Mutex::new(child),
            }),
            Err(error) => {
                // The first error counts.
                let _ = child.kill().and_then(|()| child.wait());
                Err(error)
            }
        }
    }

    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// A new network namespace with the settings of a container's; `false`: it has no `lo`.
    pub fn network(&self) -> Result<(OwnedFd, bool), Error> {
        let socket = lock(&self.socket);
        send(&socket, &Request::Network, &[])?;
        match hear(&socket)? {
            (Answer::Network(loopback), Some(namespace)) => Ok((namespace, loopback)),
            _ => Err(Error::internal("the keeper of a user namespace gave no network")),
        }
    }
}

fn begin(socket: &UnixStream, process: u32) -> Result<OwnedFd, Error> {
    hear(socket)?;
    for name in ["uid_map", "gid_map"] {
        let doing = || format!("map the ids of a user namespace ({name})");
        fs::write(format!("/proc/{process}/{name}"), format!("0 {FIRST} {COUNT}\n")).doing(doing)?;
    }
    let place = format!("/proc/{process}/ns/user");
    let namespace = openat(CWD, place, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let namespace = namespace.doing(|| "open a user namespace")?;
    send(socket, &Request::Begin, &[])?;
    hear(socket)?;
    Ok(namespace)
}

fn hear(socket: &UnixStream) -> Result<(Answer, Option<OwnedFd>), Error> {
    let answer = receive::<Answer>(socket)?;
    match answer.ok_or_else(|| Error::internal("the keeper of a user namespace is gone"))? {
        (Answer::Failed(error), _) => Err(Error::Relayed(Box::new(error))),
        (answer, mut descriptors) => Ok((answer, descriptors.pop())),
    }
}

/// The keeper: answers until its socket ends.
pub fn main() -> Result<(), Error> {
    let stdin = std::io::stdin();
    let socket = UnixStream::from(stdin.as_fd().try_clone_to_owned().doing(|| "take the socket")?);
    rustix::process::setsid().doing(|| "start a session")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).doing(|| "become undumpable")?;
    say(
        &socket,
        syscalls::unshare(UnshareFlags::NEWUSER)
            .doing(|| "make a user namespace")
            .map(|()| Answer::Done),
        None,
    )?;
    while let Some((request, _)) = receive::<Request>(&socket)? {
        match request {
            Request::Begin => say(
                &socket,
                become_root().and_then(|()| try_mounts()).map(|()| Answer::Done),
                None,
            )?,
            Request::Network => match make_network() {
                Ok((namespace, loopback)) => say(&socket, Ok(Answer::Network(loopback)), Some(&namespace))?,
                Err(error) => say(&socket, Err(error), None)?,
            },
        }
    }
    Ok(())
}

fn say(socket: &UnixStream, result: Result<Answer, Error>, descriptor: Option<&OwnedFd>) -> Result<(), Error> {
    let answer = result.unwrap_or_else(|error| Answer::Failed(error.to_wire()));
    let descriptors: Vec<_> = descriptor.map(AsFd::as_fd).into_iter().collect();
    send(socket, &answer, &descriptors)
}

fn become_root() -> Result<(), Error> {
    set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT))
        .and_then(|()| set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT))
        .doing(|| "become root of a user namespace")
}

/// A container mounts its own /proc, which the kernel refuses in a user namespace where parts of the one that it sees are covered: in a
/// container, say. Tried in a child, with namespaces as a container has them.
fn try_mounts() -> Result<(), Error> {
    let namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;
    let mount = || filesystem("proc", &[], MountAttrFlags::MOUNT_ATTR_NOSUID).map(drop);
    syscalls::in_child(namespaces, mount).doing(|| "mount /proc in a user namespace")
}

fn make_network() -> Result<(OwnedFd, bool), Error> {
    syscalls::unshare(UnshareFlags::NEWNET).doing(|| "make a network namespace")?;
    let namespace = openat(
        CWD,
        "/proc/self/ns/net",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let namespace = namespace.doing(|| "open a network namespace")?;
    Ok((namespace, set_up_namespace()?))
}
