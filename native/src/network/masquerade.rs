//! The uplink of root on a machine that forwards packets: the machine is the gateway, and a table of nftables gives what leaves it the
//! machine's address, one of IPv4 and, where the machine forwards that too, one of IPv6. Nothing of it needs a clean-up: the interface ends
//! with our namespace, the tables with our sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::error::{Doing, Error};

use super::layout::{self, Layout, PREFIX, PREFIX6, Prefix6};
use super::namespace::{self, setting};
use super::netlink::Netlink;
use super::nftables::{Chain, Family, Hook, Table};
use super::rule::{Compare, DESTINATION4, DESTINATION6, Place, Rule, SOURCE4, SOURCE6};
use super::slirp::MTU;

/// Where other builders were quicker so often, the machine is not made for it.
const MOST_TRIES: usize = 16;
/// An address of documentation, to which nobody has a route of its own. What is sent there is counted and never leaves the machine.
const NOBODY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 113);
const NOBODY6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc0, 0, 0, 0, 0, 0x113);
/// How long the first packet may take: it waits for interfaces to come up, which on a busy machine takes its time.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a packet that arrived may take to leave.
const GRACE: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(1);
/// Chains with a counter.
const ARRIVAL: &str = "arrival";
const DEPARTURE: &str = "departure";

pub struct Masquerade {
    tables: Vec<Table>,
    name: String,
    pub layout: Layout,
    /// How long packets on the machine's way out may be.
    pub mtu: u32,
    /// Where the machine itself is reached, by packets as long as those of the uplink.
    pub machine: Vec<IpAddr>,
}

/// Whether the machine is a gateway of IPv6: it has a way out by it, and forwards what comes from elsewhere.
pub fn forwards_ipv6() -> bool {
    layout::default_interface6().is_some() && setting("ipv6/conf/all/forwarding") == "1"
}

