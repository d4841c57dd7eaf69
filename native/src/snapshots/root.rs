//! The root filesystem of a step: an overlay whose upper directory is the snapshot, or, where no overlay can be mounted, a directory of its own
//! made from the layers. The next step of the stage takes that directory over, so the base is copied once.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, Mode as FileMode, OFlags, fstat, openat, renameat, statat};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use super::stack::Stack;
use super::state::{Change, State};
use super::write::{self, How};
use super::{changes, clone, flatten};
use crate::context::{CancelToken, lock};
use crate::digest::{LayerRef, SnapshotID};
use crate::error::{Doing, Error};
use crate::index::path;
use crate::layer::{commit, epoch};
use crate::overlay;
use crate::protocol::{Mode, Snapshotter};
use crate::sandbox::idmap::Idmap;
use crate::session::{DIRECTORY, Session, Snapshot};
use crate::syscalls::mount_setattr;
use crate::tree::host::open_beneath;

/// Directories that wait for the next step of their stage; the oldest goes when there are more.
const MOST_WAITING: usize = 8;
/// The tar of no entries: such a layer stands in no chain. Source: src/execute/filesystem.ts.
const EMPTY: &str = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// What steps leave to those after them.
#[derive(Default)]
pub struct Roots {
    waiting: Mutex<Vec<Waiting>>,
    views: Mutex<HashMap<Vec<LayerRef>, Arc<OwnedFd>>>,
}

struct Waiting {
    /// What the directory shows; the last layer is the step's own.
    chain: Vec<LayerRef>,
    step: SnapshotID,
    directory: Directory,
}

/// A directory of a step's own, and what it looked like when nothing of the step had begun.
pub struct Directory {
    folder: String,
    pub files: OwnedFd,
    pub state: State,
}

/// A step's root.
pub struct Root {
    /// To be entered: a detached mount, or (chroot) the directory.
    pub place: OwnedFd,
    pub directory: Option<Directory>,
}

/// Makes the root of a step that stands on a chain.
pub fn open(
    session: &Session,
    chain: &[LayerRef],
    upper: &Snapshot,
    ids: Option<&Idmap>,
    cancel: &CancelToken,
) -> Result<Root, Error> {
    if session.snapshotter != Snapshotter::Copy {
        let place = overlay::mount_active(session, chain, upper, ids)?;
        return Ok(Root { place, directory: None });
    }
    let chain = named(session, chain);
    let directory = match session.roots.take(session, &chain)? {
        Some(mut directory) => {
            directory.part_names(session)?;
            directory
        }
        None => copy(session, &chain, cancel)?,
    };
    directory.state.wait_for_the_clock();
    let place = if session.mode == Mode::Chroot {
        directory.files.try_clone().doing(|| "duplicate a descriptor")?
    } else {
        detached(&directory.files)?
    };
    let directory = Some(directory);
    Ok(Root { place, directory })
}

/// A chain to look at, as a detached mount that is read-only.
pub fn mount_chain(session: &Session, chain: &[LayerRef], ids: Option<&Idmap>) -> Result<OwnedFd, Error> {
    if session.snapshotter != Snapshotter::Copy {
        return overlay::mount_chain(session, chain, ids);
    }
    let mount = detached(&*view(session, &named(session, chain))?)?;
    mount_setattr(mount.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into(), false)
        .doing(|| "make a mount read-only")?;
    Ok(mount)
}

/// A chain that may be written to, and is thrown away with `folders`.
pub fn mount_scratch(
    session: &Session,
    chain: &[LayerRef],
    folders: &mut Vec<String>,
    ids: Option<&Idmap>,
) -> Result<OwnedFd, Error> {
    if session.snapshotter != Snapshotter::Copy {
        let upper = session.new_snapshot()?;
        folders.push(upper.name.clone());
        return overlay::mount_active(session, chain, &upper, ids);
    }
    let (folder, files) = commit::new_folder(session)?;
    folders.push(folder);
    let layers = flatten::directories(session, &named(session, chain))?;
    write::write(&Stack(&layers), &files, How::Copies, None)?;
    detached(&files)
}

/// Other names of a chain's files: nothing may be written there.
pub fn view(session: &Session, chain: &[LayerRef]) -> Result<Arc<OwnedFd>, Error> {
    if let Some(known) = lock(&session.roots.views).get(chain) {
        return Ok(Arc::clone(known));
    }
    // It stays until the session ends.
    let (_, files) = commit::new_folder(session)?;
    let layers = flatten::directories(session, chain)?;
    write::write(&Stack(&layers), &files, How::Links, None)?;
    let files = Arc::new(files);
    lock(&session.roots.views).insert(chain.to_vec(), Arc::clone(&files));
    Ok(files)
}

/// Copies a directory to an empty one, with its own attributes too.
pub fn copy_tree(from: &OwnedFd, to: &OwnedFd) -> Result<(), Error> {
    let stat = rustix::fs::fstat(from).doing(|| "stat a directory")?;
    let layers = [from.try_clone().doing(|| "duplicate a descriptor")?];
    write::write(&Stack(&layers), to, How::Copies, None)?;
    clone::attributes(from, to, &stat).doing(|| "set the attributes of a directory")
}

