//! What is around a program, whatever that is: its network, its cgroup, and the process that makes and watches its container.

use std::sync::Arc;

use crate::context::RequestContext;
use crate::error::Error;
use crate::network::{Attachment, Forwarders};
use crate::protocol::{Mode, SandboxParams};
use crate::session::Session;

use super::ahead::Waiting;
use super::cgroup::{self, Group};
use super::channel;
use super::idmap::Idmap;
use super::keeper::Keeper;
use super::notify::Service;
use super::process::Supervisor;
use super::security::Security;
use super::spec::Spec;

/// A container that is asked for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub session: &'a Session,
    pub params: &'a SandboxParams,
    pub request: &'a RequestContext,
    /// Ids that all in it has, where they are not the machine's.
    pub ids: Option<&'a Idmap>,
}

/// Given back in this order.
pub struct Shell {
    pub supervisor: Supervisor,
    pub group: Option<Group>,
    pub attachment: Attachment,
    pub forwarders: Option<Forwarders>,
    /// What the supervisor was told.
    pub spec: Spec,
}

impl Shell {
    /// Has the container made, as far as that goes without its root filesystem; or takes such a one that was made ahead.
    pub fn begin(asked: &Asked<'_>, security: &Security) -> Result<Self, Error> {
        let Asked {
            session,
            params,
            request,
            ids,
        } = *asked;
        let group = cgroup::make(session, params)?;
        let Waiting { supervisor, told } = session.containers.ahead.take(|told| {
            let same = told.spec == spec(asked, security, &told.attachment, group.as_ref())?;
            Ok(same && told.network == params.network && group.is_none())
        })?;
        let (attachment, spec) = match told {
            Some(told) => (told.attachment, told.spec),
            None => {
                let attachment = session.network.attach(params.network, keeper(session), request)?;
                let spec = spec(asked, security, &attachment, group.as_ref())?;
                let keeper = ids.map(|ids| &*ids.keeper);
                tell(&supervisor, &spec, &attachment, keeper, group.as_ref())?;
                (attachment, spec)
            }
        };
        Ok(Self {
            forwarders: session.network.publish(params, &attachment, request)?,
            supervisor,
            group,
            attachment,
            spec,
        })
    }
}

/// Who makes networks that belong to the containers' user namespace.
pub fn keeper(session: &Session) -> Option<&Arc<Keeper>> {
    session.idmap().map(|idmap| &idmap.keeper)
}

fn spec(asked: &Asked<'_>, security: &Security, attachment: &Attachment, group: Option<&Group>) -> Result<Spec, Error> {
    let Asked {
        session, params, ids, ..
    } = *asked;
    // In the order of `tell`.
    let mut places = 0..;
    Ok(Spec {
        hostname: params.hostname.clone(),
        // The containers' root can't go into our folders. What hangs there goes with the old root; /proc is not looked into by then.
        staging: ids.map_or_else(|| session.staging(), |_| Ok("/proc".to_owned()))?,
        network: attachment.namespace().and_then(|_| places.next()),
        ids: ids.and_then(|_| places.next()),
        cgroup: places
            .take(group.map_or(0, |group| group.entrances().count()))
            .collect(),
        user_namespace: session.mode.in_user_namespace(),
        bind_proc: !session.own_proc,
        emulate_ids: session.mode.emulates_ids(),
        chroot: session.mode == Mode::Chroot,
        insecure: params.insecure.unwrap_or(false),
        security: security.clone(),
        cgroups: session
            .containers
            .shown_cgroups
            .get_or_init(cgroup::view::shown)
            .clone(),
        shm_bytes: params.shm_bytes,
        ulimits: params.ulimits.clone().unwrap_or_default(),
        terminal: params.tty,
        services: ids.map_or_else(Vec::new, |_| vec![Service::Mknod]),
    })
}

/// Tells a supervisor what its container is. From then on it makes that, and waits to hear of the program.
pub fn tell(
    supervisor: &Supervisor,
    spec: &Spec,
    attachment: &Attachment,
    keeper: Option<&Keeper>,
    group: Option<&Group>,
) -> Result<(), Error> {
    let namespaces = attachment.namespace().into_iter().chain(keeper.map(Keeper::namespace));
    let entrances = group.into_iter().flat_map(Group::entrances);
    let descriptors: Vec<_> = namespaces.chain(entrances).collect();
    channel::send(&supervisor.socket, spec, &descriptors)
}
