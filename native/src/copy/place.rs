//! Where selected files land: the rules of COPY's destination.

use std::sync::Arc;

use super::chmod::Chmod;
use super::draft::{Draft, NewParents};
use crate::error::Error;
use crate::index::entry::{Kind, Meta};
use crate::index::path;
use crate::layer::content::Content;
use crate::tree::select::{Item, Match};
use crate::tree::source::Tree;

/// --chown and --chmod, understood.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    pub owner: Option<(u32, u32)>,
    pub chmod: Option<Chmod>,
}

impl Attributes {
    pub fn apply(&self, meta: &mut Meta) {
        if let Some(owner) = self.owner {
            (meta.uid, meta.gid) = owner;
        }
        if let Some(chmod) = &self.chmod {
            meta.mode = chmod.apply(meta.kind, meta.mode);
        }
    }

    pub fn new_parents(&self) -> NewParents {
        let mode = self.chmod.as_ref().map_or(0o755, Chmod::for_parents);
        NewParents {
            mode,
            owner: self.owner.unwrap_or_default(),
        }
    }
}

/// A destination as written.
pub struct Destination {
    /// Cleaned; symlinks are followed anew for each source, in what the ones before it have made.
    path: Vec<u8>,
    /// A `/` at the end: it is a directory, whatever comes.
    directory: bool,
}

impl Destination {
    pub fn new(written: &str) -> Self {
        Self {
            path: path::clean(written.as_bytes()),
            directory: written.ends_with('/') || written.ends_with("/."),
        }
    }

    /// Where it leads, symlinks followed.
    pub fn resolve(&self, draft: &Draft) -> Result<Vec<u8>, Error> {
        draft.resolve(&self.path, true)
    }
}

/// Puts one match in its place; tells `placed` where each item (by its number) went, sockets left out: what they
/// become has not the digest of the source. Every source is copied by itself, as if it were
/// the only one: a file onto a new name that a file before it has taken replaces that. Source: BuildKit, fsutil's `Copy`.
pub fn place(
    draft: &mut Draft,
    tree: &Tree<'_>,
    (number, found): (usize, &Match),
    to: &Destination,
    attributes: &Attributes,
    placed: &mut dyn FnMut(usize, Vec<u8>),
) -> Result<(), Error> {
    let new = attributes.new_parents();
    let above = if to.directory {
        &to.path
    } else {
        path::split(&to.path).0
    };
    let above = draft.resolve(above, true)?;
    draft.make_directories(&above, new)?;
    let to = to.resolve(draft)?;
    if found.directory {
        return place_directory(draft, tree, (number, found), &to, attributes, placed);
    }
    for (place, item) in found.items.iter().enumerate() {
        let at = if draft.is_dir(&to) {
            path::join(&to, &item.to)
        } else {
            to.clone()
        };
        draft.make_directories(path::split(&at).0, new)?;
        put(draft, tree, item, number, &at, attributes)?;
        if item.node.meta.kind != Kind::Socket {
            placed(place, at);
        }
    }
    Ok(())
}

/// The contents of a directory. The destination has its own attributes, if it is new those of any new directory; only its time is
/// the source's.
fn place_directory(
    draft: &mut Draft,
    tree: &Tree<'_>,
    (number, found): (usize, &Match),
    to: &[u8],
    attributes: &Attributes,
    placed: &mut dyn FnMut(usize, Vec<u8>),
) -> Result<(), Error> {
    draft.make_directories(to, attributes.new_parents())?;
    for (place, item) in found.items.iter().enumerate() {
        let at = path::join(to, &item.to);
        put(draft, tree, item, number, &at, attributes)?;
        if item.node.meta.kind != Kind::Socket {
            placed(place, at);
        }
    }
    // The root of a source has no time that means anything.
    if let Some(top) = found.top.as_ref().filter(|_| !found.path.is_empty()) {
        draft.set_time(to, top.mtime);
    }
    Ok(())
}

fn put(
    draft: &mut Draft,
    tree: &Tree<'_>,
    item: &Item,
    number: usize,
    at: &[u8],
    attributes: &Attributes,
) -> Result<(), Error> {
    let mut meta = item.node.meta.clone();
    if item.carrier && draft.is_dir(at) {
        return draft.change_mode(at, meta.mode);
    }
    attributes.apply(&mut meta);
    match meta.kind {
        Kind::Directory => draft.add_directory(at, meta),
        Kind::File => {
            let content = tree.content(&item.path)?;
            draft.add_leaf(at, meta, content, item.node.link_id.map(|id| (number, id)))
        }
        Kind::Socket => draft.add_leaf(at, as_empty_file(meta), Content::Bytes(Arc::from([])), None),
        _ => draft.add_leaf(at, meta, Content::None, None),
    }
}

/// Nothing listens in an image: what is left of a socket is an empty file with its mode, as in BuildKit.
pub fn as_empty_file(socket: Meta) -> Meta {
    Meta {
        kind: Kind::File,
        ..socket
    }
}