impl Masquerade {
    /// Has a network of containers for us alone. The error says why this machine is not one for it.
    pub fn claim(with_ipv6: bool) -> Result<Self, Error> {
        let netlink = Netlink::open()?;
        let mtu = conditions(&netlink, with_ipv6)?;
        for network in Layout::free().take(MOST_TRIES) {
            let [a, b, c] = network;
            let name = format!("cooper-{a:02x}{b:02x}{c:02x}");
            // Of a builder that has just died, for a moment.
            if netlink.index(&name)?.is_some() {
                continue;
            }
            let layout = Layout {
                network,
                network6: with_ipv6.then(|| layout::own_prefix6(network)),
                own_resolver: true,
            };
            match tables(&name, &layout) {
                Ok(tables) => {
                    return Ok(Self {
                        tables,
                        name,
                        layout,
                        mtu,
                        machine: layout::own_addresses(),
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
        netlink.add_pair((&self.name, self.layout.machine()), port, uplink.as_fd(), MTU)?;
        let index = netlink
            .index(&self.name)?
            .ok_or_else(|| Error::internal("the machine's interface is not there"))?;
        let set = |name: &str, value: &str| namespace::set(&format!("ipv6/conf/{}/{name}", self.name), value);
        // Containers tell the machine of no route, and find no address of it but the gateway's.
        set("accept_ra", "0")?;
        set("addr_gen_mode", "1")?;
        set("disable_ipv6", if self.has_ipv6() { "0" } else { "1" })?;
        netlink.add_address(index, self.layout.gateway().into(), PREFIX)?;
        if let Some(gateway) = self.layout.gateway6() {
            netlink.add_address(index, gateway.into(), PREFIX6)?;
        }
        netlink.set_up(index)
    }

    /// Tells the machine where a container is, which another one could claim to be by IPv6.
    pub fn introduce(&self, number: u8) -> Result<(), Error> {
        let Some(address) = self.layout.address6(number) else {
            return Ok(());
        };
        let netlink = Netlink::open()?;
        match netlink.index(&self.name)? {
            Some(index) => netlink.set_neighbour(index, address.into(), self.layout.station(number)),
            None => Err(Error::internal("the machine's interface is not there")),
        }
    }

    pub fn has_ipv6(&self) -> bool {
        self.layout.network6.is_some()
    }

    /// Whether what a container sends by TCP and UDP would leave the machine: a firewall may drop it. Nothing does leave.
    pub fn probe(&self, container: &OwnedFd) -> Result<(), Error> {
        let expected = 2 * self.tables.len() as u64;
        namespace::within(container.as_fd(), || {
            let begin = Instant::now();
            let mut arrival = None;
            loop {
                knock(NOBODY.into());
                if self.has_ipv6() {
                    knock(NOBODY6.into());
                }
                let counted = self.tables.iter().map(|table| {
                    let (arrived, left) = (table.packets(ARRIVAL)?, table.packets(DEPARTURE)?);
                    Ok((arrived.min(2), if left >= arrived { left.min(2) } else { 0 }))
                });
                let counted: Vec<(u64, u64)> = counted
                    .collect::<rustix::io::Result<_>>()
                    .doing(|| "read a counter of nftables")?;
                let arrived: u64 = counted.iter().map(|(arrived, _)| arrived).sum();
                let left: u64 = counted.iter().map(|(_, left)| left).sum();
                if left == expected {
                    return Ok(());
                }
                if arrived == expected && arrival.get_or_insert_with(Instant::now).elapsed() > GRACE {
                    return Err(reason("a firewall drops what this machine forwards"));
                }
                if begin.elapsed() > DEADLINE {
                    return Err(reason("a packet of a container did not reach the machine"));
                }
                sleep(PAUSE);
            }
        })
    }
}

/// One packet by UDP and one by TCP, as steps send most. What becomes of them is counted elsewhere.
fn knock(address: IpAddr) {
    let any = match address {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    if let Ok(socket) = UdpSocket::bind((any, 0)) {
        let _ = socket.send_to(&[0], (address, 53));
    }
    let _ = TcpStream::connect_timeout(&SocketAddr::from((address, 443)), PAUSE);
}

/// What must be so before anything is tried. Gives the length of packets on the machine's way out.
fn conditions(netlink: &Netlink, with_ipv6: bool) -> Result<u32, Error> {
    if setting("ipv4/ip_forward") != "1" {
        return Err(reason(
            "this machine does not forward packets (net.ipv4.ip_forward is 0)",
        ));
    }
    let Some(interface) = layout::default_interface() else {
        return Err(reason("this machine has no default route"));
    };
    let mut shortest = u32::MAX;
    let interface6 = layout::default_interface6().filter(|_| with_ipv6);
    for interface in [interface].into_iter().chain(interface6) {
        let missing = || reason(format!("the default route's interface \"{interface}\" is not there"));
        shortest = shortest.min(netlink.mtu(&interface)?.ok_or_else(missing)?);
    }
    Ok(shortest)
}

/// Why not, to follow "not by nftables: ".
fn reason(message: impl Into<String>) -> Error {
    Error::user("PRIVILEGE_MISSING", message)
}

/// What the rules are about, in one family.
struct Packets<'a> {
    family: Family,
    interface: &'a str,
    network: &'a [u8],
    nobody: &'a [u8],
    source: Place,
    destination: Place,
}

fn tables(name: &str, layout: &Layout) -> rustix::io::Result<Vec<Table>> {
    let four = Packets {
        family: Family::Ip4,
        interface: name,
        network: &layout.network,
        nobody: &NOBODY.octets(),
        source: SOURCE4,
        destination: DESTINATION4,
    };
    let mut tables = vec![Table::make(four.family, name, &[], four.chains())?];
    if let Some(network6) = &layout.network6 {
        let six = Packets {
            family: Family::Ip6,
            interface: name,
            network: network6 as &Prefix6,
            nobody: &NOBODY6.octets(),
            source: SOURCE6,
            destination: DESTINATION6,
        };
        tables.push(Table::make(six.family, name, &[], six.chains())?);
    }
    Ok(tables)
}

impl Packets<'_> {
    fn chains(&self) -> Vec<Chain> {
        use Compare::{Equal, Other};
        vec![
            Chain {
                name: ARRIVAL,
                kind: "filter",
                hook: Hook::PreRouting,
                priority: -300, // NF_IP_PRI_RAW: before anybody remembers the connection
                rules: self.arrival(),
            },
            Chain {
                name: "containers",
                kind: "filter",
                hook: Hook::PostRouting,
                priority: 0,
                // Nobody begins to talk to a container: not another one by way of the machine, no neighbour, no user of the machine.
                rules: vec![Rule::new().leaving_by(Equal, self.interface).unasked().drop()],
            },
            Chain {
                name: DEPARTURE,
                kind: "filter",
                hook: Hook::PostRouting,
                priority: 99, // just before it gets the machine's address
                rules: vec![
                    Rule::new()
                        .having(self.source, Equal, self.network)
                        .having(self.destination, Equal, self.nobody)
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
                        .having(self.source, Equal, self.network)
                        .leaving_by(Other, self.interface)
                        .masquerade(),
                ],
            },
        ]
    }

    fn arrival(&self) -> Vec<Rule> {
        let from = || Rule::new().coming_by(self.interface);
        let mut rules = vec![from().having(self.source, Compare::Other, self.network).drop()];
        if self.family == Family::Ip4 {
            // With route_localnet, which Kubernetes sets, a packet made by hand would come to the machine's loopback. IPv6 has no such setting.
            rules.push(from().having(self.destination, Compare::Equal, &[127]).drop());
        }
        rules.push(from().having(self.destination, Compare::Equal, self.nobody).count());
        rules
    }
}
