//! Published ports: a socket on the machine, of which the relays lead to the container, from within its namespace.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use crate::context::RequestContext;
use crate::error::Error;
use crate::protocol::{Event, Port, PortProtocol};

use super::member::Member;
use super::namespace;
use super::relay::{Relays, Target};

/// Source: the kernel's nf_conntrack_udp_timeout_stream, halved.
const PATIENCE: Duration = Duration::from_secs(60);

/// Relays to a container's ports, as long as it is held.
pub struct Forwarders(Relays);

impl Forwarders {
    /// Listens before the container starts, so that a port that is taken is an error of the request.
    pub fn start(ports: &[Port], member: &Member, request: &RequestContext) -> Result<Self, Error> {
        let mut forwarders = Self(Relays::new()?);
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
        self.0.connections(listener, target(port, member)?)?;
        Ok(at)
    }

    fn publish_datagrams(&mut self, port: &Port, member: &Member) -> Result<SocketAddr, Error> {
        let (socket, at) = listen(port, |address| {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            let at = socket.local_addr()?;
            Ok((socket, at))
        })?;
        self.0.datagrams(socket, target(port, member)?)?;
        Ok(at)
    }
}

fn target(port: &Port, member: &Member) -> Result<Target, Error> {
    Ok(Target {
        address: SocketAddr::from((member.address, port.port)),
        namespace: Arc::new(namespace::share(&member.namespace)?),
        patience: PATIENCE,
    })
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
