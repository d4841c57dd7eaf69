//! Addresses of the uplink's network: .2 of it is the gateway and .3 the resolver, as slirp4netns has it, in IPv6 too.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks to choose from, /24 each: slirp4netns's own, then some that are seldom used.
const CANDIDATES: [[u8; 3]; 6] = [
    [10, 0, 2],
    [10, 87, 61],
    [172, 29, 61],
    [192, 168, 187],
    [10, 213, 42],
    [100, 101, 61],
];
/// The last byte of its addresses.
const GATEWAY: u8 = 2;
pub const PREFIX: u8 = 24;
pub const PREFIX6: u8 = 64;
/// The only network that slirp4netns has for IPv6.
pub const OF_SLIRP: Prefix6 = [0xfd, 0, 0, 0, 0, 0, 0, 0];
/// What slirp4netns has for IPv4 where it is there for IPv6 alone: a network that no machine has a route to. Source: RFC 6890, table 7.
pub const UNUSED: &str = "192.0.0.0/24";
/// More of them are reached by the default route, as any other.
const MOST_ADDRESSES: usize = 32;

/// Flags of a route. Source: the kernel's route.h and ipv6_route.h.
const RTF_UP: u32 = 1;
const RTF_REJECT: u32 = 0x200;

/// The first half of addresses of IPv6.
pub type Prefix6 = [u8; 8];
/// The address of an interface on its link.
pub type Station = [u8; 6];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub network: [u8; 3],
    /// `None` where the machine can reach nobody by IPv6.
    pub network6: Option<Prefix6>,
    /// Whether the resolver is ours (names.rs), which asks any server, rather than slirp4netns's, which asks one of its own family.
    pub own_resolver: bool,
}

impl Layout {
    /// A network to which the machine has no route: what it reaches there, containers reach too. The first candidate where all are taken: then
    /// it is as good as any other.
    pub fn choose() -> Self {
        Self {
            network: free_networks(&read("route")).next().unwrap_or(CANDIDATES[0]),
            network6: default_interface6().map(|_| OF_SLIRP),
            own_resolver: false,
        }
    }

    /// Networks for builders side by side, to none of which the machine has a route.
    pub fn free() -> impl Iterator<Item = [u8; 3]> {
        free_networks(&read("route"))
    }

    /// As `10.0.2.0/24`.
    pub fn cidr(&self) -> String {
        format!("{}/{PREFIX}", self.address(0))
    }

    pub fn address(&self, number: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, number)
    }

    pub fn address6(&self, number: u8) -> Option<Ipv6Addr> {
        let last = [0, 0, 0, 0, 0, 0, 0, number];
        let address = |prefix: Prefix6| <[u8; 16]>::try_from([prefix, last].concat()).ok();
        self.network6.and_then(address).map(Ipv6Addr::from)
    }

    /// Where such an address is on the link.
    pub fn station(&self, number: u8) -> Station {
        let [a, b, c] = self.network;
        [0x02, 0xc0, a, b, c, number]
    }

    pub fn gateway(&self) -> Ipv4Addr {
        self.address(GATEWAY)
    }

    pub fn gateway6(&self) -> Option<Ipv6Addr> {
        self.address6(GATEWAY)
    }

    /// Where the machine is, where it is the gateway.
    pub fn machine(&self) -> Station {
        self.station(GATEWAY)
    }

    pub fn resolver(&self) -> Ipv4Addr {
        self.address(3)
    }

    pub fn resolver6(&self) -> Option<Ipv6Addr> {
        self.address6(3)
    }
}

/// A network of IPv6 as seldom as one can be, for those who have a network of IPv4 to themselves.
pub fn own_prefix6([a, b, c]: [u8; 3]) -> Prefix6 {
    [0xfd, 0xc0, 0x0e, a, b, c, 0, 0]
}

/// The interface by which the machine reaches the world.
pub fn default_interface() -> Option<String> {
    way_out(&read("route"))
}

