//! Sockets of agents in a container. What lies in the container is a socket of ours on a tmpfs of ours: never the machine's. Each connection is
//! told to the builder, which asks for its bytes (`sandbox.connect`) and has them answered. With the container they end.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::{AtFlags, Mode, chmodat, chownat};

use crate::context::{RequestContext, lock};
use crate::error::{Doing, Error};
use crate::protocol::Event;
use crate::session::Session;

use super::files::Files;

/// More at a time are not answered: a program in a loop must not cost the builder its memory.
const MOST_CONNECTIONS: usize = 64;

/// Connections of all containers, by number: those that the builder has not asked for yet, and those that it has.
#[derive(Default)]
pub struct Connections {
    open: Mutex<BTreeMap<u64, Arc<UnixStream>>>,
    next: AtomicU64,
}

impl Connections {
    fn add(&self, stream: UnixStream) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.open).insert(number, Arc::new(stream));
        number
    }

    /// Ends one, whoever waits for it.
    fn end(&self, number: u64) {
        if let Some(stream) = lock(&self.open).remove(&number) {
            // It may have been closed at the other side already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn is_open(&self, number: u64) -> bool {
        lock(&self.open).contains_key(&number)
    }

    /// Carries bytes both ways until one side ends.
    pub fn relay(&self, number: u64, request: &RequestContext) -> Result<(), Error> {
        let Some(stream) = lock(&self.open).get(&number).map(Arc::clone) else {
            return Ok(());
        };
        let result = thread::scope(|scope| {
            let feeder = scope.spawn(|| feed(&stream, request));
            let answer = pass_on(&stream, request);
            request.close_input();
            feeder
                .join()
                .map_err(|_| Error::internal("the feeder of a connection panicked"))?;
            answer
        });
        self.end(number);
        result
    }
}

/// What the program says, to the builder.
fn pass_on(stream: &UnixStream, request: &RequestContext) -> Result<(), Error> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let mut waiting = [
            PollFd::new(stream, PollFlags::IN),
            PollFd::from_borrowed_fd(request.cancel.fd(), PollFlags::IN),
        ];
        match poll(&mut waiting, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).doing(|| "wait for a connection"),
        }
        request.cancel.check()?;
        match (&*stream).read(&mut buffer) {
            // A reset is as good an end as any.
            Ok(0) | Err(_) => return Ok(()),
            Ok(count) => request.send_data(0, &buffer[..count])?,
        }
    }
}

/// What the builder says, to the program. The end of it is the end of both.
fn feed(stream: &UnixStream, request: &RequestContext) {
    while let Ok(bytes) = request.receive_data() {
        if bytes.is_empty() || (&*stream).write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// The sockets of one container.
#[derive(Default)]
pub struct Sockets(Vec<Socket>);

struct Socket {
    agent: String,
    listener: UnixListener,
}

impl Sockets {
    /// Makes a socket among the container's files.
    pub fn listen(
        &mut self,
        files: &Files,
        name: &str,
        agent: &str,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<(), Error> {
        let doing = || "make a socket";
        let path = format!("/proc/self/fd/{}/{name}", files.mount.as_raw_fd());
        let listener = UnixListener::bind(path).doing(doing)?;
        listener.set_nonblocking(true).doing(doing)?;
        let (uid, gid) = files.owner(owner);
        chownat(&files.mount, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).doing(doing)?;
        chmodat(&files.mount, name, Mode::from_raw_mode(mode), AtFlags::empty()).doing(doing)?;
        self.0.push(Socket {
            agent: agent.to_owned(),
            listener,
        });
        Ok(())
    }

    /// Listens as long as `container` takes.
    pub fn serve<T>(
        &self,
        session: &Session,
        request: &RequestContext,
        container: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.0.is_empty() {
            return container();
        }
        let end = eventfd(0, EventfdFlags::CLOEXEC).doing(|| "make an eventfd")?;
        thread::scope(|scope| {
            let listening = scope.spawn(|| self.accept(&end, session, request));
            let result = container();
            let _ = rustix::io::write(&end, &1u64.to_ne_bytes());
            let accepted = listening
                .join()
                .map_err(|_| Error::internal("the listener of a socket panicked"))?;
            result.and_then(|value| accepted.map(|()| value))
        })
    }

    /// Until the end of the container; then no connection is left.
    fn accept(&self, end: &OwnedFd, session: &Session, request: &RequestContext) -> Result<(), Error> {
        let connections = &session.containers.connections;
        let mut accepted: Vec<u64> = Vec::new();
        let result = loop {
            let mut waiting: Vec<PollFd<'_>> = vec![PollFd::new(end, PollFlags::IN)];
            waiting.extend(
                self.0
                    .iter()
                    .map(|socket| PollFd::from_borrowed_fd(socket.listener.as_fd(), PollFlags::IN)),
            );
            match poll(&mut waiting, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => break Err(error).doing(|| "wait for connections"),
            }
            if !waiting[0].revents().is_empty() {
                break Ok(());
            }
            accepted.retain(|number| connections.is_open(*number));
            for socket in &self.0 {
                // Nobody there, or gone again.
                let Ok((stream, _)) = socket.listener.accept() else {
                    continue;
                };
                if accepted.len() >= MOST_CONNECTIONS {
                    continue;
                }
                let connection = connections.add(stream);
                accepted.push(connection);
                let agent = socket.agent.clone();
                request.emit(&Event::Connection { agent, connection })?;
            }
        };
        for number in accepted {
            connections.end(number);
        }
        result
    }
}
