//! slirp4netns beside nftables, for IPv6 alone, on a machine that has a way out by it but forwards none. It starts while the rest goes on: nobody
//! waits for it but who talks by IPv6 in its first moments.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};

use crate::context::lock;
use crate::error::{Doing, Error};

use super::layout::UNUSED;
use super::namespace;
use super::netlink::Netlink;
use super::slirp::{MTU, Serves, Slirp};

pub struct Beside {
    thread: Mutex<Option<JoinHandle<()>>>,
    outcome: Arc<OnceLock<Result<Slirp, String>>>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Who ends it must have it first.
        self.wait();
    }
}

impl Beside {
    /// Makes `tap` a port of the bridge in the uplink's namespace.
    pub fn start(uplink: &OwnedFd, tap: &'static str, bridge: u32) -> Result<Self, Error> {
        let uplink = namespace::share(uplink)?;
        let outcome = Arc::new(OnceLock::new());
        let told = Arc::clone(&outcome);
        let work = move || {
            let started = start(&uplink, tap, bridge).map_err(|error| error.to_string());
            if let Err(reason) = &started {
                eprintln!("cooper-worker: containers do not reach others by IPv6: {reason}");
            }
            // Nobody else sets it.
            let _ = told.set(started);
        };
        let thread = thread::Builder::new().name("network".to_owned()).spawn(work);
        Ok(Self {
            thread: Mutex::new(Some(thread.doing(|| "start a thread")?)),
            outcome,
        })
    }

    /// Why it is not there; `None` where it is.
    pub fn refusal(&self) -> Option<&str> {
        self.wait();
        match self.outcome.get() {
            Some(Ok(_)) => None,
            Some(Err(reason)) => Some(reason),
            None => Some("it ended"),
        }
    }

    fn wait(&self) {
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            eprintln!("cooper-worker: a network thread panicked");
        }
    }
}

fn start(uplink: &OwnedFd, tap: &str, bridge: u32) -> Result<Slirp, Error> {
    let serves = Serves {
        cidr: UNUSED.to_owned(),
        ipv6: true,
    };
    let slirp = Slirp::start(uplink, tap, &serves)?;
    namespace::within(uplink.as_fd(), || {
        let netlink = Netlink::open()?;
        let port = netlink
            .index(tap)?
            .ok_or_else(|| Error::internal("slirp4netns's interface is not there"))?;
        netlink.add_port(port, bridge, MTU)
    })?;
    Ok(slirp)
}
