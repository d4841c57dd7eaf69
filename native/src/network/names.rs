//! The uplink's resolver where the machine is the gateway: an address of the bridge's own, from which relays lead to a server that only the machine
//! itself reaches, say on its loopback. Nothing else of the uplink's namespace listens there, and it passes on no packet.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Doing, Error};

use super::layout::{Layout, PREFIX};
use super::namespace;
use super::netlink::Netlink;
use super::relay::{Relays, Target};
use super::resolver;

const PORT: u16 = 53;
/// Who asked for a name waits no longer for the answer. Source: resolv.conf(5), the most that `timeout` may be is 30 s, 5 s is usual.
const PATIENCE: Duration = Duration::from_secs(10);

/// `None` where no container asks it.
pub fn serve(layout: &Layout, uplink: &OwnedFd, bridge: u32) -> Result<Option<Relays>, Error> {
    if !resolver::is_asked(layout)? {
        return Ok(None);
    }
    // Where nobody can be asked, an address without a server says so at once.
    let address = SocketAddr::from((layout.resolver(), PORT));
    let server = resolver::behind(layout)?;
    let sockets = namespace::within(uplink.as_fd(), || {
        if namespace::setting("ipv4/ip_forward") != "0" {
            return Err(Error::user(
                "PRIVILEGE_MISSING",
                "the uplink would pass packets from one container to another",
            ));
        }
        Netlink::open()?.add_address(bridge, layout.resolver().into(), PREFIX)?;
        let doing = || format!("listen on {address}");
        let (datagrams, listener) = (
            UdpSocket::bind(address).doing(doing)?,
            TcpListener::bind(address).doing(doing)?,
        );
        datagrams.set_nonblocking(true).doing(doing)?;
        listener.set_nonblocking(true).doing(doing)?;
        Ok((datagrams, listener))
    });
    let (datagrams, listener) = sockets?;
    let Some(server) = server else { return Ok(None) };
    let machine = Arc::new(namespace::own()?);
    let target = || Target {
        address: server,
        namespace: Arc::clone(&machine),
        patience: PATIENCE,
    };
    let mut relays = Relays::new()?;
    relays.datagrams(datagrams, target())?;
    relays.connections(listener, target())?;
    Ok(Some(relays))
}
