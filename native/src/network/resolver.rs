//! What /etc/resolv.conf says in a container that has a network of its own.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::error::{Doing, Error};

use super::layout::Layout;
use super::netlink::Netlink;

const MOST_BYTES: u64 = 1024 * 1024;
const PORT: u16 = 53;
const MACHINE: &str = "/etc/resolv.conf";
/// The servers behind systemd-resolved's stub. Source: systemd-resolved(8).
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";
const STUBS: [&str; 2] = ["127.0.0.53", "127.0.0.54"];

/// The machine's own text; empty where it has none.
pub fn machine() -> Result<String, Error> {
    read(MACHINE)
}

/// What a container on the uplink gets.
pub fn in_container(layout: &Layout) -> Result<String, Error> {
    let machine = machine()?;
    Ok(rewrite(&machine, &behind_stub(&machine)?, layout))
}

/// Whether containers ask the uplink's resolver: some server of the machine's cannot be reached from a network of its own, or there is none.
pub fn is_asked(layout: &Layout) -> Result<bool, Error> {
    let (text, resolver) = (in_container(layout)?, layout.resolver().to_string());
    Ok(servers(&text).any(|server| server == resolver))
}

/// The server that the uplink's own resolver asks: the first that only the machine reaches.
pub fn behind(layout: &Layout) -> Result<Option<SocketAddr>, Error> {
    let machine = machine()?;
    let stub = behind_stub(&machine)?;
    for server in servers(source(&machine, &stub, layout)).filter(|server| !reachable(server, layout)) {
        let (address, zone) = server.split_once('%').unwrap_or((server, ""));
        let scope = match zone.parse() {
            Ok(index) => index,
            Err(_) if zone.is_empty() => 0,
            Err(_) => Netlink::open()?.index(zone)?.unwrap_or_default(),
        };
        match address.parse() {
            Ok(IpAddr::V4(address)) => return Ok(Some((address, PORT).into())),
            Ok(IpAddr::V6(address)) => return Ok(Some(SocketAddrV6::new(address, PORT, 0, scope).into())),
            Err(_) => {}
        }
    }
    Ok(None)
}

fn behind_stub(machine: &str) -> Result<String, Error> {
    if servers(machine).any(|server| STUBS.contains(&server)) {
        read(BEHIND_STUB)
    } else {
        Ok(String::new())
    }
}

fn read(path: &str) -> Result<String, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error).doing(|| format!("open {path}")),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .doing(|| format!("read {path}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn servers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()
    })
}

/// Servers that a container cannot reach give way to those behind them or to the uplink's resolver, which asks as the machine would.
/// Everything but the servers stays.
fn rewrite(machine: &str, behind: &str, layout: &Layout) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut keep = |server: String| {
        if !kept.contains(&server) {
            kept.push(server);
        }
    };
    for server in servers(source(machine, behind, layout)) {
        if reachable(server, layout) {
            keep(server.to_owned());
        } else if let Some(forwarder) = forwarder(server, layout) {
            keep(forwarder);
        }
    }
    // Nobody can be asked then; at an address of ours that is said at once, elsewhere after a while.
    if kept.is_empty() {
        kept.push(layout.resolver().to_string());
    }
    let mut text: String = kept.iter().map(|server| format!("nameserver {server}\n")).collect();
    for line in machine.lines().filter(|line| is_setting(line)) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Where the servers are taken from.
fn source<'a>(machine: &'a str, behind: &'a str, layout: &Layout) -> &'a str {
    if servers(behind).any(|server| reachable(server, layout)) {
        behind
    } else {
        machine
    }
}

fn is_setting(line: &str) -> bool {
    matches!(
        line.split_whitespace().next(),
        Some("search" | "options" | "domain" | "sortlist")
    )
}

