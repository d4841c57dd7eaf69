//! Networks of containers. Each has a namespace of its own, joined to the worker's one uplink (uplink.rs); where there is no uplink it is the
//! machine's.

mod beside;
mod datagrams;
mod guard;
mod layout;
mod masquerade;
mod member;
mod message;
mod names;
mod namespace;
mod netlink;
mod nftables;
mod ports;
mod proxy;
mod relay;
mod resolver;
mod rule;
mod slirp;
mod uplink;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::context::{RequestContext, lock};
use crate::error::Error;
use crate::protocol::{Network as Wanted, SandboxParams, WorkerError};
use crate::sandbox::keeper::Keeper;

use member::Member;
use uplink::Uplink;

pub use ports::Forwarders;

/// The uplink of this session, made when the first container wants it.
#[derive(Default)]
pub struct Network {
    uplink: Mutex<State>,
    /// What is said once: a proxy that cannot be reached, a network without `lo`.
    proxy_told: AtomicBool,
    loopback_told: AtomicBool,
}

#[derive(Default)]
enum State {
    #[default]
    Unknown,
    Ready(Uplink),
    /// Why there is none.
    Missing(Box<WorkerError>),
}

/// A container's network, held until its end.
pub enum Attachment {
    Host,
    Isolated(OwnedFd),
    Member(Member),
}

impl Attachment {
    /// To be entered by the container.
    pub fn namespace(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Host => None,
            Self::Isolated(namespace) => Some(namespace.as_fd()),
            Self::Member(member) => Some(member.namespace.as_fd()),
        }
    }

    /// The text of /etc/resolv.conf.
    pub fn resolv_conf(&self) -> Result<String, Error> {
        match self {
            Self::Member(member) => resolver::in_container(member.layout()),
            Self::Host | Self::Isolated(_) => resolver::machine(),
        }
    }
}

impl Network {
    /// `keeper` has the user namespace that networks of containers belong to.
    pub fn attach(
        &self,
        wanted: Wanted,
        keeper: Option<&Arc<Keeper>>,
        request: &RequestContext,
    ) -> Result<Attachment, Error> {
        Ok(match wanted {
            Wanted::None => Attachment::Isolated(self.isolated(keeper, request)?),
            Wanted::Default => self.join(keeper, request)?.map_or(Attachment::Host, Attachment::Member),
            Wanted::Host => Attachment::Host,
        })
    }

    /// Publishes the ports of the program that gets a network, and says which proxy it will not reach.
    pub fn publish(
        &self,
        params: &SandboxParams,
        attachment: &Attachment,
        request: &RequestContext,
    ) -> Result<Option<Forwarders>, Error> {
        let ports = params.ports.as_deref().unwrap_or_default();
        let Attachment::Member(member) = attachment else {
            ports::refuse(ports, matches!(attachment, Attachment::Host), request)?;
            return Ok(None);
        };
        if let Some(told) = proxy::unreachable(&params.env)
            && !self.proxy_told.swap(true, Ordering::Relaxed)
        {
            request.warn(told)?;
        }
        let forwarders = (!ports.is_empty()).then(|| Forwarders::start(ports, member, request));
        forwarders.transpose()
    }

    /// For `network=none`: `lo` and nothing else.
    fn isolated(&self, keeper: Option<&Arc<Keeper>>, request: &RequestContext) -> Result<OwnedFd, Error> {
        let (namespace, loopback) =
            namespace::with_new_container(keeper.map(AsRef::as_ref), |_, loopback| Ok(loopback))?;
        if !loopback && !self.loopback_told.swap(true, Ordering::Relaxed) {
            request.warn("containers without network have no loopback either: cooper has no CAP_NET_ADMIN")?;
        }
        Ok(namespace)
    }

    /// Joins the uplink; `None` where there is none, which is said once.
    fn join(&self, keeper: Option<&Arc<Keeper>>, request: &RequestContext) -> Result<Option<Member>, Error> {
        let mut state = lock(&self.uplink);
        if state.make(keeper)
            && let State::Missing(reason) = &*state
        {
            request.warn(format!("containers are on the machine's network: {}", reason.message))?;
        }
        match &*state {
            State::Ready(uplink) => uplink.join().map(Some),
            State::Missing(_) | State::Unknown => Ok(None),
        }
    }

    /// Ends the uplink, and waits for what served it: when the last container has ended.
    pub fn close(&self) {
        *lock(&self.uplink) = State::Unknown;
    }

    /// For `doctor`: makes the uplink where it was not wanted yet. `Err` says why there is none.
    pub fn probe(&self, keeper: Option<&Arc<Keeper>>) -> Result<String, Box<WorkerError>> {
        let mut state = lock(&self.uplink);
        state.make(keeper);
        match &*state {
            State::Missing(reason) => Err(reason.clone()),
            State::Ready(uplink) => Ok(uplink.description()),
            State::Unknown => Ok(String::new()),
        }
    }
}

/// In a container's namespace, by who makes it: its settings, and `lo`.
pub fn set_up_namespace() -> Result<bool, Error> {
    namespace::set_up_container(&netlink::Netlink::open()?)
}

impl State {
    /// `true` when it was not known before.
    fn make(&mut self, keeper: Option<&Arc<Keeper>>) -> bool {
        let unknown = matches!(self, Self::Unknown);
        if unknown {
            *self = Uplink::make(keeper.cloned())
                .map_or_else(|error| Self::Missing(Box::new(error.to_wire())), Self::Ready);
        }
        unknown
    }
}
