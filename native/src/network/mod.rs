//! Networks of containers. As root each has a namespace of its own, joined to the worker's one uplink (uplink.rs); where there is no uplink, and
//! in a user namespace, it is the machine's.

mod namespace;
mod netlink;
mod ports;
mod uplink;

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;

use crate::context::{RequestContext, lock};
use crate::error::Error;
use crate::protocol::{Mode, Network as Wanted, SandboxParams};

use ports::Forwarders;
use uplink::{Member, Uplink};

/// The uplink of this session, made when the first container wants it.
pub struct Network {
    mode: Mode,
    uplink: Mutex<State>,
}

enum State {
    Unknown,
    Ready(Uplink),
    /// Why there is none; said once.
    Missing(String),
}

/// A container's network, held until its end.
pub enum Attachment {
    Host,
    Isolated(OwnedFd),
    Member { member: Member, _forwarders: Forwarders },
}

impl Attachment {
    /// To be entered by the container.
    pub fn namespace(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Host => None,
            Self::Isolated(namespace) => Some(namespace.as_fd()),
            Self::Member { member, .. } => Some(member.namespace.as_fd()),
        }
    }

    /// The resolver that takes the place of the machine's.
    pub fn resolver(&self) -> Option<String> {
        match self {
            Self::Member { .. } => Some(uplink::RESOLVER.to_string()),
            Self::Host | Self::Isolated(_) => None,
        }
    }
}

impl Network {
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            uplink: Mutex::new(State::Unknown),
        }
    }

    pub fn attach(&self, params: &SandboxParams, request: &RequestContext) -> Result<Attachment, Error> {
        let ports = params.ports.as_deref().unwrap_or_default();
        let attachment = match (params.network, self.mode) {
            (Wanted::None, _) => Attachment::Isolated(namespace::isolated()?),
            (Wanted::Default, Mode::Root) => match self.join(request)? {
                Some(member) => {
                    let forwarders = Forwarders::start(ports, &member)?;
                    return Ok(Attachment::Member {
                        member,
                        _forwarders: forwarders,
                    });
                }
                None => Attachment::Host,
            },
            (Wanted::Default | Wanted::Host, _) => Attachment::Host,
        };
        ports::refuse(ports, matches!(attachment, Attachment::Host), request)?;
        Ok(attachment)
    }

    /// Joins the uplink; `None` where there is none.
    fn join(&self, request: &RequestContext) -> Result<Option<Member>, Error> {
        let mut state = lock(&self.uplink);
        if matches!(*state, State::Unknown) {
            *state = match Uplink::make() {
                Ok(uplink) => State::Ready(uplink),
                Err(error) => {
                    request.warn(format!("containers are on the machine's network: {error}"))?;
                    State::Missing(error.to_string())
                }
            };
        }
        match &*state {
            State::Ready(uplink) => uplink.join().map(Some),
            State::Missing(_) | State::Unknown => Ok(None),
        }
    }

    /// For `doctor`: makes the uplink where it was not wanted yet. `Err` says why there is none.
    pub fn probe(&self) -> Result<(), String> {
        if self.mode != Mode::Root {
            return Err("in a user namespace containers are on the machine's network".to_owned());
        }
        let mut state = lock(&self.uplink);
        if matches!(*state, State::Unknown) {
            *state = Uplink::make().map_or_else(|error| State::Missing(error.to_string()), State::Ready);
        }
        match &*state {
            State::Missing(reason) => Err(reason.clone()),
            State::Ready(_) | State::Unknown => Ok(()),
        }
    }
}

/// Addresses of the uplink's network, as slirp4netns lays it out.
fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 2, number)
}
