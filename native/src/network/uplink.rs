//! The uplink: a network namespace with a bridge, and slirp4netns behind one port of it. Every container is another port. Packets leave the
//! machine as slirp4netns's own connections, so neither forwarding nor a firewall rule is needed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::context::lock;
use crate::error::{Doing, Error};

use super::netlink::Netlink;
use super::{host, namespace};

pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const PREFIX: u8 = 24;
/// The first that slirp4netns does not use itself.
const FIRST: u8 = 15;
const LAST: u8 = 254;
/// slirp4netns's own advice for speed.
const MTU: u32 = 65520;
const BRIDGE: &str = "uplink";
const TAP: &str = "tap0";
/// How long slirp4netns may take. It is ready in milliseconds or, where it cannot work, never.
const DEADLINE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

pub struct Uplink(Arc<Inner>);

struct Inner {
    namespace: OwnedFd,
    netlink: Mutex<Netlink>,
    bridge: u32,
    numbers: Mutex<Numbers>,
    spare: Mutex<Option<Member>>,
    _slirp: Slirp,
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

/// slirp4netns; ends when `_exit` is closed, by us or by our death.
struct Slirp {
    child: Child,
    exit: Option<OwnedFd>,
}

impl Drop for Slirp {
    fn drop(&mut self) {
        drop(self.exit.take());
        if let Err(error) = self.child.wait() {
            eprintln!("cooper-worker: wait for slirp4netns: {error}");
        }
    }
}

/// A container's namespace, joined to the uplink.
pub struct Member {
    pub namespace: OwnedFd,
    pub address: Ipv4Addr,
    inner: Arc<Inner>,
}

impl Drop for Member {
    fn drop(&mut self) {
        lock(&self.inner.numbers).used.remove(&self.address.octets()[3]);
    }
}

impl Uplink {
    pub fn make() -> Result<Self, Error> {
        let (namespace, (netlink, bridge)) = namespace::with_new(|netlink| {
            // No container is to see the bridge's own addresses.
            for kind in ["all", "default"] {
                namespace::set(&format!("ipv6/conf/{kind}/disable_ipv6"), "1")?;
            }
            netlink.add_bridge(BRIDGE)?;
            let bridge = netlink
                .index(BRIDGE)?
                .ok_or_else(|| Error::internal("the bridge is not there"))?;
            Ok((Netlink::open()?, bridge))
        })?;
        let slirp = Slirp::start(&namespace)?;
        let tap = netlink
            .index(TAP)?
            .ok_or_else(|| Error::internal("slirp4netns made no interface"))?;
        netlink.add_port(tap, bridge, MTU)?;
        let (netlink, numbers, spare) = (Mutex::new(netlink), Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner {
            namespace,
            netlink,
            bridge,
            numbers,
            spare,
            _slirp: slirp,
        })))
    }

    /// A namespace for one container: the one that waits, else a new one. The next is made meanwhile.
    pub fn join(&self) -> Result<Member, Error> {
        let spare = lock(&self.0.spare).take();
        let member = spare.map_or_else(|| add_member(&self.0), Ok)?;
        let inner = Arc::clone(&self.0);
        let replenish = move || match add_member(&inner) {
            Ok(member) => drop(lock(&inner.spare).replace(member)),
            // The container that needs it will meet the same error, and say it.
            Err(error) => eprintln!("cooper-worker: {error}"),
        };
        thread::Builder::new()
            .name("network".to_owned())
            .spawn(replenish)
            .doing(|| "start a thread")?;
        Ok(member)
    }
}

fn add_member(inner: &Arc<Inner>) -> Result<Member, Error> {
    let (number, count) = lock(&inner.numbers).take()?;
    let address = host(number);
    let peer = format!("c{count}");
    let made = namespace::with_new(|netlink| {
        namespace::set_up_container()?;
        // Before the interface: it takes these for its own. `lo` keeps ::1.
        namespace::set("ipv6/conf/default/disable_ipv6", "1")?;
        netlink.add_pair("eth0", &peer, inner.namespace.as_fd(), MTU)?;
        let index = netlink
            .index("eth0")?
            .ok_or_else(|| Error::internal("the container's interface is not there"))?;
        netlink.add_address(index, address, PREFIX)?;
        netlink.set_up(index)?;
        netlink.add_default_route(GATEWAY)
    });
    let (namespace, ()) = made.inspect_err(|_| {
        lock(&inner.numbers).used.remove(&number);
    })?;
    let member = Member {
        namespace,
        address,
        inner: Arc::clone(inner),
    };
    let netlink = lock(&inner.netlink);
    let port = netlink
        .index(&peer)?
        .ok_or_else(|| Error::internal("the bridge's interface is not there"))?;
    netlink.add_port(port, inner.bridge, MTU)?;
    netlink.isolate_port(port)?;
    drop(netlink);
    Ok(member)
}

impl Slirp {
    fn start(namespace: &OwnedFd) -> Result<Self, Error> {
        let doing = || "start slirp4netns";
        let (exit_reading, exit_writing) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        let (ready_reading, ready_writing) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        // Its stdin and stdout are the two descriptors that it is told of: no other way to inherit one is needed.
        let child = Command::new("slirp4netns")
            .args([
                "--exit-fd=0",
                "--ready-fd=1",
                "--disable-host-loopback",
                "--enable-sandbox",
                "--netns-type=path",
            ])
            .arg(format!("--mtu={MTU}"))
            .arg(format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd()))
            .arg(TAP)
            .current_dir("/")
            .stdin(exit_reading)
            .stdout(ready_writing)
            .stderr(Stdio::null())
            .spawn();
        let child = match child {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::user("PRIVILEGE_MISSING", "\"slirp4netns\" is not installed"));
            }
            other => other.doing(doing)?,
        };
        let mut slirp = Self {
            child,
            exit: Some(exit_writing),
        };
        let mut waiting = [PollFd::new(&ready_reading, PollFlags::IN)];
        let ready = poll(&mut waiting, Some(&DEADLINE)).doing(doing)?;
        let mut byte = [0];
        if ready > 0 && rustix::io::read(&ready_reading, &mut byte).is_ok_and(|count| count == 1) {
            return Ok(slirp);
        }
        // Where it hangs, closing its exit descriptor does not end it.
        slirp.child.kill().doing(doing)?;
        Err(Error::user(
            "PRIVILEGE_MISSING",
            "\"slirp4netns\" does not work on this machine",
        ))
    }
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