fn detached(directory: &OwnedFd) -> Result<OwnedFd, Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(directory, c"", flags).doing(|| "mount a directory of layers")
}

fn copy(session: &Session, chain: &[LayerRef], cancel: &CancelToken) -> Result<Directory, Error> {
    let (folder, files) = commit::new_folder(session)?;
    let made = flatten::directories(session, chain)
        .and_then(|layers| write::write(&Stack(&layers), &files, How::Copies, Some(cancel)))
        .and_then(|()| State::read(&files));
    if made.is_err() {
        // The first error counts; the lease's sweep takes what stays.
        let _ = session.discard_temporary(&folder);
    }
    let state = made?;
    Ok(Directory { folder, files, state })
}

/// A chain in the names that its layers have by now, so that two of them can be compared.
pub fn named(session: &Session, chain: &[LayerRef]) -> Vec<LayerRef> {
    let mut names = Vec::with_capacity(chain.len());
    for layer in chain {
        let name = match layer {
            LayerRef::Snapshot(id) => session.packed(*id).map_or_else(|| layer.clone(), LayerRef::Layer),
            LayerRef::Layer(_) => layer.clone(),
        };
        if !matches!(&name, LayerRef::Layer(diff_id) if diff_id.hex() == EMPTY) {
            names.push(name);
        }
    }
    names
}

impl Directory {
    /// Writes what has changed since the step began as its snapshot, with no time after the epoch. `touched` are paths that we changed and put
    /// back.
    pub fn write_changes(
        &mut self,
        session: &Session,
        snapshot: &Snapshot,
        touched: &[String],
        epoch: Option<i64>,
    ) -> Result<(), Error> {
        for path in touched {
            self.state.refresh(&self.files, path.as_bytes())?;
        }
        let mut after = State::read(&self.files)?;
        let changes = self.state.changes(&after);
        if let Some(epoch) = epoch {
            // Here too, where the next step goes on.
            let there = changes::paths(&changes)
                .into_iter()
                .filter(|at| changes.get(*at) != Some(&Change::Gone));
            there
                .rev()
                .try_for_each(|at| epoch::limit_path(&self.files, at, epoch))?;
            after = State::read(&self.files)?;
        }
        changes::write(&self.files, &changes, &snapshot.fs, session.opaque_mark())?;
        self.state = after;
        Ok(())
    }

    /// Makes a file of its own of each name, as it is for whoever writes to a lower layer of an overlay.
    fn part_names(&mut self, session: &Session) -> Result<(), Error> {
        let names = self.state.further_names();
        if names.is_empty() {
            return Ok(());
        }
        let folder =
            openat(session.temporary(), &self.folder, DIRECTORY, FileMode::empty()).doing(|| "open a folder")?;
        for at in names {
            let doing = || format!("copy \"{}\" of a step", path::show(at));
            let (parent, name) = path::split(at);
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let parent = open_beneath(&self.files, parent, flags, FileMode::empty()).doing(doing)?;
            let (before, name) = (fstat(&parent).doing(doing)?, OsStr::from_bytes(name));
            let stat = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).doing(doing)?;
            let copy = OsStr::new("copy");
            clone::leaf_as(&parent, name, &folder, copy, &stat).doing(doing)?;
            renameat(&folder, copy, &parent, name).doing(doing)?;
            clone::set_times(&parent, &before).doing(doing)?;
        }
        self.state = State::read(&self.files)?;
        Ok(())
    }

    /// Gives it up.
    pub fn discard(self, session: &Session) -> Result<(), Error> {
        session.discard_temporary(&self.folder)
    }
}

impl Roots {
    /// The directory of the step that a chain ends with, for its first child.
    fn take(&self, session: &Session, chain: &[LayerRef]) -> Result<Option<Directory>, Error> {
        let mut waiting = lock(&self.waiting);
        for at in 0..waiting.len() {
            if named(session, &waiting[at].chain) == chain {
                return Ok(Some(waiting.remove(at).directory));
            }
        }
        Ok(None)
    }

    /// Keeps a directory for the next step of its stage.
    pub fn keep(
        &self,
        session: &Session,
        below: &[LayerRef],
        step: SnapshotID,
        directory: Directory,
    ) -> Result<(), Error> {
        let mut waiting = lock(&self.waiting);
        let chain = below.iter().cloned().chain([LayerRef::Snapshot(step)]).collect();
        waiting.push(Waiting { chain, step, directory });
        if waiting.len() <= MOST_WAITING {
            return Ok(());
        }
        let oldest = waiting.remove(0);
        drop(waiting);
        oldest.directory.discard(session)
    }

    /// A step whose layer was replaced by an older one: its times are not those of the directory.
    pub fn forget(&self, session: &Session, step: SnapshotID) -> Result<(), Error> {
        let mut waiting = lock(&self.waiting);
        match waiting.iter().position(|each| each.step == step) {
            Some(at) => waiting.remove(at).directory.discard(session),
            None => Ok(()),
        }
    }
}
