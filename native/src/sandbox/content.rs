//! What lies in a container: its root filesystem, its mounts, and its program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::context::lock;
use crate::error::Error;
use crate::network::Attachment;
use crate::protocol::{Event, Mode, MountType};

use super::Running;
use super::certificates::{self, Installed};
use super::channel;
use super::chroot::{self, Places};
use super::idmap;
use super::memory::Watch;
use super::mounts::{self, Prepared};
use super::process::Supervisor;
use super::pump::{self, Outcome, Streams};
use super::shell::Asked;
use super::spec::{self, Answer, MOUNTS, Program, Spec};
use super::upper::Upper;

/// Given back in this order.
pub struct Content<'a> {
    certificates: Option<Installed>,
    /// Where nothing can be mounted.
    places: Option<Places<'a>>,
    mounts: Prepared<'a>,
    upper: Upper<'a>,
}

/// How a program ran.
pub struct Ran {
    pub outcome: Outcome,
    pub memory: Watch,
    pub started_ns: u128,
    pub ended_ns: u128,
}

impl<'a> Content<'a> {
    /// With the root filesystem.
    pub fn make(asked: &Asked<'a>, attachment: &Attachment) -> Result<(Self, OwnedFd), Error> {
        let Asked {
            session,
            params,
            request,
            ids,
        } = *asked;
        let (upper, root) = Upper::make(session, params, ids, &request.cancel)?;
        let (mut mounts, mut places) = if session.mode == Mode::Chroot {
            let (mounts, places) = chroot::prepare(session, params, &root, attachment, request)?;
            (mounts, Some(places))
        } else {
            let mounts = mounts::prepare(session, params, root.as_fd(), ids, attachment, request)?;
            (mounts, None)
        };
        let certificates = match &params.certificates {
            Some(wanted) => Some(certificates::install(wanted, root.as_fd(), upper.files())?),
            None => None,
        };
        match (&certificates, &mut places) {
            (Some(installed), None) => installed.show(&mut mounts)?,
            (Some(installed), Some(places)) => installed.place(places)?,
            (None, _) => {}
        }
        let content = Self {
            certificates,
            places,
            mounts,
            upper,
        };
        Ok((content, root))
    }

    /// From the program's start to its end.
    pub fn run(
        &self,
        asked: &Asked<'_>,
        (supervisor, spec): (Supervisor, &Spec),
        root: BorrowedFd<'_>,
    ) -> Result<Ran, Error> {
        let Asked {
            session,
            params,
            request,
            ids,
        } = *asked;
        let (streams, stdio) = Streams::open(params.stdin, params.tty.is_some(), ids.map(|_| idmap::FIRST))?;
        let program = self.program(asked)?;
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![root];
        descriptors.extend(stdio.iter().map(AsFd::as_fd));
        descriptors.extend(self.mounts.descriptors.iter().map(AsFd::as_fd));
        let memory = Watch::begin(session);
        let started_ns = nanoseconds();
        tell(&supervisor, &program, &descriptors)?;
        drop(stdio);
        let sockets = &self.mounts.sockets;
        let outcome = sockets.serve(session, request, || attend(asked, &supervisor, spec, streams));
        let ended_ns = nanoseconds();
        drop(supervisor);
        Ok(Ran {
            outcome: outcome?,
            memory,
            started_ns,
            ended_ns,
        })
    }

    fn program(&self, asked: &Asked<'_>) -> Result<Program, Error> {
        let params = asked.params;
        let mut env = params.env.clone();
        for (name, id) in params.secret_env.iter().flatten() {
            let value = asked.session.secrets.get(id)?;
            let value = std::str::from_utf8(&value).map_err(|_| {
                let message = format!("secret \"{id}\" is not UTF-8: give it as a file");
                Error::user("SECRET_MISSING", message)
            })?;
            env.push(format!("{name}={value}"));
        }
        if let Some(installed) = &self.certificates {
            env.extend(installed.variables(&env));
        }
        let placed = |mount: &spec::Mount| spec::Mount {
            descriptor: MOUNTS + mount.descriptor,
            ..mount.clone()
        };
        Ok(Program {
            argv: params.argv.clone(),
            env,
            cwd: mounts::clean(&params.cwd),
            user: params.user.clone(),
            mounts: self.mounts.list.iter().map(placed).collect(),
            has_secret: params.secret_env.iter().flatten().next().is_some()
                || params.mounts.iter().any(|mount| mount.kind == MountType::Secret),
        })
    }

    /// When the container has ended: what it has written, and what of that is ours.
    pub fn take_down(self, outcome: &mut Outcome) -> Result<(Upper<'a>, Option<Installed>), Error> {
        if let Some(places) = self.places {
            outcome.touched.extend(places.undo()?);
        }
        Ok((self.upper, self.certificates))
    }
}

/// Says what the program is. A container that could not be made is gone by now: then its reason counts.
fn tell(supervisor: &Supervisor, program: &Program, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
    channel::send(&supervisor.socket, program, descriptors).map_err(|error| {
        match channel::receive::<Answer>(&supervisor.socket) {
            Ok(Some((Answer::Failed(reason), _))) => Error::Relayed(Box::new(reason)),
            _ => error,
        }
    })
}

/// Sees a container from its start to its end.
fn attend(asked: &Asked<'_>, supervisor: &Supervisor, spec: &Spec, streams: Streams) -> Result<Outcome, Error> {
    let Asked { session, request, .. } = *asked;
    let (answer, descriptors) = channel::receive::<Answer>(&supervisor.socket)?
        .ok_or_else(|| Error::internal("the supervisor ended before the container began"))?;
    let stubs = match answer {
        Answer::Failed(error) => return Err(Error::Relayed(Box::new(error))),
        Answer::Ended { .. } => return Err(Error::internal("the container ended before it began")),
        Answer::Started(stubs) => stubs,
        Answer::NotExecuted { stubs, status, message } => {
            request.send_data(2, format!("cooper: {message}\n").as_bytes())?;
            let (ended, _) = channel::receive::<Answer>(&supervisor.socket)?.unzip();
            return Outcome::of(ended, stubs).map(|outcome| outcome.without_program(status));
        }
    };
    let mut descriptors = descriptors.into_iter();
    let pidfd = descriptors.next();
    let pidfd = pidfd.ok_or_else(|| Error::internal("the container came without pidfd"))?;
    let terminal = descriptors.next();
    let streams = match &terminal {
        None => streams,
        Some(terminal) => streams.of_terminal(terminal)?,
    };
    let running = Arc::new(Running { pidfd, terminal });
    lock(&session.containers.running).insert(request.stream, Arc::clone(&running));
    request.emit(&Event::Started)?;
    session.containers.ahead.make_next(asked, spec)?;
    let mask = session.secrets.mask()?;
    let ended = pump::run(request, &supervisor.socket, &running.pidfd, streams, mask.as_deref());
    lock(&session.containers.running).remove(&request.stream);
    Outcome::of(Some(ended?), stubs)
}

/// Since the epoch.
fn nanoseconds() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos())
}
