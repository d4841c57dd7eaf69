//! The uplink: a network namespace with a bridge, and the way out behind one port of it. Every container is another port (member.rs). Where the
//! machine forwards packets and we are its root, it is the gateway (masquerade.rs); else they leave as connections of slirp4netns's own, for
//! which neither forwarding nor a firewall rule is needed.

use std::mem;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::io::Errno;

use crate::context::lock;
use crate::error::{Doing, Error};
use crate::sandbox::keeper::Keeper;

use super::beside::Beside;
use super::guard::Guard;
use super::layout::{Layout, OF_SLIRP, default_interface6};
use super::masquerade::{self, Masquerade};
use super::member::{Member, Numbers};
use super::netlink::Netlink;
use super::relay::Relays;
use super::slirp::{self, MTU, Serves, Slirp};
use super::{names, namespace};

const BRIDGE: &str = "uplink";
/// Ports of the bridge that lead out begin so; no container's does.
const OUT: &str = "out";
const OUT6: &str = "out6";

pub struct Uplink {
    inner: Arc<Inner>,
    spare: Mutex<Spare>,
}

/// The namespace of the next container.
enum Spare {
    None,
    Ready(Member),
    /// It is being made. `None`: that failed, which was said.
    Coming(JoinHandle<Option<Member>>),
}

impl Spare {
    fn take(&mut self) -> Option<Member> {
        match mem::replace(self, Self::None) {
            Self::None => None,
            Self::Ready(member) => Some(member),
            Self::Coming(thread) => thread.join().ok().flatten(),
        }
    }
}

pub struct Inner {
    /// Of the user namespace that containers are in.
    pub keeper: Option<Arc<Keeper>>,
    pub layout: Layout,
    pub namespace: OwnedFd,
    pub netlink: Mutex<Netlink>,
    pub bridge: u32,
    pub numbers: Mutex<Numbers>,
    /// `None` on a kernel that cannot filter packets of a bridge.
    pub guard: Option<Mutex<Guard>>,
    pub way: Way,
}

/// How packets leave the uplink.
pub enum Way {
    Masquerade {
        masquerade: Masquerade,
        /// By which containers have IPv6 where the machine does not forward it; `Err` says why they have none.
        beside: Result<Option<Beside>, String>,
        _names: Option<Relays>,
    },
    Slirp {
        _child: Slirp,
        /// Why not by masquerade.
        reason: String,
    },
}

/// The uplink's namespace while it is being made.
struct Made {
    namespace: OwnedFd,
    netlink: Netlink,
    bridge: u32,
    guard: Option<Guard>,
}

impl Uplink {
    pub fn make(keeper: Option<Arc<Keeper>>) -> Result<Self, Error> {
        Self::by_masquerade(keeper.clone()).or_else(|error| Self::by_slirp(keeper, error.to_string()))
    }

    fn by_masquerade(keeper: Option<Arc<Keeper>>) -> Result<Self, Error> {
        if masquerade::forwards_ipv6()
            && let Ok(uplink) = Self::masquerading(keeper.clone(), true)
        {
            return Ok(uplink);
        }
        Self::masquerading(keeper, false)
    }

    fn masquerading(keeper: Option<Arc<Keeper>>, with_ipv6: bool) -> Result<Self, Error> {
        let masquerade = Masquerade::claim(with_ipv6)?;
        let made = Made::new()?;
        let beside = if with_ipv6 || default_interface6().is_none() {
            Ok(None)
        } else {
            match slirp::check() {
                Ok(()) => Ok(Some(Beside::start(&made.namespace, OUT6, made.bridge)?)),
                Err(error) => Err(error.to_string()),
            }
        };
        masquerade.join(OUT, &made.namespace)?;
        let mut layout = masquerade.layout;
        if matches!(beside, Ok(Some(_))) {
            layout.network6 = Some(OF_SLIRP);
        }
        let _names = names::serve(&layout, &made.namespace, made.bridge)?;
        let way = Way::Masquerade {
            masquerade,
            beside,
            _names,
        };
        let uplink = made.into_uplink(keeper, layout, way)?;
        if let (Way::Masquerade { masquerade, .. }, Spare::Ready(first)) = (&uplink.inner.way, &*lock(&uplink.spare)) {
            masquerade.probe(&first.namespace)?;
        }
        Ok(uplink)
    }

