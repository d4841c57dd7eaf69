//! The few messages of rtnetlink that a container's network takes. Source: rtnetlink(7), the kernel's if_link.h.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use crate::error::{Doing, Error};

use super::layout::Station;
use super::message::{self, ACK, Message};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWNEIGH: u16 = 28;
const NEW: u16 = message::CREATE | message::EXCLUSIVE | ACK;

const IFF_UP: u32 = 1;
const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;
const AF_INET6: u8 = 10;
const IFA_F_NODAD: u8 = 2;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_LEARNING: u16 = 8;
const IFLA_BRPORT_UNICAST_FLOOD: u16 = 9;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_NOARP: u16 = 0x40;
const NUD_PERMANENT: u16 = 0x80;
const NTF_MASTER: u8 = 4;
const RTA_DST: u16 = 1;
const RTA_GATEWAY: u16 = 5;
const RTA_METRICS: u16 = 8;
const RTAX_MTU: u16 = 2;

/// Index of `lo` in every network namespace.
pub const LOOPBACK: u32 = 1;

/// A socket of NETLINK_ROUTE (0, the default protocol) into the network namespace that its opener was in.
pub struct Netlink(OwnedFd);

impl Netlink {
    pub fn open() -> Result<Self, Error> {
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
            .map(Self)
            .doing(|| "open a netlink socket")
    }

    pub fn set_up(&self, index: u32) -> Result<(), Error> {
        self.ask(Message::new(RTM_NEWLINK, ACK).link(index, IFF_UP))
            .doing(|| "bring an interface up")
    }

