//! The uplink: a network namespace with a bridge, and the way out behind one port of it. Every container is another port. Where the machine
//! forwards packets and we are its root, it is the gateway (masquerade.rs); else they leave as connections of slirp4netns's own, for which
//! neither forwarding nor a firewall rule is needed.

use std::collections::BTreeSet;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::io::Errno;

use crate::context::lock;
use crate::error::{Doing, Error};
use crate::sandbox::keeper::Keeper;

use super::layout::{Layout, PREFIX, PREFIX6};
use super::masquerade::Masquerade;
use super::namespace;
use super::netlink::Netlink;
use super::slirp::Slirp;

/// The first that slirp4netns does not use itself.
const FIRST: u8 = 15;
const LAST: u8 = 254;
/// slirp4netns's own advice for speed.
const SLIRP_MTU: u32 = 65520;
const BRIDGE: &str = "uplink";
const OUT: &str = "out";

pub struct Uplink {
    inner: Arc<Inner>,
    spare: Mutex<Spare>,
}

/// The namespace of the next container.
enum Spare {
    None,
    Ready(Prepared),
    /// It is being made. `None`: that failed, which was said.
    Coming(JoinHandle<Option<Prepared>>),
}

impl Spare {
    fn take(&mut self) -> Option<Prepared> {
        match mem::replace(self, Self::None) {
            Self::None => None,
            Self::Ready(prepared) => Some(prepared),
            Self::Coming(thread) => thread.join().ok().flatten(),
        }
    }
}

/// A namespace that is joined to the uplink, for the next container.
struct Prepared {
    namespace: OwnedFd,
    address: Ipv4Addr,
}

struct Inner {
    /// Of the user namespace that containers are in.
    keeper: Option<Arc<Keeper>>,
    layout: Layout,
    namespace: OwnedFd,
    netlink: Mutex<Netlink>,
    bridge: u32,
    numbers: Mutex<Numbers>,
    mtu: u32,
    way: Way,
}

/// How packets leave the uplink.
enum Way {
    Masquerade(Masquerade),
    Slirp {
        _child: Slirp,
        /// Why not by masquerade.
        reason: String,
    },
}

/// Which addresses are in use. They are given in turn: one that was used a moment ago may still be remembered by slirp4netns.
#[derive(Default)]
struct Numbers {
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
    inner: Arc<Inner>,
}

impl Member {
    pub fn layout(&self) -> &Layout {
        &self.inner.layout
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        lock(&self.inner.numbers).used.remove(&self.address.octets()[3]);
    }
}

impl Uplink {
    pub fn make(keeper: Option<Arc<Keeper>>) -> Result<Self, Error> {
        let layout = Layout::choose();
        match Self::by_masquerade(keeper.clone()) {
            Ok(uplink) => Ok(uplink),
            Err(error) => Self::by_slirp(keeper, layout, error.to_string()),
        }
    }

    fn by_masquerade(keeper: Option<Arc<Keeper>>) -> Result<Self, Error> {
        let masquerade = Masquerade::claim()?;
        let uplink = Self::with(keeper, |namespace| {
            masquerade.join(OUT, namespace)?;
            Ok((masquerade.layout, masquerade.mtu, Way::Masquerade(masquerade)))
        })?;
        if let (Way::Masquerade(masquerade), Spare::Ready(first)) = (&uplink.inner.way, &*lock(&uplink.spare)) {
            masquerade.probe(&first.namespace)?;
        }
        Ok(uplink)
    }

    fn by_slirp(keeper: Option<Arc<Keeper>>, layout: Layout, reason: String) -> Result<Self, Error> {
        Self::with(keeper, |namespace| {
            let _child = Slirp::start(namespace, OUT, SLIRP_MTU, &layout)?;
            Ok((layout, SLIRP_MTU, Way::Slirp { _child, reason }))
        })
    }

    /// `lead_out` makes the interface `OUT` in the uplink's namespace, with the gateway behind it.
    fn with(
        keeper: Option<Arc<Keeper>>,
        lead_out: impl FnOnce(&OwnedFd) -> Result<(Layout, u32, Way), Error>,
    ) -> Result<Self, Error> {
        let (namespace, (netlink, bridge)) = namespace::with_new(make_bridge)?;
        let (layout, mtu, way) = lead_out(&namespace)?;
        let out = netlink
            .index(OUT)?
            .ok_or_else(|| Error::internal("the uplink's interface is not there"))?;
        netlink.add_port(out, bridge, mtu)?;
        let (netlink, numbers) = (Mutex::new(netlink), Mutex::default());
        let inner = Arc::new(Inner {
            keeper,
            layout,
            namespace,
            netlink,
            bridge,
            numbers,
            mtu,
            way,
        });
        // What joining needs of the kernel must be there too.
        let spare = Mutex::new(Spare::Ready(prepare(&inner)?));
        Ok(Self { inner, spare })
    }

