//! Relays: what comes to sockets on one network is passed on from within another, by TCP connection for connection, by UDP datagram for datagram.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::context::lock;
use crate::error::{Doing, Error};

use super::{datagrams, namespace};

/// Between two tries to accept a connection, where there is no descriptor for one.
const PAUSE: Duration = Duration::from_millis(10);
/// Connections at the same time, of all sockets together. More wait in the kernel's queue, as with a server that is busy.
const MOST_CONNECTIONS: usize = 1024;

/// Where sockets lead.
pub struct Target {
    pub address: SocketAddr,
    /// From within which it is asked.
    pub namespace: Arc<OwnedFd>,
    /// How long a sender of datagrams may be silent before he is forgotten.
    pub patience: Duration,
}

/// Who has ended may have sent something last: so long that may take to its reader.
const FAREWELL: Duration = Duration::from_secs(1);

/// Dropped, they stop listening, pass on what servers that have ended sent last, and cut their connections.
pub struct Relays {
    stop: Arc<OwnedFd>,
    connections: Arc<Connections>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Drop for Relays {
    fn drop(&mut self) {
        // An eventfd refuses only when it is full, and then it is readable already.
        let _ = rustix::io::write(&*self.stop, &1u64.to_ne_bytes());
        self.connections.end();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("cooper-worker: a forwarder panicked");
            }
        }
    }
}

impl Relays {
    pub fn new() -> Result<Self, Error> {
        Self::with_room(MOST_CONNECTIONS)
    }

    fn with_room(most: usize) -> Result<Self, Error> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).doing(|| "make an eventfd")?);
        Ok(Self {
            stop,
            connections: Arc::new(Connections {
                most,
                all: Mutex::default(),
                room: Condvar::new(),
            }),
            threads: Vec::new(),
        })
    }

    /// `listener` does not block.
    pub fn connections(&mut self, listener: TcpListener, target: Target) -> Result<(), Error> {
        let (stop, connections) = (Arc::clone(&self.stop), Arc::clone(&self.connections));
        self.spawn(move || accept(&listener, &stop, &connections, &Arc::new(target)))
    }

    /// `socket` does not block.
    pub fn datagrams(&mut self, socket: UdpSocket, target: Target) -> Result<(), Error> {
        let stop = Arc::clone(&self.stop);
        self.spawn(move || {
            if let Err(error) = datagrams::forward(&socket, &stop, &target) {
                eprintln!("cooper-worker: forward datagrams: {error}");
            }
        })
    }

    fn spawn(&mut self, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = thread::Builder::new().name("port".to_owned()).spawn(work);
        self.threads.push(thread.doing(|| "start a thread")?);
        Ok(())
    }
}

/// Open connections, to be cut at the end.
struct Connections {
    most: usize,
    all: Mutex<Open>,
    /// Told when one has ended.
    room: Condvar,
}

#[derive(Default)]
struct Open {
    ended: bool,
    cut: bool,
    /// Places taken, by connections that are being made too.
    places: usize,
    count: u64,
    streams: BTreeMap<u64, Pair>,
}

/// A connection: the sockets of its client and its server.
type Pair = [Arc<TcpStream>; 2];

/// One of `MOST_CONNECTIONS`.
struct Place(Arc<Connections>);

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.0.all).places -= 1;
        self.0.room.notify_all();
    }
}

impl Connections {
    /// Waits for a place; `None` when all is over.
    fn place(self: &Arc<Self>) -> Option<Place> {
        let full = |open: &mut Open| !open.ended && open.places >= self.most;
        let mut open = self
            .room
            .wait_while(lock(&self.all), full)
            .unwrap_or_else(PoisonError::into_inner);
        open.places += 1;
        let ended = open.ended;
        drop(open);
        let place = Place(Arc::clone(self));
        (!ended).then_some(place)
    }