/// The same of IPv6.
pub fn default_interface6() -> Option<String> {
    way_out6(&read("ipv6_route"))
}

/// Where the machine itself is reached from outside.
pub fn own_addresses() -> Vec<IpAddr> {
    let addresses = own4(&read("fib_trie")).into_iter().map(IpAddr::from);
    let addresses6 = own6(&read("if_inet6")).into_iter().map(IpAddr::from);
    addresses.chain(addresses6).take(MOST_ADDRESSES).collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
}

/// `routes`: as /proc/net/route has them.
fn free_networks(routes: &str) -> impl Iterator<Item = [u8; 3]> + use<> {
    let routes: Vec<_> = routes.lines().skip(1).filter_map(route).collect();
    let taken = move |[a, b, c]: &[u8; 3]| {
        let network = u32::from(Ipv4Addr::new(*a, *b, *c, 0));
        let own = u32::MAX << (32 - PREFIX);
        routes.iter().any(|(to, mask)| (to ^ network) & mask & own == 0)
    };
    let more = (0..=255).map(|number| [10, 213, number]);
    CANDIDATES
        .into_iter()
        .chain(more)
        .filter(move |candidate| !taken(candidate))
}

/// Of the default route that is preferred.
fn way_out(routes: &str) -> Option<String> {
    let default = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let number = |place: usize| u32::from_str_radix(fields.get(place)?, 16).ok();
        let usable = number(3)? & (RTF_UP | RTF_REJECT) == RTF_UP;
        let metric: u32 = fields.get(6)?.parse().ok()?;
        (usable && number(1)? == 0 && number(7)? == 0).then(|| (metric, fields[0].to_owned()))
    };
    let found = routes.lines().skip(1).filter_map(default);
    found.min_by_key(|(metric, _)| *metric).map(|(_, interface)| interface)
}

/// Destination and mask; `None` of the default route, which says nothing about any network.
fn route(line: &str) -> Option<(u32, u32)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let number = |place: usize| u32::from_str_radix(fields.get(place)?, 16).ok().map(u32::swap_bytes);
    let (to, mask) = (number(1)?, number(7)?);
    (mask != 0).then_some((to, mask))
}

/// `routes`: as /proc/net/ipv6_route has them.
fn way_out6(routes: &str) -> Option<String> {
    let default = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [to, length, .., metric, _, _, flags, device] = fields[..] else {
            return None;
        };
        let flags = u32::from_str_radix(flags, 16).unwrap_or(RTF_REJECT);
        let usable = flags & (RTF_UP | RTF_REJECT) == RTF_UP && device != "lo";
        let to_all = length == "00" && to.bytes().all(|byte| byte == b'0');
        let metric = u32::from_str_radix(metric, 16).ok()?;
        (to_all && usable).then(|| (metric, device.to_owned()))
    };
    let found = routes.lines().filter_map(default);
    found.min_by_key(|(metric, _)| *metric).map(|(_, device)| device)
}

/// `routes`: as /proc/net/fib_trie has them, where what is said of an address follows it on lines of their own.
fn own4(routes: &str) -> BTreeSet<Ipv4Addr> {
    let mut address = None;
    let mut own = BTreeSet::new();
    for line in routes.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("|-- ") {
            address = text.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            own.extend(address.filter(|address| !address.is_loopback()));
        }
    }
    own
}

