//! Relays of UDP: one socket outside, and for each of its clients one in the target's network, so that answers find their way back.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::namespace;
use super::relay::Target;

/// The longest silent one goes when there are more.
const MOST_CLIENTS: usize = 1024;
const TICK: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
const MOST_BYTES: usize = 64 * 1024;

struct Client {
    socket: UdpSocket,
    last: Instant,
}

/// Passes datagrams on until `stop` is readable. The thread that calls this stays in the target's network.
pub fn forward(outside: &UdpSocket, stop: &OwnedFd, target: &Target) -> io::Result<()> {
    namespace::enter(target.namespace.as_fd()).map_err(|error| io::Error::other(error.to_string()))?;
    let mut clients: HashMap<SocketAddr, Client> = HashMap::new();
    let mut buffer = vec![0; MOST_BYTES];
    loop {
        let addresses: Vec<_> = clients.keys().copied().collect();
        let mut waiting = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(outside, PollFlags::IN)];
        waiting.extend(
            addresses
                .iter()
                .map(|address| PollFd::new(&clients[address].socket, PollFlags::IN)),
        );
        match poll(&mut waiting, Some(&TICK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<_> = waiting.iter().map(|each| !each.revents().is_empty()).collect();
        if ready[0] {
            return Ok(());
        }
        for (address, _) in addresses.iter().zip(&ready[2..]).filter(|(_, ready)| **ready) {
            if let Some(client) = clients.get_mut(address) {
                answer(client, outside, *address, &mut buffer);
            }
        }
        if ready[1] {
            take(outside, &mut clients, target.address, &mut buffer);
        }
        clients.retain(|_, client| client.last.elapsed() < target.patience);
    }
}

/// What one client sent. Datagrams may be lost: what cannot be passed on is.
fn take(outside: &UdpSocket, clients: &mut HashMap<SocketAddr, Client>, target: SocketAddr, buffer: &mut [u8]) {
    while let Ok((length, from)) = outside.recv_from(buffer) {
        if !clients.contains_key(&from) {
            let Ok(socket) = connect(target) else { continue };
            make_room(clients);
            let last = Instant::now();
            clients.insert(from, Client { socket, last });
        }
        if let Some(client) = clients.get_mut(&from) {
            client.last = Instant::now();
            let _ = client.socket.send(&buffer[..length]);
        }
    }
}

fn connect(target: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match target {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    socket.connect(target)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn make_room(clients: &mut HashMap<SocketAddr, Client>) {
    if clients.len() < MOST_CLIENTS {
        return;
    }
    let oldest = clients
        .iter()
        .min_by_key(|(_, client)| client.last)
        .map(|(address, _)| *address);
    if let Some(oldest) = oldest {
        clients.remove(&oldest);
    }
}

fn answer(client: &mut Client, outside: &UdpSocket, to: SocketAddr, buffer: &mut [u8]) {
    // An error here is that nobody listens in the container (yet): the client hears nothing, as of any datagram that is lost.
    while let Ok(length) = client.socket.recv(buffer) {
        client.last = Instant::now();
        let _ = outside.send_to(&buffer[..length], to);
    }
}
