//! Published ports: a listener on the machine, and for each connection one to the container, from within its namespace.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::context::{RequestContext, lock};
use crate::error::{Doing, Error};
use crate::protocol::{Event, Port, PortProtocol};

use super::uplink::Member;
use super::{datagrams, namespace};

/// Between two tries to accept a connection.
const PAUSE: Duration = Duration::from_millis(10);

/// Running forwarders; dropped, they stop listening and cut their connections.
pub struct Forwarders {
    stop: Arc<OwnedFd>,
    connections: Arc<Connections>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Open connections, by number, to be cut at the end.
#[derive(Default)]
struct Connections(Mutex<(u64, std::collections::BTreeMap<u64, TcpStream>)>);

impl Connections {
    fn add(&self, stream: &TcpStream) -> io::Result<u64> {
        let stream = stream.try_clone()?;
        let mut all = lock(&self.0);
        all.0 += 1;
        let number = all.0;
        all.1.insert(number, stream);
        Ok(number)
    }

    fn remove(&self, number: u64) {
        lock(&self.0).1.remove(&number);
    }
}

impl Drop for Forwarders {
    fn drop(&mut self) {
        // An eventfd refuses only when it is full, and then it is readable already.
        let _ = rustix::io::write(&*self.stop, &1u64.to_ne_bytes());
        for stream in lock(&self.connections.0).1.values() {
            // A connection that is closed already needs no cutting.
            let _ = stream.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("cooper-worker: a forwarder panicked");
            }
        }
    }
}

impl Forwarders {
    /// Listens before the container starts, so that a port that is taken is an error of the request.
    pub fn start(ports: &[Port], member: &Member, request: &RequestContext) -> Result<Self, Error> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).doing(|| "make an eventfd")?);
        let mut forwarders = Self {
            stop,
            connections: Arc::default(),
            threads: Vec::new(),
        };
        for port in ports {
            let at = match port.protocol {
                PortProtocol::Tcp => forwarders.publish(port, member)?,
                PortProtocol::Udp => forwarders.publish_datagrams(port, member)?,
            };
            if port.host_port == 0 {
                request.emit(&Event::Published {
                    port: port.port,
                    protocol: port.protocol,
                    at: at.to_string(),
                })?;
            }
        }
        Ok(forwarders)
    }

    fn publish(&mut self, port: &Port, member: &Member) -> Result<SocketAddr, Error> {
        let (listener, at) = listen(port, |address| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let at = listener.local_addr()?;
            Ok((listener, at))
        })?;
        let target = SocketAddr::from((member.address, port.port));
        let namespace = Arc::new(namespace::share(&member.namespace)?);
        let (stop, connections) = (Arc::clone(&self.stop), Arc::clone(&self.connections));
        self.spawn(move || accept(&listener, &stop, &connections, target, &namespace))?;
        Ok(at)
    }

    fn publish_datagrams(&mut self, port: &Port, member: &Member) -> Result<SocketAddr, Error> {
        let (socket, at) = listen(port, |address| {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            let at = socket.local_addr()?;
            Ok((socket, at))
        })?;
        let target = SocketAddr::from((member.address, port.port));
        let namespace = namespace::share(&member.namespace)?;
        let stop = Arc::clone(&self.stop);
        self.spawn(move || {
            if let Err(error) = datagrams::forward(&socket, &stop, target, &namespace) {
                eprintln!("cooper-worker: forward datagrams: {error}");
            }
        })?;
        Ok(at)
    }

    fn spawn(&mut self, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = thread::Builder::new().name("port".to_owned()).spawn(work);
        self.threads.push(thread.doing(|| "start a thread")?);
        Ok(())
    }
}

