//! The container of the step after this one. It is made while this one's program runs, as far as that goes without knowing the step: a step of a
//! build mostly wants the one that the step before it wanted.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::context::lock;
use crate::error::{Doing, Error};
use crate::network::Attachment;
use crate::protocol::Network;

use super::process::{Supervisor, Supervisors};
use super::shell::{self, Asked};
use super::spec::Spec;

/// At most one waits.
#[derive(Default)]
pub struct Ahead {
    supervisors: Arc<Supervisors>,
    coming: Mutex<Option<JoinHandle<Result<Waiting, Error>>>>,
}

/// A supervisor that nobody has taken yet. Given back in this order.
pub struct Waiting {
    pub supervisor: Supervisor,
    pub told: Option<Told>,
}

/// What a supervisor was told, and so has made.
pub struct Told {
    pub spec: Spec,
    pub attachment: Attachment,
    pub network: Network,
}

impl Ahead {
    /// The one that waits, where it has made nothing that is not wanted; else a new one.
    pub fn take(&self, is_wanted: impl FnOnce(&Told) -> Result<bool, Error>) -> Result<Waiting, Error> {
        if let Some(waiting) = self.wait()
            && waiting.told.as_ref().map_or(Ok(true), is_wanted)?
        {
            return Ok(waiting);
        }
        Ok(Waiting {
            supervisor: self.supervisors.start()?,
            told: None,
        })
    }

    /// Has the next one made, on a thread of its own: the running program waits for nothing. `spec` is what this one's supervisor was told.
    pub fn make_next(&self, asked: &Asked<'_>, spec: &Spec) -> Result<(), Error> {
        let Asked {
            session,
            params,
            request,
            ids,
        } = *asked;
        let mut coming = lock(&self.coming);
        // After a container that is no step's there is no other.
        if coming.is_some() || !params.commit {
            return Ok(());
        }
        let keeper = ids.map(|ids| Arc::clone(&ids.keeper));
        // A cgroup is of one container. An error is said by the step that needs the network, and meets it again.
        let attach = || session.network.attach(params.network, shell::keeper(session), request);
        let attachment = spec.cgroup.is_empty().then(attach).and_then(Result::ok);
        let told = attachment.map(|attachment| Told {
            spec: spec.clone(),
            attachment,
            network: params.network,
        });
        let supervisors = Arc::clone(&self.supervisors);
        let make = move || {
            let supervisor = supervisors.start()?;
            if let Some(Told { spec, attachment, .. }) = &told {
                shell::tell(&supervisor, spec, attachment, keeper.as_deref(), None)?;
            }
            Ok(Waiting { supervisor, told })
        };
        let thread = thread::Builder::new().name("ahead".to_owned()).spawn(make);
        *coming = Some(thread.doing(|| "start a thread")?);
        Ok(())
    }

    /// Ends the one that waits: no other container comes.
    pub fn close(&self) {
        drop(self.wait());
    }

    fn wait(&self) -> Option<Waiting> {
        let coming = lock(&self.coming).take()?;
        // One that panicked has said so. Another error the step meets again that makes its own, and says it.
        coming.join().ok()?.ok()
    }
}
