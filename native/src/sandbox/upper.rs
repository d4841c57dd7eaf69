//! The upper directory of a container: all that its program writes.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::context::CancelToken;
use crate::digest::SnapshotID;
use crate::error::Error;
use crate::layer::epoch;
use crate::overlay;
use crate::owner;
use crate::protocol::{SandboxParams, Snapshotter};
use crate::session::{Session, Snapshot, SnapshotState};
use crate::snapshots::{flatten, fuse_marks, root as roots};

use super::certificates::Installed;
use super::idmap::Idmap;
use super::pump::Outcome;
use super::stub;

const STILL_OPEN: &str = "a file that the step made is still open for writing in another container";
const STILL_OPEN_HINT: &str =
    "a program of the step has handed it to one of another step, through a cache mount that they share";

/// Thrown away unless it is kept. Where no overlay is mounted, also the root.
pub struct Upper<'a> {
    session: &'a Session,
    snapshot: Arc<Snapshot>,
    directory: Option<roots::Directory>,
    kept: bool,
}

impl<'a> Upper<'a> {
    /// With the root whose upper directory it is.
    pub fn make(
        session: &'a Session,
        params: &SandboxParams,
        ids: Option<&Idmap>,
        cancel: &CancelToken,
    ) -> Result<(Self, OwnedFd), Error> {
        let mut upper = Self {
            session,
            snapshot: session.new_snapshot()?,
            directory: None,
            kept: false,
        };
        let roots::Root { place, directory } = roots::open(session, &params.root, &upper.snapshot, ids, cancel)?;
        upper.directory = directory;
        Ok((upper, place))
    }

    /// Where what the program writes lies: alone, or among all other files.
    pub fn files(&self) -> &OwnedFd {
        match &self.directory {
            Some(directory) => &directory.files,
            None => &self.snapshot.fs,
        }
    }

    /// Makes it a snapshot that is done. `root` is what it was written through.
    pub fn commit(
        mut self,
        root: OwnedFd,
        params: &SandboxParams,
        outcome: &Outcome,
        certificates: Option<Installed>,
    ) -> Result<SnapshotID, Error> {
        let frozen = self.directory.is_some() || params.insecure.unwrap_or(false) || overlay::freeze(root.as_fd())?;
        if !frozen {
            return Err(Error::user("RUN_FAILED", STILL_OPEN).hint(STILL_OPEN_HINT));
        }
        drop(root);
        let restored = match certificates {
            Some(installed) => installed.withdraw(self.files(), self.directory.is_none())?,
            None => Vec::new(),
        };
        let (session, snapshot) = (self.session, &self.snapshot);
        if session.snapshotter == Snapshotter::FuseOverlayfs {
            // Its files would keep the places of mounts in the layer.
            fuse_marks::clean(&snapshot.fs, flatten::directories(session, &params.root)?)?;
        }
        match &mut self.directory {
            None => stub::remove(&snapshot.fs, &outcome.stubs)?,
            Some(directory) => {
                stub::remove_stubs(&directory.files, &outcome.stubs)?;
                let paths = outcome.stubs.touched.iter().map(|touched| touched.path.clone());
                let touched: Vec<_> = paths.chain(restored).chain(outcome.touched.iter().cloned()).collect();
                directory.write_changes(session, snapshot, &touched, params.epoch_seconds)?;
            }
        }
        // Here, before the next step can see a time, and not when it is packed beside that step.
        if let Some(epoch) = params.epoch_seconds {
            epoch::limit_files(&snapshot.fs, epoch)?;
        }
        if let Some(owners) = &outcome.owners {
            owner::mark_new(&snapshot.fs, owners.maker)?;
            // A snapshot is committed once.
            let _ = snapshot.owners.set(Arc::new(owners.clone()));
        }
        session.discard_temporary(&format!("{}/work", snapshot.name))?;
        snapshot.set_state(SnapshotState::Committed);
        self.kept = true;
        let id = self.snapshot.id;
        if let Some(directory) = self.directory.take() {
            session.roots.keep(session, &params.root, id, directory)?;
        }
        Ok(id)
    }
}

impl Drop for Upper<'_> {
    fn drop(&mut self) {
        let snapshot = (!self.kept).then(|| self.session.discard_snapshot(&self.snapshot));
        let directory = self.directory.take().map(|directory| directory.discard(self.session));
        for error in snapshot.into_iter().chain(directory).filter_map(Result::err) {
            eprintln!("cooper-worker: {error}");
        }
    }
}