/// Opens a socket on the machine; gives its address too, which has a port of the kernel's choice where none was asked for.
fn listen<T>(
    port: &Port,
    open: impl FnOnce(SocketAddr) -> io::Result<(T, SocketAddr)>,
) -> Result<(T, SocketAddr), Error> {
    let ip = if port.host_ip.is_empty() {
        IpAddr::from(Ipv4Addr::UNSPECIFIED)
    } else {
        parse(&port.host_ip)?
    };
    let address = SocketAddr::new(ip, port.host_port);
    let failed = |error: io::Error| {
        let message = format!("cannot publish port {}: listen on \"{address}\": {error}", port.port);
        Error::user("ARG_INVALID", message).hint(match error.kind() {
            io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
            io::ErrorKind::PermissionDenied => "only root may listen on ports below 1024 here",
            _ => "another program uses the port: choose another one, or let the kernel: -p PORT",
        })
    };
    open(address).map_err(failed)
}

fn parse(ip: &str) -> Result<IpAddr, Error> {
    ip.parse()
        .map_err(|_| Error::user("ARG_INVALID", format!("\"{ip}\" is no IP address")))
}

fn accept(
    listener: &TcpListener,
    stop: &OwnedFd,
    connections: &Arc<Connections>,
    target: SocketAddr,
    namespace: &Arc<OwnedFd>,
) {
    loop {
        let mut waiting = [PollFd::new(listener, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        if poll(&mut waiting, None).is_err_and(|error| error != rustix::io::Errno::INTR) {
            return;
        }
        if !waiting[1].revents().is_empty() {
            return;
        }
        let client = match listener.accept() {
            Ok((client, _)) => client,
            // No descriptor is left: the client waits until another one has gone.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                thread::sleep(PAUSE);
                continue;
            }
            // A client may have gone between poll and accept.
            Err(_) => continue,
        };
        let (connections, namespace) = (Arc::clone(connections), Arc::clone(namespace));
        let forward = move || {
            // What goes wrong with one connection is told to its client by closing it.
            let _ = forward(&client, target, &namespace, &connections);
            let _ = client.shutdown(Shutdown::Both);
        };
        if let Err(error) = thread::Builder::new().name("connection".to_owned()).spawn(forward) {
            eprintln!("cooper-worker: start a thread: {error}");
        }
    }
}

fn forward(
    client: &TcpStream,
    target: SocketAddr,
    namespace: &OwnedFd,
    connections: &Connections,
) -> Result<(), Error> {
    let doing = || "forward a connection";
    client.set_nonblocking(false).doing(doing)?;
    // This thread is of no other use: it stays in the container's network.
    namespace::enter(namespace.as_fd())?;
    let server = TcpStream::connect(target).doing(doing)?;
    let numbers = [
        connections.add(client).doing(doing)?,
        connections.add(&server).doing(doing)?,
    ];
    let both = thread::scope(|scope| {
        let back = scope.spawn(|| pass(&server, client));
        let there = pass(client, &server);
        let back = back.join().unwrap_or_else(|_| Err(io::Error::other("panic")));
        there.and(back)
    });
    numbers.into_iter().for_each(|number| connections.remove(number));
    both.doing(doing)
}

/// One direction; its end is passed on as an end of that direction only.
fn pass(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to).map(drop);
    copied.and(to.shutdown(Shutdown::Write))
}

/// Without a namespace of its own a container has no port to publish: on the machine's network it has it already.
pub fn refuse(ports: &[Port], host: bool, request: &RequestContext) -> Result<(), Error> {
    for port in ports {
        if !host {
            return Err(Error::user(
                "ARG_INVALID",
                "a container without network can publish no port",
            ));
        }
        if port.host_port != 0 && port.host_port != port.port {
            let message = format!("port {} cannot be published as {}", port.port, port.host_port);
            return Err(Error::user("UNSUPPORTED", message)
                .hint("the container is on the machine's network: publish the port under its own number"));
        }
        request.warn(format!(
            "port {} is the machine's own: the container is on its network",
            port.port
        ))?;
    }
    Ok(())
}
