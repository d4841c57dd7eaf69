//! System calls of a container that its supervisor answers, by seccomp user notification: where the kernel refuses in a user namespace what
//! does no harm. The container's first process loads a filter that knows only these calls, before the one that keeps it in; the kernel takes
//! the stricter answer of both. What the supervisor then does it does with no more rights than the caller has by its ids, and in its root.

mod caller;
mod mknod;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error};
use crate::syscalls::notification::{self, Answer, Notification};

use super::channel::{receive, send};
use super::seccomp::{When, handing_over};
use caller::Caller;

/// A system call to answer: `AUDIT_ARCH_…`, and the number that it has there.
pub type Trap = (u32, u32);

pub const X86_64: u32 = 0xC000_003E;
pub const I386: u32 = 0x4000_0003;
pub const AARCH64: u32 = 0xC000_00B7;
pub const ARM: u32 = 0x4000_0028;

/// What a container wants answered; a handler stands behind each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// Device nodes.
    Mknod,
}

impl Service {
    fn traps(self) -> &'static [Trap] {
        match self {
            Self::Mknod => mknod::TRAPS,
        }
    }
}

/// Answers calls of one service. It is asked in turn, one call at a time, and must come back soon: the caller waits, and so do all others.
trait Handler {
    fn answer(&mut self, call: &Call<'_>) -> Answer;
}

/// A call that waits.
pub struct Call<'a> {
    listener: BorrowedFd<'a>,
    pub notification: Notification,
}

impl Call<'_> {
    /// An argument that is an int.
    pub fn int(&self, place: usize) -> i32 {
        self.notification.arguments[place] as i32
    }

    pub fn argument(&self, place: usize) -> u64 {
        self.notification.arguments[place]
    }

    /// Whether what was found out about the caller by its number is about the caller.
    pub fn is_waiting(&self) -> bool {
        notification::is_waiting(self.listener, self.notification.id)
    }

    /// Who calls. A number that somebody else got meanwhile is found out.
    pub fn caller(&self) -> std::io::Result<Caller> {
        let caller = Caller::open(self.notification.thread)?;
        if self.is_waiting() {
            Ok(caller)
        } else {
            Err(rustix::io::Errno::SRCH.into())
        }
    }
}

/// In the container: loads the filter of the services, and hands its listener to the supervisor.
pub fn install(services: &[Service], supervisor: &UnixStream) -> Result<(), Error> {
    let traps = services.iter().flat_map(|service| service.traps());
    let listener = load(traps.map(|trap| (*trap, When::Always)))?;
    send(supervisor, &(), &[listener.as_fd()])
}

/// Loads a filter that hands calls over; gives the listener that they come to.
pub fn load(calls: impl IntoIterator<Item = (Trap, When)>) -> Result<OwnedFd, Error> {
    match notification::load_listening_filter(&handing_over(calls)) {
        // It is set already, as it may take rights to set it.
        Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
            let message = "the limit \"nofile\" leaves no descriptor to start a container with";
            Err(Error::user("LIMIT_UNAVAILABLE", message).hint("ask for a dozen at least"))
        }
        other => other.doing(|| "load a filter that notifies"),
    }
}

/// In the supervisor: the calls of one container, until its end.
pub struct Notifier {
    listener: OwnedFd,
    handlers: Vec<(Service, Box<dyn Handler>)>,
}

impl Notifier {
    /// Takes the listener that `install` sent, from the container's first process.
    pub fn take(services: &[Service], container: &UnixStream, first: Pid) -> Result<Self, Error> {
        let listener = receive::<()>(container)?.and_then(|((), mut descriptors)| descriptors.pop());
        let listener = listener.ok_or_else(|| Error::internal("the container sent no listener"))?;
        let first = Caller::open(first.as_raw_nonzero().get() as u32).doing(|| "find a container")?;
        let user_namespace = first.user_namespace().doing(|| "find a container")?;
        let handler = |service: &Service| -> (Service, Box<dyn Handler>) {
            match service {
                Service::Mknod => (*service, Box::new(mknod::Mknod { user_namespace })),
            }
        };
        let handlers = services.iter().map(handler).collect();
        Ok(Self { listener, handlers })
    }

    /// Readable when a call waits.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Answers the next call.
    pub fn serve(&mut self) -> Result<(), Error> {
        let doing = || "answer a system call";
        let Some(notification) = notification::receive(self.listener.as_fd()).doing(doing)? else {
            return Ok(());
        };
        let trap = (notification.architecture, notification.number);
        let call = Call {
            listener: self.listener.as_fd(),
            notification,
        };
        let handler = self
            .handlers
            .iter_mut()
            .find(|(service, _)| service.traps().contains(&trap));
        let answer = handler.map_or(Answer::Continue, |(_, handler)| handler.answer(&call));
        notification::answer(self.listener.as_fd(), notification.id, answer).doing(doing)
    }
}
