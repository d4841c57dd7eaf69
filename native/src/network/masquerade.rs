//! The uplink of root on a machine that forwards packets: the machine is the gateway, and a table of nftables gives what leaves it the
//! machine's address. Nothing of it needs a clean-up: the interface ends with our namespace, the table with our socket.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::error::{Doing, Error};

use super::layout::{self, Layout, PREFIX};
use super::netlink::{Netlink, Station};
use super::nftables::{Chain, Hook, Table};
use super::rule::{Compare, Rule};
use super::{namespace, resolver};

/// Where other builders were quicker so often, the machine is not made for it.
const MOST_TRIES: usize = 16;
/// An address of documentation, to which nobody has a route of its own. What is sent there is counted and never leaves the machine.
const NOBODY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 113);
/// How long the first packet may take: it waits for interfaces to come up.
const DEADLINE: Duration = Duration::from_millis(200);
/// How long a packet that arrived may take to leave.
const GRACE: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_millis(1);
/// Chains with a counter.
const ARRIVAL: &str = "arrival";
const DEPARTURE: &str = "departure";

pub struct Masquerade {
    table: Table,
    name: String,
    pub layout: Layout,
    pub mtu: u32,
}

impl Masquerade {
    /// Has a network of containers for us alone. The error says why this machine is not one for it.
    pub fn claim() -> Result<Self, Error> {
        let netlink = Netlink::open()?;
        let mtu = conditions(&netlink)?;
        for layout in Layout::free().take(MOST_TRIES) {
            let [a, b, c] = layout.network;
            let name = format!("cooper-{a:02x}{b:02x}{c:02x}");
            // Of a builder that has just died, for a moment.
            if netlink.index(&name)?.is_some() {
                continue;
            }
            match Table::make(&name, chains(&name, layout.network)) {
                Ok(table) => {
                    return Ok(Self {
                        table,
                        name,
                        layout,
                        mtu,
                    });
                }
                Err(Errno::EXIST) => {}
                Err(Errno::PERM) => return Err(reason("cooper has no right to it")),
                Err(error) => return Err(reason(format!("nftables does not work here: {error}"))),
            }
        }
        Err(reason("no network is free for it"))
    }

    /// Joins the machine to the uplink's namespace, where its end of the pair is `port`.
    pub fn join(&self, port: &str, uplink: &OwnedFd) -> Result<(), Error> {
        let netlink = Netlink::open()?;
        netlink
            .add_named_pair((&self.name, self.station()), port, uplink.as_fd(), self.mtu)
            .doing(|| "make a pair of interfaces")?;
        let index = netlink
            .index(&self.name)?
            .ok_or_else(|| Error::internal("the machine's interface is not there"))?;
        namespace::set(&format!("ipv6/conf/{}/disable_ipv6", self.name), "1")?;
        netlink.add_address(index, self.layout.gateway().into(), PREFIX)?;
        netlink.set_up(index)
    }

    /// Of the machine's end: one that anybody may give. Containers are told of it, so that the first packet is not lost in asking for it.
    pub fn station(&self) -> Station {
        let [a, b, c] = self.layout.network;
        [0x02, 0xc0, a, b, c, 2]
    }

    /// Whether what a container sends by TCP and UDP would leave the machine: a firewall may drop it. Nothing does leave.
    pub fn probe(&self, container: &OwnedFd) -> Result<(), Error> {
        namespace::within(container.as_fd(), || {
            let begin = Instant::now();
            let mut arrival = None;
            loop {
                knock();
                let arrived = self.packets(ARRIVAL)?;
                let left = self.packets(DEPARTURE)?;
                if arrived >= 2 && left >= arrived {
                    return Ok(());
                }
                if arrived >= 2 && arrival.get_or_insert_with(Instant::now).elapsed() > GRACE {
                    return Err(reason("a firewall drops what this machine forwards"));
                }
                if begin.elapsed() > DEADLINE {
                    return Err(reason("a packet of a container did not reach the machine"));
                }
                sleep(PAUSE);
            }
        })
    }

    fn packets(&self, chain: &str) -> Result<u64, Error> {
        self.table.packets(chain).doing(|| "read a counter of nftables")
    }
}

/// One packet by UDP and one by TCP, as steps send most. What becomes of them is counted elsewhere.
fn knock() {
    if let Ok(socket) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)) {
        let _ = socket.send_to(&[0], (NOBODY, 53));
    }
    let _ = TcpStream::connect_timeout(&SocketAddr::from((NOBODY, 443)), PAUSE);
}

/// What must be so before anything is tried. Gives the length of packets on the machine's way out.
fn conditions(netlink: &Netlink) -> Result<u32, Error> {
    let forwards = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap_or_default();
    if forwards.trim() != "1" {
        return Err(reason(
            "this machine does not forward packets (net.ipv4.ip_forward is 0)",
        ));
    }
    // Containers would lose what slirp4netns gives them.
    if Layout::choose().ipv6 {
        return Err(reason(
            "this machine has IPv6, which containers get by slirp4netns only",
        ));
    }
    let Some(interface) = layout::default_interface() else {
        return Err(reason("this machine has no default route"));
    };
    if resolver::needs_forwarder()? {
        return Err(reason(
            "this machine asks for names on its loopback, where only slirp4netns reaches",
        ));
    }
    let mtu = netlink.mtu(&interface)?;
    mtu.ok_or_else(|| reason(format!("the default route's interface \"{interface}\" is not there")))
}

/// Why not, to follow "not by nftables: ".
fn reason(message: impl Into<String>) -> Error {
    Error::user("PRIVILEGE_MISSING", message)
}

fn chains(interface: &str, network: [u8; 3]) -> Vec<Chain> {
    let from = || Rule::new().coming_by(interface);
    vec![
        Chain {
            name: ARRIVAL,
            kind: "filter",
            hook: Hook::PreRouting,
            priority: -300, // NF_IP_PRI_RAW: before anybody remembers the connection
            rules: vec![
                from().source(Compare::Other, &network).drop(),
                // With route_localnet, which Kubernetes sets, a packet made by hand would come to the machine's loopback.
                from().destination(&[127]).drop(),
                from().destination(&NOBODY.octets()).count(),
            ],
        },
        Chain {
            name: "containers",
            kind: "filter",
            hook: Hook::PostRouting,
            priority: 0,
            // Nobody begins to talk to a container: not another one by way of the machine, no neighbour, no user of the machine.
            rules: vec![Rule::new().leaving_by(Compare::Equal, interface).unasked().drop()],
        },
        Chain {
            name: DEPARTURE,
            kind: "filter",
            hook: Hook::PostRouting,
            priority: 99, // just before it gets the machine's address
            rules: vec![
                Rule::new()
                    .source(Compare::Equal, &network)
                    .destination(&NOBODY.octets())
                    .count()
                    .drop(),
            ],
        },
        Chain {
            name: "masquerade",
            kind: "nat",
            hook: Hook::PostRouting,
            priority: 100, // NF_IP_PRI_NAT_SRC
            rules: vec![
                Rule::new()
                    .source(Compare::Equal, &network)
                    .leaving_by(Compare::Other, interface)
                    .masquerade(),
            ],
        },
    ]
}