    fn by_slirp(keeper: Option<Arc<Keeper>>, reason: String) -> Result<Self, Error> {
        let made = Made::new()?;
        let layout = Layout::choose();
        let serves = Serves {
            cidr: layout.cidr(),
            ipv6: layout.network6.is_some(),
        };
        let _child = Slirp::start(&made.namespace, OUT, &serves)?;
        made.into_uplink(keeper, layout, Way::Slirp { _child, reason })
    }

    /// For `doctor`.
    pub fn description(&self) -> String {
        let with_ipv6 = if self.inner.layout.network6.is_some() {
            ", with IPv6"
        } else {
            ""
        };
        let way = match &self.inner.way {
            Way::Masquerade { beside, .. } => match beside.as_ref().map(Option::as_ref) {
                Ok(None) => format!("nftables{with_ipv6}"),
                Ok(Some(beside)) => match beside.refusal() {
                    None => "nftables, with IPv6 by slirp4netns".to_owned(),
                    Some(reason) => format!("nftables, without IPv6: {reason}"),
                },
                Err(reason) => format!("nftables, without IPv6: {reason}"),
            },
            Way::Slirp { reason, .. } => format!("slirp4netns{with_ipv6}; not by nftables: {reason}"),
        };
        let unguarded = match self.inner.guard {
            Some(_) => "",
            None => {
                "; by packets made by hand a container may use another's address or reach the loopback: this kernel cannot filter packets of a bridge"
            }
        };
        format!("one namespace per container, uplink by {way}{unguarded}")
    }

    /// A namespace for one container: the one that waits, else a new one. The next is made meanwhile.
    pub fn join(&self) -> Result<Member, Error> {
        let mut spare = lock(&self.spare);
        let member = spare.take().map_or_else(|| Member::add(&self.inner), Ok)?;
        let inner = Arc::clone(&self.inner);
        // The container that needs it will meet the same error, and say it.
        let replenish = move || {
            Member::add(&inner)
                .inspect_err(|error| eprintln!("cooper-worker: {error}"))
                .ok()
        };
        let thread = thread::Builder::new().name("network".to_owned()).spawn(replenish);
        *spare = Spare::Coming(thread.doing(|| "start a thread")?);
        Ok(member)
    }
}

impl Drop for Uplink {
    /// The thread has a part in what is behind the uplink: that ends with the last one who has.
    fn drop(&mut self) {
        drop(lock(&self.spare).take());
    }
}

impl Made {
    fn new() -> Result<Self, Error> {
        let (namespace, (netlink, bridge, guard)) = namespace::with_new(make_bridge)?;
        Ok(Self {
            namespace,
            netlink,
            bridge,
            guard,
        })
    }

    /// With the interface `OUT` in its namespace, and the gateway behind it.
    fn into_uplink(self, keeper: Option<Arc<Keeper>>, layout: Layout, way: Way) -> Result<Uplink, Error> {
        let out = self
            .netlink
            .index(OUT)?
            .ok_or_else(|| Error::internal("the uplink's interface is not there"))?;
        self.netlink.add_port(out, self.bridge, MTU)?;
        if matches!(way, Way::Masquerade { .. }) {
            // Until the bridge had learned it, what is for the machine would go to slirp4netns beside it too, which would begin each connection again.
            self.netlink.set_station(out, layout.machine())?;
        }
        let inner = Arc::new(Inner {
            keeper,
            layout,
            namespace: self.namespace,
            netlink: Mutex::new(self.netlink),
            bridge: self.bridge,
            numbers: Mutex::default(),
            guard: self.guard.map(Mutex::new),
            way,
        });
        // What joining needs of the kernel must be there too.
        let spare = Mutex::new(Spare::Ready(Member::add(&inner)?));
        Ok(Uplink { inner, spare })
    }
}

fn make_bridge(netlink: &Netlink) -> Result<(Netlink, u32, Option<Guard>), Error> {
    // No container is to see the bridge's own addresses.
    for kind in ["all", "default"] {
        namespace::set(&format!("ipv6/conf/{kind}/disable_ipv6"), "1")?;
    }
    netlink.add_bridge(BRIDGE).map_err(explain)?;
    // Where the bridge has an address (names.rs), the namespace is not to be another way between containers.
    namespace::set("ipv4/ip_forward", "0")?;
    let bridge = netlink
        .index(BRIDGE)?
        .ok_or_else(|| Error::internal("the bridge is not there"))?;
    Ok((Netlink::open()?, bridge, Guard::make(OUT).ok()))
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