    /// Waits `PAUSE`; `false` when all is over.
    fn pause(&self) -> bool {
        let waited = self.room.wait_timeout(lock(&self.all), PAUSE);
        !waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    fn add(&self, pair: Pair) -> u64 {
        let mut open = lock(&self.all);
        open.count += 1;
        let number = open.count;
        match (open.cut, open.ended) {
            (true, _) => cut(&pair),
            (false, true) => hear_no_more(&pair),
            (false, false) => {}
        }
        open.streams.insert(number, pair);
        number
    }

    fn remove(&self, number: u64) {
        lock(&self.all).streams.remove(&number);
        self.room.notify_all();
    }

    fn end(&self) {
        let mut open = lock(&self.all);
        open.ended = true;
        open.streams.values().for_each(hear_no_more);
        self.room.notify_all();
        let waited = self.room.wait_timeout_while(open, FAREWELL, |open| open.places > 0);
        let (mut open, _) = waited.unwrap_or_else(PoisonError::into_inner);
        open.cut = true;
        open.streams.values().for_each(cut);
    }
}

/// What the client says now is for nobody.
fn hear_no_more([client, _]: &Pair) {
    // One that is closed already needs no closing.
    let _ = client.shutdown(Shutdown::Read);
}

/// A connection that is closed already needs no cutting.
fn cut(pair: &Pair) {
    for stream in pair {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, stop: &OwnedFd, connections: &Arc<Connections>, target: &Arc<Target>) {
    loop {
        let mut waiting = [PollFd::new(listener, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        if poll(&mut waiting, None).is_err_and(|error| error != rustix::io::Errno::INTR) {
            return;
        }
        if !waiting[1].revents().is_empty() {
            return;
        }
        let Some(place) = connections.place() else { return };
        let client = match listener.accept() {
            Ok((client, _)) => client,
            // No descriptor is left, or no memory: the client waits until another one has gone.
            Err(error) if is_shortage(&error) => {
                if !connections.pause() {
                    return;
                }
                continue;
            }
            // A client may have gone between poll and accept.
            Err(_) => continue,
        };
        let (connections, target) = (Arc::clone(connections), Arc::clone(target));
        let forward = move || {
            let client = Arc::new(client);
            // What goes wrong with one connection is told to its client by closing it.
            let _ = forward(&client, &target, &connections);
            let _ = client.shutdown(Shutdown::Both);
            drop((client, place));
        };
        if let Err(error) = thread::Builder::new().name("connection".to_owned()).spawn(forward) {
            eprintln!("cooper-worker: start a thread: {error}");
        }
    }
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

fn forward(client: &Arc<TcpStream>, target: &Target, connections: &Connections) -> Result<(), Error> {
    let doing = || "forward a connection";
    client.set_nonblocking(false).doing(doing)?;
    // This thread is of no other use: it stays in the target's network.
    namespace::enter(target.namespace.as_fd())?;
    let server = Arc::new(TcpStream::connect(target.address).doing(doing)?);
    let number = connections.add([Arc::clone(client), Arc::clone(&server)]);
    let both = thread::scope(|scope| {
        let back = thread::Builder::new().spawn_scoped(scope, || pass(&server, client))?;
        let there = pass(client, &server);
        let back = back.join().unwrap_or_else(|_| Err(io::Error::other("panic")));
        there.and(back)
    });
    connections.remove(number);
    both.doing(doing)
}

/// One direction; its end is passed on as an end of that direction only.
fn pass(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to).map(drop);
    copied.and(to.shutdown(Shutdown::Write))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Ipv4Addr;

    use super::*;

    /// Relays with so many places, to a server that sends a byte to each that connects.
    fn relays(most: usize) -> (Relays, SocketAddr, TcpListener) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut relays = Relays::with_room(most).unwrap();
        let target = Target {
            address: server.local_addr().unwrap(),
            namespace: Arc::new(namespace::own().unwrap()),
            patience: PAUSE,
        };
        relays.connections(listener, target).unwrap();
        (relays, address, server)
    }

    fn greeted(mut client: &TcpStream) -> bool {
        client.read_exact(&mut [0]).is_ok()
    }

    #[test]
    fn what_was_sent_last_arrives() {
        for _ in 0..50 {
            let (relays, address, server) = relays(2);
            let mut client = TcpStream::connect(address).unwrap();
            let (mut stream, _) = server.accept().unwrap();
            stream.write_all(b"the last words").unwrap();
            drop(stream);
            drop(relays);
            let mut words = String::new();
            client.read_to_string(&mut words).unwrap();
            assert_eq!(words, "the last words");
        }
    }

    #[test]
    fn a_connection_too_many_waits_until_another_has_ended() {
        let (_relays, address, server) = relays(2);
        let mut clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        let accept = || {
            let (mut stream, _) = server.accept().unwrap();
            stream.write_all(&[1]).unwrap();
            stream
        };
        let served = [accept(), accept()];
        assert!(clients[..2].iter().all(greeted));
        server.set_nonblocking(true).unwrap();
        thread::sleep(10 * PAUSE);
        assert!(server.accept().is_err(), "there was room for two");
        server.set_nonblocking(false).unwrap();
        drop(clients.remove(0));
        drop(served);
        let _third = accept();
        assert!(greeted(&clients[1]));
    }
}
