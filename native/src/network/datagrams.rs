//! Relays of UDP: one socket outside, and for each of its clients one in the target's network, so that answers find their way back.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::namespace;
use super::relay::Target;

const MOST_CLIENTS: usize = 1024;
const TICK: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
const MOST_BYTES: usize = 64 * 1024;
/// Datagrams that are taken from one before the others have their turn: who sends all the time keeps nobody waiting, and not the end either.
const TURN: usize = 64;

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
    for _ in 0..TURN {
        let Ok((length, from)) = outside.recv_from(buffer) else {
            return;
        };
        if !clients.contains_key(&from) {
            let Ok(socket) = connect(target) else { continue };
            if clients.len() >= MOST_CLIENTS
                && let Some(gone) = least_missed(clients, from.ip())
            {
                clients.remove(&gone);
            }
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

/// Who makes room for a newcomer: the longest silent one of his own address, so that a container that floods the resolver takes nobody else's
/// answers; else the longest silent of all.
fn least_missed(clients: &HashMap<SocketAddr, Client>, newcomer: IpAddr) -> Option<SocketAddr> {
    let rank = |(address, client): &(&SocketAddr, &Client)| (address.ip() != newcomer, client.last);
    clients.iter().min_by_key(rank).map(|(address, _)| *address)
}

fn answer(client: &mut Client, outside: &UdpSocket, to: SocketAddr, buffer: &mut [u8]) {
    // An error here is that nobody listens in the container (yet): the client hears nothing, as of any datagram that is lost.
    for _ in 0..TURN {
        let Ok(length) = client.socket.recv(buffer) else { return };
        client.last = Instant::now();
        let _ = outside.send_to(&buffer[..length], to);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bound() -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    /// On the loopback what was sent is there.
    fn waiting(socket: &UdpSocket) -> usize {
        std::iter::from_fn(|| socket.recv(&mut [0]).ok()).count()
    }

    #[test]
    fn who_has_many_makes_room_for_himself() {
        let client = |number: u64| Client {
            socket: bound(),
            last: Instant::now() + Duration::from_secs(number),
        };
        let address = |host: u8, port: u16| SocketAddr::from(([10, 0, 2, host], port));
        let all = [address(15, 1), address(16, 1), address(16, 2), address(17, 1)];
        let clients: HashMap<_, _> = all.into_iter().zip((0..).map(client)).collect();
        for (newcomer, gone) in [(16, address(16, 1)), (17, address(17, 1)), (18, address(15, 1))] {
            let newcomer = address(newcomer, 9).ip();
            assert_eq!(least_missed(&clients, newcomer), Some(gone));
        }
    }

    #[test]
    fn a_flood_is_taken_turn_by_turn() {
        let (outside, sender, server) = (bound(), bound(), bound());
        for _ in 0..TURN + 3 {
            sender.send_to(&[0], outside.local_addr().unwrap()).unwrap();
        }
        let (mut clients, mut buffer) = (HashMap::new(), [0; 16]);
        take(&outside, &mut clients, server.local_addr().unwrap(), &mut buffer);
        assert_eq!((waiting(&server), waiting(&outside)), (TURN, 3));

        let client = clients.values_mut().next().unwrap();
        for _ in 0..TURN + 3 {
            server.send_to(&[0], client.socket.local_addr().unwrap()).unwrap();
        }
        answer(client, &outside, sender.local_addr().unwrap(), &mut buffer);
        assert_eq!((waiting(&sender), waiting(&client.socket)), (TURN, 3));
    }
}
