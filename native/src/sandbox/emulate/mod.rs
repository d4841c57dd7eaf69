//! Ids that there are not. In a user namespace with one id the kernel refuses every other: programs that become somebody, or give files to
//! somebody, fail, and apt is one of them. Here their calls are handed over by a seccomp filter to a process that answers as the kernel would
//! with all ids: who a process is stands in a table, who a file belongs to in an attribute of it. What is not emulated: rights are
//! checked for root, so nothing is kept from a user of the container.
//!
//! The listener is a child of the supervisor. It is in the container's mount namespace, so that the kernel itself keeps every path within, but not
//! in its pid namespace, so that nobody there sees or ends it.

mod caller;
mod calls;
mod control;
mod credentials;
mod files;
mod ids;
mod known;
mod listener;
mod make;
mod peer;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Resource, Signal, getrlimit, set_parent_process_death_signal};
use rustix::thread::{CapabilitySet, LinkNameSpaceType, capabilities, move_into_link_name_space};
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error};
use crate::owner::Owners;
use crate::protocol::WorkerError;
use crate::syscalls;
use crate::syscalls::notification::{self, Answer as Reply};

use super::channel;
use super::notify;
use super::user::User;
use caller::Outside;
use credentials::Credentials;
use files::Files;
use listener::Listener;

/// As whom a container begins.
#[derive(Serialize, Deserialize)]
struct Beginning {
    user: User,
    /// What its processes may have.
    bounding: u64,
    /// Whoever the user is, it has all of that.
    keeps_all: bool,
}

/// For the listener: opened before the machine is left, as the container's own /proc shows other numbers.
pub fn mount_namespace() -> Result<OwnedFd, Error> {
    openat(
        CWD,
        "/proc/self/ns/mnt",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .doing(|| "open a mount namespace")
}

/// In the container's first process: loads the filter and gives its listener away. Every emulated call waits from now on, and nobody listens
/// before the program begins: what comes between must be none of them.
pub fn hand_over(
    socket: &UnixStream,
    user: User,
    mounts: &OwnedFd,
    bounding: Option<CapabilitySet>,
) -> Result<(), Error> {
    if let Some(most) = getrlimit(Resource::Locks).maximum {
        let message = format!("the limit \"locks\" cannot be {most} where ids are emulated");
        return Err(Error::user("LIMIT_UNAVAILABLE", message).hint("leave it out: Linux does not look at it"));
    }
    let own = capabilities(None).doing(|| "read our capabilities")?.permitted;
    let listener = notify::load(calls::table().into_iter().map(|(trap, call)| (trap, call.when())))?;
    let beginning = Beginning {
        user,
        bounding: bounding.map_or(own, |bounding| bounding & own).bits(),
        keeps_all: bounding.is_none(),
    };
    channel::send(socket, &beginning, &[listener.as_fd(), mounts.as_fd()])
}

/// A running listener, a child of the supervisor.
pub struct Emulation {
    child: Pid,
    result: File,
}

impl Emulation {
    pub fn start(socket: &UnixStream) -> Result<Self, Error> {
        let (beginning, descriptors) = channel::receive::<Beginning>(socket)?
            .ok_or_else(|| Error::internal("the container ended without a listener"))?;
        let [listener, mounts]: [OwnedFd; 2] = descriptors
            .try_into()
            .map_err(|_| Error::internal("a listener came without its descriptors"))?;
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).doing(|| "make a pipe")?;
        match syscalls::clone_process(0).doing(|| "start a listener")? {
            Some(child) => Ok(Self {
                child,
                result: reading.into(),
            }),
            None => {
                drop(reading);
                let told = set_parent_process_death_signal(Some(Signal::KILL))
                    .doing(|| "tie a listener to its supervisor")
                    .and_then(|()| listen(listener, mounts.as_fd(), &beginning))
                    .map_err(|error| error.to_wire());
                let text = serde_json::to_vec(&told).unwrap_or_default();
                let written = File::from(writing).write_all(&text);
                syscalls::exit_now(i32::from(written.is_err()))
            }
        }
    }

    /// After the container's end: whose its files are.
    pub fn finish(mut self) -> Result<Owners, Error> {
        let mut text = Vec::new();
        self.result.read_to_end(&mut text).doing(|| "read from a listener")?;
        syscalls::wait(self.child).doing(|| "wait for a listener")?;
        let told: Result<Owners, WorkerError> = serde_json::from_slice(&text)
            .map_err(|_| Error::internal("the listener that emulates ids ended before the container"))?;
        told.map_err(|error| Error::Relayed(Box::new(error)))
    }
}

/// Answers until the container's end; gives who the files belong to that can have no attribute. `mounts` is the container's mount namespace.
fn listen(notifications: OwnedFd, mounts: BorrowedFd<'_>, beginning: &Beginning) -> Result<Owners, Error> {
    let doing = || "emulate ids";
    let opened = Outside::open_proc().doing(doing)?;
    move_into_link_name_space(mounts, Some(LinkNameSpaceType::Mount)).doing(doing)?;
    let outside = Outside::new(opened).doing(doing)?;
    let user = &beginning.user;
    let maker = (user.uid, user.gid);
    let files = Files::new(outside, maker).doing(doing)?;
    let bounding = CapabilitySet::from_bits_retain(beginning.bounding);
    let first = Credentials::first(user.uid, user.gid, &user.all_groups(), bounding, beginning.keeps_all);
    notification::wake_at_once(notifications.as_fd()).doing(doing)?;
    let mut listener = Listener::new(notifications, files, first, bounding);
    while is_readable(listener.notifications()).doing(doing)? {
        let Some(call) = notification::receive(listener.notifications()).doing(doing)? else {
            continue;
        };
        let reply = listener
            .answer(&call)
            .unwrap_or_else(|error| Reply::Error(error.raw_os_error()));
        notification::answer(listener.notifications(), call.id, reply).doing(doing)?;
    }
    Ok(Owners {
        maker,
        beside: listener.noted(),
    })
}

/// Waits for the next call; false when nobody is left who could make one.
fn is_readable(notifications: BorrowedFd<'_>) -> Result<bool, Errno> {
    loop {
        let mut waiting = [PollFd::from_borrowed_fd(notifications, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Ok(_) => return Ok(waiting[0].revents().contains(PollFlags::IN)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
