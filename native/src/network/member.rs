//! A container's place on the uplink: a namespace whose one interface is behind a port of the bridge, with addresses that nobody else may use.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::context::lock;
use crate::error::{Doing, Error};

use super::guard::{self, Identity};
use super::layout::{Layout, PREFIX, PREFIX6};
use super::namespace;
use super::netlink::{Netlink, Route};
use super::slirp::MTU;
use super::uplink::{Inner, Way};

/// The first that slirp4netns does not use itself.
const FIRST: u8 = 15;
const LAST: u8 = 254;
const INTERFACE: &str = "eth0";

/// Which addresses are in use. They are given in turn: one that was used a moment ago may still be remembered by slirp4netns.
#[derive(Default)]
pub struct Numbers {
    used: BTreeSet<u8>,
    /// Members so far: names of interfaces are never used again, as the kernel takes old ones away in its own time.
    count: u32,
}

impl Numbers {
    /// A free address's last byte, and a number that is new.
    fn take(&mut self) -> Result<(u8, u32), Error> {
        let size = u32::from(LAST - FIRST) + 1;
        let turn = (0..size).map(|step| FIRST + ((self.count + step) % size) as u8);
        let free = turn.into_iter().find(|number| !self.used.contains(number));
        let number =
            free.ok_or_else(|| Error::user("UNSUPPORTED", format!("more than {size} containers at the same time")))?;
        self.used.insert(number);
        self.count += 1;
        Ok((number, self.count))
    }
}

/// A container's namespace, joined to the uplink.
pub struct Member {
    pub namespace: OwnedFd,
    pub address: Ipv4Addr,
    claim: Claim,
}

/// A number, and what may be sent under it, for as long as this is held.
struct Claim {
    number: u8,
    identity: Identity,
    inner: Arc<Inner>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(guard) = &self.inner.guard
            && let Err(error) = lock(guard).remove(&self.identity)
        {
            eprintln!("cooper-worker: forget the addresses of a container: {error}");
        }
        lock(&self.inner.numbers).used.remove(&self.number);
    }
}

impl Claim {
    fn make(inner: &Arc<Inner>) -> Result<Self, Error> {
        let (number, count) = lock(&inner.numbers).take()?;
        let layout = &inner.layout;
        let station = layout.station(number);
        let global = layout.address6(number);
        let addresses6 = global
            .into_iter()
            .flat_map(|address| [address, guard::of_link(station)]);
        let claim = Self {
            number,
            identity: Identity {
                port: format!("c{count}"),
                station,
                addresses: [IpAddr::from(layout.address(number))]
                    .into_iter()
                    .chain(addresses6.map(IpAddr::from))
                    .collect(),
            },
            inner: Arc::clone(inner),
        };
        if let Some(guard) = &inner.guard {
            lock(guard)
                .add(&claim.identity)
                .doing(|| "say what a container may send")?;
        }
        Ok(claim)
    }
}

impl Member {
    pub fn layout(&self) -> &Layout {
        &self.claim.inner.layout
    }

    pub fn add(inner: &Arc<Inner>) -> Result<Self, Error> {
        let claim = Claim::make(inner)?;
        if let Way::Masquerade { masquerade, .. } = &inner.way {
            masquerade.introduce(claim.number)?;
        }
        let (namespace, ()) =
            namespace::with_new_container(inner.keeper.as_deref(), |netlink, _| set_up(netlink, &claim))?;
        let netlink = lock(&inner.netlink);
        let port = netlink
            .index(&claim.identity.port)?
            .ok_or_else(|| Error::internal("the bridge's interface is not there"))?;
        netlink.add_port(port, inner.bridge, MTU)?;
        netlink.isolate_port(port)?;
        netlink.set_station(port, claim.identity.station)?;
        drop(netlink);
        Ok(Self {
            namespace,
            address: inner.layout.address(claim.number),
            claim,
        })
    }
}

/// In the container's namespace.
fn set_up(netlink: &Netlink, claim: &Claim) -> Result<(), Error> {
    let Claim {
        number,
        identity,
        inner,
    } = claim;
    let layout = &inner.layout;
    // Before the interface: it takes these for its own. `lo` keeps ::1.
    let disable = if layout.network6.is_some() { "0" } else { "1" };
    namespace::set("ipv6/conf/default/disable_ipv6", disable)?;
    namespace::set("ipv6/conf/default/accept_ra", "0")?;
    netlink.add_pair(
        (INTERFACE, identity.station),
        &identity.port,
        inner.namespace.as_fd(),
        MTU,
    )?;
    let index = netlink
        .index(INTERFACE)?
        .ok_or_else(|| Error::internal("the container's interface is not there"))?;
    netlink.add_address(index, layout.address(*number).into(), PREFIX)?;
    if let Some(address) = layout.address6(*number) {
        netlink.add_address(index, address.into(), PREFIX6)?;
    }
    netlink.set_up(index)?;
    lead_out(netlink, index, inner)
}

/// Routes of a container. By the machine's kernel packets go as they are: those that leave it are no longer than its way out takes, while its own
/// addresses are reached by long ones, which cost less.
fn lead_out(netlink: &Netlink, index: u32, inner: &Inner) -> Result<(), Error> {
    let layout = &inner.layout;
    let gateways = [
        Some(IpAddr::from(layout.gateway())),
        layout.gateway6().map(IpAddr::from),
    ];
    for gateway in gateways.into_iter().flatten() {
        let by_machine = match &inner.way {
            Way::Masquerade { masquerade, .. } => (gateway.is_ipv4() || masquerade.has_ipv6()).then_some(masquerade),
            Way::Slirp { .. } => None,
        };
        if by_machine.is_some() {
            netlink.set_neighbour(index, gateway, layout.machine())?;
        }
        netlink.add_route(&Route {
            to: None,
            gateway,
            mtu: by_machine.map(|machine| machine.mtu),
        })?;
        let own = by_machine.map_or(&[][..], |machine| &machine.machine);
        for &address in own.iter().filter(|address| address.is_ipv4() == gateway.is_ipv4()) {
            netlink.add_route(&Route {
                to: Some(address),
                gateway,
                mtu: None,
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_used_once_and_in_turn() {
        let mut numbers = Numbers::default();
        let taken: Vec<_> = (0..240).map(|_| numbers.take().unwrap()).collect();
        assert_eq!(taken[..2], [(15, 1), (16, 2)]);
        assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 240);
        assert!(numbers.take().is_err());
        numbers.used.remove(&77);
        assert_eq!(numbers.take().unwrap(), (77, 241));
    }
}