/// Whether packets to a server leave the machine, from a container.
fn reachable(server: &str, layout: &Layout) -> bool {
    match server.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => !(address.is_loopback() || address.is_unspecified() || address.is_link_local()),
        Ok(IpAddr::V6(address)) => {
            layout.network6.is_some()
                && !(address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local())
        }
        // With a zone, `fe80::1%eth0`: of an interface that the container has not. All else is no address.
        Err(_) => false,
    }
}

/// The uplink's resolver that asks such a server.
fn forwarder(server: &str, layout: &Layout) -> Option<String> {
    let address = server.split('%').next().and_then(|address| address.parse().ok())?;
    match address {
        IpAddr::V4(_) => Some(layout.resolver().to_string()),
        IpAddr::V6(_) if layout.own_resolver => Some(layout.resolver().to_string()),
        IpAddr::V6(_) => layout.resolver6().map(|resolver| resolver.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_a_container_cannot_reach_are_replaced() {
        let (only4, both) = (Layout::of([10, 0, 2], false), Layout::of([10, 0, 2], true));
        let own = Layout {
            own_resolver: true,
            ..only4
        };
        let real = "nameserver 192.0.2.7\nnameserver 2001:db8::7\n";
        for (name, machine, behind, layout, want) in [
            (
                "as it is",
                "nameserver 192.0.2.1\nnameserver 192.0.2.2\n",
                "",
                only4,
                "192.0.2.1 192.0.2.2",
            ),
            ("behind the stub", "nameserver 127.0.0.53\n", real, only4, "192.0.2.7"),
            (
                "behind the stub, by IPv6",
                "nameserver 127.0.0.53\n",
                real,
                both,
                "192.0.2.7 2001:db8::7",
            ),
            ("the stub alone", "nameserver 127.0.0.53\n", "", only4, "10.0.2.3"),
            (
                "a stub behind the stub",
                "nameserver 127.0.0.53\n",
                "nameserver 127.0.0.1\n",
                only4,
                "10.0.2.3",
            ),
            (
                "dnsmasq",
                "nameserver 127.0.0.1\nnameserver 192.0.2.1\n",
                "",
                only4,
                "10.0.2.3 192.0.2.1",
            ),
            (
                "two on the loopback",
                "nameserver 127.0.0.1\nnameserver 127.0.1.1\n",
                "",
                only4,
                "10.0.2.3",
            ),
            (
                "no IPv6",
                "nameserver 2001:db8::1\nnameserver 192.0.2.1\n",
                "",
                only4,
                "192.0.2.1",
            ),
            (
                "IPv6",
                "nameserver 2001:db8::1\nnameserver 192.0.2.1\n",
                "",
                both,
                "2001:db8::1 192.0.2.1",
            ),
            (
                "of a link",
                "nameserver fe80::1%eth0\nnameserver 192.0.2.1\n",
                "",
                only4,
                "192.0.2.1",
            ),
            ("of a link, by IPv6", "nameserver fe80::1%eth0\n", "", both, "fd00::3"),
            ("the loopback of IPv6", "nameserver ::1\n", "", both, "fd00::3"),
            (
                "nothing usable",
                "nameserver ::1\nnameserver x\n",
                "",
                only4,
                "10.0.2.3",
            ),
            ("nothing", "", "", only4, "10.0.2.3"),
            (
                "the resolver of ours, which asks by IPv6 too",
                "nameserver ::1\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\n",
                "",
                own,
                "10.0.2.3 192.0.2.1",
            ),
        ] {
            let text = rewrite(machine, behind, &layout);
            assert_eq!(servers(&text).collect::<Vec<_>>().join(" "), want, "{name}");
        }
    }

    #[test]
    fn what_is_no_server_stays() {
        let machine = "# by hand\nnameserver 127.0.0.53\nsearch example.test\noptions edns0 trust-ad\n";
        let want = "nameserver 10.0.2.3\nsearch example.test\noptions edns0 trust-ad\n";
        assert_eq!(rewrite(machine, "", &Layout::of([10, 0, 2], false)), want);
    }
}