    /// For `doctor`.
    pub fn description(&self) -> String {
        let more = if self.inner.layout.ipv6 { ", with IPv6" } else { "" };
        let way = match &self.inner.way {
            Way::Masquerade(_) => "nftables".to_owned(),
            Way::Slirp { reason, .. } => format!("slirp4netns{more}; not by nftables: {reason}"),
        };
        format!("one namespace per container, uplink by {way}")
    }

    /// A namespace for one container: the one that waits, else a new one. The next is made meanwhile.
    pub fn join(&self) -> Result<Member, Error> {
        let mut spare = lock(&self.spare);
        let Prepared { namespace, address } = spare.take().map_or_else(|| prepare(&self.inner), Ok)?;
        let inner = Arc::clone(&self.inner);
        // The container that needs it will meet the same error, and say it.
        let replenish = move || {
            prepare(&inner)
                .inspect_err(|error| eprintln!("cooper-worker: {error}"))
                .ok()
        };
        let thread = thread::Builder::new().name("network".to_owned()).spawn(replenish);
        *spare = Spare::Coming(thread.doing(|| "start a thread")?);
        Ok(Member {
            namespace,
            address,
            inner: Arc::clone(&self.inner),
        })
    }
}

impl Drop for Uplink {
    /// The thread has a part in what is behind the uplink: that ends with the last one who has.
    fn drop(&mut self) {
        drop(lock(&self.spare).take());
    }
}

fn make_bridge(netlink: &Netlink) -> Result<(Netlink, u32), Error> {
    // No container is to see the bridge's own addresses.
    for kind in ["all", "default"] {
        namespace::set(&format!("ipv6/conf/{kind}/disable_ipv6"), "1")?;
    }
    netlink.add_bridge(BRIDGE).map_err(explain)?;
    let bridge = netlink
        .index(BRIDGE)?
        .ok_or_else(|| Error::internal("the bridge is not there"))?;
    Ok((Netlink::open()?, bridge))
}

/// The first thing that needs rights, or a part of the kernel.
fn explain(error: Error) -> Error {
    let Error::System { source, .. } = &error else {
        return error;
    };
    let (message, hint) = match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::PERM) => (
            "cooper has no right to make networks (CAP_NET_ADMIN)",
            "give it to the outer container: --cap-add NET_ADMIN",
        ),
        Some(Errno::OPNOTSUPP) => ("this kernel has no bridges", "load its modules \"bridge\" and \"veth\""),
        _ => return error,
    };
    Error::user("PRIVILEGE_MISSING", message).hint(hint)
}

fn prepare(inner: &Inner) -> Result<Prepared, Error> {
    let (number, count) = lock(&inner.numbers).take()?;
    let layout = inner.layout;
    let address = layout.address(number);
    let peer = format!("c{count}");
    let made = namespace::with_new_container(inner.keeper.as_deref(), |netlink, _| {
        // Before the interface: it takes these for its own. `lo` keeps ::1.
        namespace::set("ipv6/conf/default/disable_ipv6", if layout.ipv6 { "0" } else { "1" })?;
        namespace::set("ipv6/conf/default/accept_ra", "0")?;
        netlink.add_pair("eth0", &peer, inner.namespace.as_fd(), inner.mtu)?;
        let index = netlink
            .index("eth0")?
            .ok_or_else(|| Error::internal("the container's interface is not there"))?;
        netlink.add_address(index, address.into(), PREFIX)?;
        if let Some(address) = layout.address6(number) {
            netlink.add_address(index, address.into(), PREFIX6)?;
        }
        netlink.set_up(index)?;
        if let Way::Masquerade(masquerade) = &inner.way {
            netlink.add_neighbour(index, layout.gateway(), masquerade.station())?;
        }
        netlink.add_default_route(layout.gateway().into())?;
        match layout.gateway6() {
            Some(gateway) => netlink.add_default_route(gateway.into()),
            None => Ok(()),
        }
    });
    let (namespace, ()) = made.inspect_err(|_| {
        lock(&inner.numbers).used.remove(&number);
    })?;
    let netlink = lock(&inner.netlink);
    let port = netlink
        .index(&peer)?
        .ok_or_else(|| Error::internal("the bridge's interface is not there"))?;
    netlink.add_port(port, inner.bridge, inner.mtu)?;
    netlink.isolate_port(port)?;
    Ok(Prepared { namespace, address })
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