    pub fn add_bridge(&self, name: &str) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, NEW).link(0, IFF_UP).text(IFLA_IFNAME, name);
        let message = message.nested(IFLA_LINKINFO, |message| message.text(IFLA_INFO_KIND, "bridge"));
        self.ask(message).doing(|| "make a bridge")
    }

    /// A pair: `name` here, `peer` in another namespace. This end has an address that we choose: nobody who sees new interfaces (udev) gives
    /// it another.
    pub fn add_pair(
        &self,
        (name, station): (&str, Station),
        peer: &str,
        namespace: BorrowedFd<'_>,
        mtu: u32,
    ) -> Result<(), Error> {
        self.ask(pair(name, peer, namespace.as_raw_fd(), mtu).bytes(IFLA_ADDRESS, &station))
            .doing(|| "make a pair of interfaces")
    }

    /// Makes an interface a port of a bridge, and brings it up.
    pub fn add_port(&self, index: u32, bridge: u32, mtu: u32) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, ACK).link(index, IFF_UP).number(IFLA_MTU, mtu);
        self.ask(message.number(IFLA_MASTER, bridge))
            .doing(|| "add a port to the bridge")
    }

    /// A port that reaches only those that are not isolated: the uplink, but no other container. What comes by it says nothing of who is behind
    /// it, and what is for somebody unknown does not go out by it.
    pub fn isolate_port(&self, index: u32) -> Result<(), Error> {
        let message = Message::new(RTM_NEWLINK, ACK)
            .link(index, 0)
            .nested(IFLA_LINKINFO, |message| {
                message
                    .text(IFLA_INFO_SLAVE_KIND, "bridge")
                    .nested(IFLA_INFO_SLAVE_DATA, |message| {
                        message
                            .bytes(IFLA_BRPORT_LEARNING, &[0])
                            .bytes(IFLA_BRPORT_UNICAST_FLOOD, &[0])
                            .bytes(IFLA_BRPORT_ISOLATED, &[1])
                    })
            });
        self.ask(message).doing(|| "isolate a port of the bridge")
    }

    pub fn add_address(&self, index: u32, address: IpAddr, prefix: u8) -> Result<(), Error> {
        self.ask(address_message(index, address, prefix))
            .doing(|| format!("add address {address}"))
    }

    /// Says where an address is, so that nobody has to be asked, and nobody believed.
    pub fn set_neighbour(&self, index: u32, address: IpAddr, station: Station) -> Result<(), Error> {
        let (family, octets) = family(address);
        let message = neighbour(family, index, NUD_PERMANENT, 0).bytes(NDA_DST, &octets);
        self.ask(message.bytes(NDA_LLADDR, &station))
            .doing(|| format!("say where {address} is"))
    }

    /// Says to a bridge behind which port somebody is.
    pub fn set_station(&self, port: u32, station: Station) -> Result<(), Error> {
        let message = neighbour(AF_BRIDGE, port, NUD_NOARP, NTF_MASTER);
        self.ask(message.bytes(NDA_LLADDR, &station))
            .doing(|| "say who is behind a port of the bridge")
    }

    pub fn add_route(&self, route: &Route) -> Result<(), Error> {
        self.ask(route.message())
            .doing(|| format!("add a route by {}", route.gateway))
    }

    /// The index of an interface, `None` when there is none of that name.
    pub fn index(&self, name: &str) -> Result<Option<u32>, Error> {
        let Some(answer) = self.link(name)? else {
            return Ok(None);
        };
        number(answer.get(20..24))
            .map(Some)
            .ok_or_else(|| Error::internal("a short answer from netlink"))
    }

    /// How long its packets may be; `None` when there is none of that name.
    pub fn mtu(&self, name: &str) -> Result<Option<u32>, Error> {
        let answer = self.link(name)?.unwrap_or_default();
        let attributes = answer.get(message::HEADER + 16..).unwrap_or_default();
        Ok(number(message::attribute(attributes, IFLA_MTU)))
    }

    fn link(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let message = Message::new(RTM_GETLINK, 0).link(0, 0).text(IFLA_IFNAME, name);
        match self.exchange(message) {
            Ok(answer) => Ok(Some(answer)),
            Err(Errno::NODEV) => Ok(None),
            Err(error) => Err(error).doing(|| format!("find interface \"{name}\"")),
        }
    }

    fn ask(&self, message: Message) -> rustix::io::Result<()> {
        self.exchange(message).map(drop)
    }

    /// Sends a message; gives the answer, or the errno in it.
    fn exchange(&self, message: Message) -> rustix::io::Result<Vec<u8>> {
        send(&self.0, &message.finish(), SendFlags::empty())?;
        let mut answer = vec![0; 32 * 1024];
        let (length, _) = recv(&self.0, &mut answer[..], RecvFlags::empty())?;
        answer.truncate(length);
        let first = message::messages(&answer).next();
        let error = first.filter(|first| message::kind_of(first).0 == message::ERROR);
        match error.and_then(message::error_of) {
            None => Ok(answer),
            Some(errno) => Err(errno),
        }
    }
}

/// A way by a gateway: to one address, or to everybody.
pub struct Route {
    pub to: Option<IpAddr>,
    pub gateway: IpAddr,
    /// How long packets on it may be, where that is less than the interface says.
    pub mtu: Option<u32>,
}

impl Route {
    fn message(&self) -> Message {
        let (family, gateway) = family(self.gateway);
        let to = self.to.map(|to| self::family(to).1).unwrap_or_default();
        let prefix = (to.len() * 8) as u8;
        // struct rtmsg: table main, by an administrator, universal, unicast.
        let mut message = Message::new(RTM_NEWROUTE, NEW).plain(&[family, prefix, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0]);
        if !to.is_empty() {
            message = message.bytes(RTA_DST, &to);
        }
        if let Some(mtu) = self.mtu {
            message = message.nested(RTA_METRICS, |message| message.number(RTAX_MTU, mtu));
        }
        message.bytes(RTA_GATEWAY, &gateway)
    }
}

/// `struct ndmsg`. What was said before of the same address is forgotten.
fn neighbour(family: u8, index: u32, state: u16, flags: u8) -> Message {
    Message::new(RTM_NEWNEIGH, message::CREATE | message::REPLACE | ACK)
        .plain(&[family, 0, 0, 0])
        .plain(&index.to_ne_bytes())
        .plain(&state.to_ne_bytes())
        .plain(&[flags, 0])
}