/// `addresses`: as /proc/net/if_inet6 has them. Those of a link or a host alone are left out.
fn own6(addresses: &str) -> BTreeSet<Ipv6Addr> {
    let global = |line: &str| {
        let mut fields = line.split_whitespace();
        let (address, scope) = (fields.next()?, fields.nth(2)?);
        let address = u128::from_str_radix(address, 16).ok()?;
        (scope == "00").then(|| Ipv6Addr::from(address))
    };
    addresses.lines().filter_map(global).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Layout {
        pub fn of(network: [u8; 3], ipv6: bool) -> Self {
            Self {
                network,
                network6: ipv6.then_some(OF_SLIRP),
                own_resolver: false,
            }
        }
    }

    const HEADER: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_network_is_taken_that_the_machine_has_no_route_to() {
        let line = |to: &str, mask: &str| format!("eth0\t{to}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n");
        for (routes, want) in [
            (String::new(), [10, 0, 2]),
            // The default route alone, and 192.0.2.0/24.
            (line("00000000", "00000000") + &line("000200C0", "00FFFFFF"), [10, 0, 2]),
            // 10.0.2.0/24, as in many virtual machines.
            (line("0002000A", "00FFFFFF"), [10, 87, 61]),
            // 10.0.0.0/8 and 172.16.0.0/12.
            (
                line("0000000A", "000000FF") + &line("000010AC", "0000F0FF"),
                [192, 168, 187],
            ),
            // 10.0.2.7/32: one host of it is enough.
            (line("0702000A", "FFFFFFFF"), [10, 87, 61]),
        ] {
            assert_eq!(
                free_networks(&(HEADER.to_owned() + &routes)).next(),
                Some(want),
                "{routes}"
            );
        }
    }

    #[test]
    fn the_way_out_is_the_default_route_of_the_lowest_metric() {
        let line = |interface: &str, to: &str, flags: &str, metric: u32, mask: &str| {
            format!("{interface}\t{to}\t010200C0\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0\n")
        };
        let nowhere = line("*", "00000000", "0203", 1, "00000000");
        let half = line("tun0", "00000000", "0003", 0, "00000080");
        let wireless = line("wlan0", "00000000", "0003", 600, "00000000");
        let wired = line("eth0", "00000000", "0003", 100, "00000000");
        for (routes, want) in [
            (String::new(), None),
            (nowhere.clone() + &half, None),
            (wireless.clone() + &wired + &half, Some("eth0")),
            (nowhere + &wireless, Some("wlan0")),
        ] {
            assert_eq!(way_out(&(HEADER.to_owned() + &routes)).as_deref(), want, "{routes}");
        }
    }

    #[test]
    fn ipv6_is_there_with_a_default_route_that_leads_somewhere() {
        let zero = "0".repeat(32);
        let line = |to: &str, length: &str, metric: &str, flags: &str, device: &str| {
            format!("{to} {length} {zero} 00 {zero} {metric} 00000001 00000000 {flags} {device:>8}\n")
        };
        let ula = format!("fd{}", &zero[2..]);
        let wired = line(&zero, "00", "00000400", "00000003", "eth0");
        for (routes, want) in [
            (wired.clone(), Some("eth0")),
            (
                line(&zero, "00", "00000500", "00000003", "wlan0") + &wired,
                Some("eth0"),
            ),
            // What every kernel with IPv6 has: unreachable, by lo.
            (line(&zero, "00", "00000400", "00200200", "lo"), None),
            (line(&ula, "40", "00000400", "00000001", "eth0"), None),
            (String::new(), None),
        ] {
            assert_eq!(way_out6(&routes).as_deref(), want, "{routes}");
        }
    }

    #[test]
    fn addresses_of_the_machine_are_those_that_it_is_reached_by() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 192.0.2.0/24 2 0 2\n        \
                    |-- 192.0.2.0\n           /24 link UNICAST\n        |-- 192.0.2.10\n           /32 host LOCAL\n     \
                    |-- 127.0.0.1\n        /32 host LOCAL\n        |-- 192.0.2.255\n           /32 link BROADCAST\nLocal:\n        \
                    |-- 192.0.2.10\n           /32 host LOCAL\n";
        assert_eq!(own4(trie), BTreeSet::from([Ipv4Addr::new(192, 0, 2, 10)]));
        let list = "00000000000000000000000000000001 01 80 10 80       lo\n20010db8000000000000000000000010 04 40 00 82     eth0\n\
                    fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n";
        let want = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);
        assert_eq!(own6(list), BTreeSet::from([want]));
        assert!(own4("|-- x\n/32 host LOCAL\n").is_empty() && own6("x\n").is_empty());
    }
}
