//! What is around a program, whatever that is: its network, its cgroup, and the process that makes and watches its container.

use std::os::fd::BorrowedFd;

use crate::context::RequestContext;
use crate::error::Error;
use crate::network::Attachment;
use crate::protocol::{Mode, MountType, SandboxParams};
use crate::session::Session;

use super::cgroup::{self, Group};
use super::channel;
use super::idmap::Idmap;
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
}

impl Shell {
    /// Has the container made, as far as that goes without its root filesystem.
    pub fn begin(asked: &Asked<'_>, security: Security) -> Result<Self, Error> {
        let Asked { session, params, .. } = *asked;
        let keeper = session.idmap().map(|idmap| &idmap.keeper);
        let shell = Self {
            attachment: session.network.attach(params, keeper, asked.request)?,
            group: cgroup::make(session, params)?,
            supervisor: session.containers.supervisors.take()?,
        };
        let mut descriptors = Descriptors::default();
        let spec = shell.spec(asked, security, &mut descriptors)?;
        channel::send(&shell.supervisor.socket, &spec, &descriptors.0)?;
        drop(descriptors);
        Ok(shell)
    }

    fn spec<'a>(
        &'a self,
        asked: &Asked<'a>,
        security: Security,
        descriptors: &mut Descriptors<'a>,
    ) -> Result<Spec, Error> {
        let Asked {
            session, params, ids, ..
        } = *asked;
        Ok(Spec {
            hostname: params.hostname.clone(),
            // The containers' root can't go into our folders. What hangs there goes with the old root; /proc is not looked into by then.
            staging: ids.map_or_else(|| session.staging(), |_| Ok("/proc".to_owned()))?,
            network: self.attachment.namespace().map(|namespace| descriptors.add(namespace)),
            ids: ids.map(|ids| descriptors.add(ids.keeper.namespace())),
            user_namespace: session.mode.in_user_namespace(),
            bind_proc: !session.own_proc,
            emulate_ids: session.mode.emulates_ids(),
            chroot: session.mode == Mode::Chroot,
            insecure: params.insecure.unwrap_or(false),
            security,
            cgroup: self
                .group
                .iter()
                .flat_map(Group::entrances)
                .map(|entrance| descriptors.add(entrance))
                .collect(),
            cgroups: session
                .containers
                .shown_cgroups
                .get_or_init(cgroup::view::shown)
                .clone(),
            shm_bytes: params.shm_bytes,
            ulimits: params.ulimits.clone().unwrap_or_default(),
            has_secret: params.secret_env.iter().flatten().next().is_some()
                || params.mounts.iter().any(|mount| mount.kind == MountType::Secret),
            terminal: params.tty,
            services: ids.map_or_else(Vec::new, |_| vec![Service::Mknod]),
        })
    }
}

/// What goes beside a message, which names it by its places.
#[derive(Default)]
struct Descriptors<'a>(Vec<BorrowedFd<'a>>);

impl<'a> Descriptors<'a> {
    fn add(&mut self, descriptor: BorrowedFd<'a>) -> usize {
        self.0.push(descriptor);
        self.0.len() - 1
    }
}