fn number(bytes: Option<&[u8]>) -> Option<u32> {
    bytes?.try_into().ok().map(u32::from_ne_bytes)
}

fn pair(name: &str, peer: &str, namespace: i32, mtu: u32) -> Message {
    let message = Message::new(RTM_NEWLINK, NEW)
        .link(0, 0)
        .text(IFLA_IFNAME, name)
        .number(IFLA_MTU, mtu);
    message.nested(IFLA_LINKINFO, |message| {
        message.text(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, |message| {
            message.nested(VETH_INFO_PEER, |mut message| {
                message.put_link(0, 0);
                message
                    .text(IFLA_IFNAME, peer)
                    .number(IFLA_MTU, mtu)
                    .number(IFLA_NET_NS_FD, namespace as u32)
            })
        })
    })
}

fn address_message(index: u32, address: IpAddr, prefix: u8) -> Message {
    let (family, octets) = family(address);
    // Nobody else has it: without a search for one who has, an address of IPv6 can be used at once.
    let flags = if address.is_ipv6() { IFA_F_NODAD } else { 0 };
    // struct ifaddrmsg.
    Message::new(RTM_NEWADDR, NEW)
        .plain(&[family, prefix, flags, 0])
        .plain(&index.to_ne_bytes())
        .bytes(IFA_LOCAL, &octets)
        .bytes(IFA_ADDRESS, &octets)
}

fn family(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
    }
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    /// As strace shows what `ip address add 10.0.2.15/24 dev eth0` (index 2) sends, without sequence number.
    #[test]
    fn an_address_has_the_bytes_that_ip_sends() {
        let want = [
            40, 0, 0, 0, 20, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr
            2, 24, 0, 0, 2, 0, 0, 0, // ifaddrmsg
            8, 0, 2, 0, 10, 0, 2, 15, // IFA_LOCAL
            8, 0, 1, 0, 10, 0, 2, 15, // IFA_ADDRESS
        ];
        assert_eq!(address_message(2, IpAddr::from([10, 0, 2, 15]), 24).finish(), want);
    }

    /// As strace shows what `ip route add 192.0.2.1 via 10.0.2.2 mtu 1400 proto static`, and the same of `default`, send, without sequence number.
    #[test]
    fn a_route_has_the_bytes_that_ip_sends() {
        let gateway = IpAddr::from([10, 0, 2, 2]);
        let default = Route {
            to: None,
            gateway,
            mtu: None,
        };
        let want = [
            36, 0, 0, 0, 24, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr
            2, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0, // rtmsg
            8, 0, 5, 0, 10, 0, 2, 2, // RTA_GATEWAY
        ];
        assert_eq!(default.message().finish(), want);
        let one = Route {
            to: Some(IpAddr::from([192, 0, 2, 1])),
            gateway,
            mtu: Some(1400),
        };
        let want = [
            56, 0, 0, 0, 24, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr
            2, 32, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0, // rtmsg
            8, 0, 1, 0, 192, 0, 2, 1, // RTA_DST
            12, 0, 8, 0, 8, 0, 2, 0, 120, 5, 0, 0, // RTA_METRICS: RTAX_MTU
            8, 0, 5, 0, 10, 0, 2, 2, // RTA_GATEWAY
        ];
        assert_eq!(one.message().finish(), want);
    }

    #[test]
    fn lengths_of_nested_attributes_count_what_they_hold() {
        let bytes = pair("eth0", "v1", 7, 1500).finish();
        let at = |place: usize| u16::from_ne_bytes([bytes[place], bytes[place + 1]]) as usize;
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(
            u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize,
            bytes.len()
        );
        // After the header (16), ifinfomsg (16), name (4 + 5, padded to 12) and MTU (8) comes IFLA_LINKINFO, up to the end.
        assert_eq!((at(52), at(54)), (bytes.len() - 52, usize::from(IFLA_LINKINFO)));
    }
}
