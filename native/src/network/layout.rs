//! Addresses of the uplink's network. slirp4netns has .2 of it for the gateway and .3 for its resolver, in IPv6 too.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Networks to choose from, /24 each: slirp4netns's own, then some that are seldom used.
const CANDIDATES: [[u8; 3]; 6] = [
    [10, 0, 2],
    [10, 87, 61],
    [172, 29, 61],
    [192, 168, 187],
    [10, 213, 42],
    [100, 101, 61],
];
pub const PREFIX: u8 = 24;
pub const PREFIX6: u8 = 64;

/// Flags of a route. Source: the kernel's route.h and ipv6_route.h.
const RTF_UP: u32 = 1;
const RTF_REJECT: u32 = 0x200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub network: [u8; 3],
    /// Whether the machine can reach anybody by IPv6.
    pub ipv6: bool,
}

impl Layout {
    /// A network to which the machine has no route: what it reaches there, containers reach too. The first candidate where all are taken: then
    /// it is as good as any other.
    pub fn choose() -> Self {
        Self {
            network: free_networks(&read("route")).next().unwrap_or(CANDIDATES[0]),
            ipv6: has_default_route6(&read("ipv6_route")),
        }
    }

    /// Networks of IPv4 alone for builders side by side, to none of which the machine has a route.
    pub fn free() -> impl Iterator<Item = Self> {
        let networks = free_networks(&read("route"));
        networks.map(|network| Self { network, ipv6: false })
    }

    /// As `10.0.2.0/24`.
    pub fn cidr(&self) -> String {
        format!("{}/{PREFIX}", self.address(0))
    }

    pub fn address(&self, number: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, number)
    }

    /// Of the only network that slirp4netns has for IPv6; `None` where the machine has none.
    pub fn address6(&self, number: u8) -> Option<Ipv6Addr> {
        self.ipv6
            .then(|| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)))
    }

    pub fn gateway(&self) -> Ipv4Addr {
        self.address(2)
    }

    pub fn gateway6(&self) -> Option<Ipv6Addr> {
        self.address6(2)
    }

    pub fn resolver(&self) -> Ipv4Addr {
        self.address(3)
    }

    pub fn resolver6(&self) -> Option<Ipv6Addr> {
        self.address6(3)
    }
}

/// The interface by which the machine reaches the world.
pub fn default_interface() -> Option<String> {
    way_out(&read("route"))
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
fn has_default_route6(routes: &str) -> bool {
    routes.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [to, length, .., flags, device] = fields[..] else {
            return false;
        };
        let flags = u32::from_str_radix(flags, 16).unwrap_or(RTF_REJECT);
        let usable = flags & RTF_UP != 0 && flags & RTF_REJECT == 0 && device != "lo";
        length == "00" && to.bytes().all(|byte| byte == b'0') && usable
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Layout {
        pub fn of(network: [u8; 3], ipv6: bool) -> Self {
            Self { network, ipv6 }
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
        let line = |to: &str, length: &str, flags: &str, device: &str| {
            format!("{to} {length} {zero} 00 {zero} 00000400 00000001 00000000 {flags} {device:>8}\n")
        };
        let ula = format!("fd{}", &zero[2..]);
        for (routes, want) in [
            (line(&zero, "00", "00000003", "eth0"), true),
            // What every kernel with IPv6 has: unreachable, by lo.
            (line(&zero, "00", "00200200", "lo"), false),
            (line(&ula, "40", "00000001", "eth0"), false),
            (String::new(), false),
        ] {
            assert_eq!(has_default_route6(&routes), want, "{routes}");
        }
    }
}
