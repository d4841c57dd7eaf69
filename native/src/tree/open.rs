//! Opens the sources that messages name.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::ignore::Ignore;
use super::select::{self, Match, Patterns};
use super::source::Tree;
use crate::digest::LayerRef;
use crate::error::{Doing, Error};
use crate::index::store;
use crate::protocol::{Selection, Source};
use crate::session::Session;

/// The tree of a source.
pub fn source<'s>(session: &'s Session, source: &Source) -> Result<Tree<'s>, Error> {
    match source {
        Source::Handle { handle, ignore } => {
            let root = directory(&session.handles.get(handle)?.fd)?;
            Ok(Tree::host(root, Ignore::new(ignore)?))
        }
        Source::Chain { chain: layers } => chain(session, layers),
        Source::Inline { files } => Ok(Tree::inline(
            files
                .iter()
                .map(|file| (file.name.clone(), file.text.clone(), file.mode)),
        )),
    }
}

/// The tree of a filesystem.
pub fn chain<'s>(session: &'s Session, chain: &[LayerRef]) -> Result<Tree<'s>, Error> {
    let view = store::view(session, chain)?;
    Ok(Tree::view(view, Box::new(|layer| session.layer(layer))))
}

/// The selected files of an open source, without their digests.
pub fn selected(tree: &Tree<'_>, selection: &Selection) -> Result<Vec<Match>, Error> {
    let Selection {
        sources,
        exclude,
        parents,
        ..
    } = selection;
    select::select(
        tree,
        &Patterns {
            sources,
            exclude,
            parents: *parents,
        },
    )
}

/// Opens the directory of a handle for reading.
pub fn directory(handle: impl AsFd) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(handle, c".", flags, Mode::empty()).doing(|| "open the directory of a handle")
}
