//! Keeps containers from using each other's addresses: what comes in by a port of the bridge must have the addresses of the container behind it,
//! on the link, in ARP, in IPv4 and in IPv6. Whoever sends as another could have sent to him what is meant for the other. Nor does anything pass
//! that is for a loopback.

use std::net::{IpAddr, Ipv6Addr};

use super::layout::Station;
use super::nftables::{Chain, Family, Hook, Set, Table};
use super::rule::{
    ARP_ADDRESS, ARP_STATION, Compare, DESTINATION4, DESTINATION6, Rule, SOURCE_STATION, SOURCE4, SOURCE6, name_bytes,
};

/// Each key begins with the name of a port, which takes 16 bytes; parts are padded to 4.
const STATIONS: &str = "stations";
const ADDRESSES: &str = "addresses";
const ADDRESSES6: &str = "addresses6";
/// Source: if_ether.h.
const IP4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IP6: u16 = 0x86dd;

/// A table in the uplink's namespace. It ends with the worker's socket, as the namespace does.
pub struct Guard(Table);

/// A container's port, and what it may send from.
pub struct Identity {
    pub port: String,
    pub station: Station,
    pub addresses: Vec<IpAddr>,
}

impl Guard {
    /// In the namespace of this thread. `trusted`: how names of ports begin that lead out.
    pub fn make(trusted: &str) -> rustix::io::Result<Self> {
        let sets = [(STATIONS, 24), (ADDRESSES, 20), (ADDRESSES6, 32)];
        let sets = sets.map(|(name, key_length)| Set { name, key_length });
        let chain = Chain {
            name: "containers",
            kind: "filter",
            hook: Hook::PreRouting,
            priority: -300, // NF_BR_PRI_FIRST is lower: before anybody looks at the packet as one of IP
            rules: rules(trusted),
        };
        Table::make(Family::Bridge, "guard", &sets, vec![chain]).map(Self)
    }

    pub fn add(&self, identity: &Identity) -> rustix::io::Result<()> {
        self.0.add(&identity.keys())
    }

    pub fn remove(&self, identity: &Identity) -> rustix::io::Result<()> {
        self.0.remove(&identity.keys())
    }
}

fn rules(trusted: &str) -> Vec<Rule> {
    use Compare::{Equal, Other};
    let nobody = Ipv6Addr::UNSPECIFIED.octets();
    vec![
        Rule::new().coming_by_any(trusted).accept(),
        Rule::new().in_set(SOURCE_STATION, Other, STATIONS).drop(),
        // slirp4netns would send these to the machine's loopback: its own word against that is about its gateway's address alone.
        Rule::new().holding(IP4).having(DESTINATION4, Equal, &[127]).drop(),
        Rule::new().holding(IP4).having(DESTINATION4, Equal, &[0]).drop(),
        // The loopback, the address of nobody, and those that stand for ones of IPv4.
        Rule::new().holding(IP6).having(DESTINATION6, Equal, &[0; 8]).drop(),
        Rule::new().holding(IP4).in_set(SOURCE4, Equal, ADDRESSES).accept(),
        Rule::new()
            .holding(ARP)
            .in_set(ARP_STATION, Equal, STATIONS)
            .in_set(ARP_ADDRESS, Equal, ADDRESSES)
            .accept(),
        Rule::new().holding(IP6).in_set(SOURCE6, Equal, ADDRESSES6).accept(),
        // A link that comes up asks for its own address so.
        Rule::new().holding(IP6).having(SOURCE6, Equal, &nobody).accept(),
        Rule::new().drop(),
    ]
}

impl Identity {
    fn keys(&self) -> Vec<(&'static str, Vec<u8>)> {
        let key = |rest: &[u8]| {
            let mut key = [&name_bytes(&self.port), rest].concat();
            key.resize(key.len().next_multiple_of(4), 0);
            key
        };
        let of_address = |address: &IpAddr| match address {
            IpAddr::V4(address) => (ADDRESSES, key(&address.octets())),
            IpAddr::V6(address) => (ADDRESSES6, key(&address.octets())),
        };
        let addresses = self.addresses.iter().map(of_address);
        addresses.chain([(STATIONS, key(&self.station))]).collect()
    }
}

/// The address that an interface gives itself on its link. Source: RFC 4291, appendix A.
pub fn of_link([a, b, c, d, e, f]: Station) -> Ipv6Addr {
    let half = [a ^ 2, b, c, 0xff, 0xfe, d, e, f];
    let mut address = [0; 16];
    address[..2].copy_from_slice(&[0xfe, 0x80]);
    address[8..].copy_from_slice(&half);
    Ipv6Addr::from(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_has_the_address_of_its_link() {
        // As Linux shows them of an interface.
        let station = [0x02, 0xfc, 0, 0, 0, 0x01];
        assert_eq!(of_link(station).to_string(), "fe80::fc:ff:fe00:1");
    }

    fn identity() -> Identity {
        Identity {
            port: "c1".to_owned(),
            station: [2; 6],
            addresses: vec![IpAddr::from([10, 0, 2, 15]), IpAddr::from(of_link([2; 6]))],
        }
    }

    #[test]
    fn what_failed_once_does_not_fail_the_next() {
        if !rustix::process::geteuid().is_root() {
            return eprintln!("skipped: needs root");
        }
        let changed = super::super::namespace::with_new(|_| {
            let guard = Guard::make("out").unwrap();
            Ok((
                guard.remove(&identity()),
                guard.add(&identity()),
                guard.remove(&identity()),
            ))
        });
        let (_, changed) = changed.unwrap();
        assert_eq!(changed, (Err(rustix::io::Errno::NOENT), Ok(()), Ok(())));
    }

    #[test]
    fn keys_are_as_long_as_their_sets_say() {
        let identity = identity();
        let lengths: Vec<_> = identity.keys().iter().map(|(set, key)| (*set, key.len())).collect();
        assert_eq!(lengths, [(ADDRESSES, 20), (ADDRESSES6, 32), (STATIONS, 24)]);
    }
}
