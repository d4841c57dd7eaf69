//! Where selected files land: the rules of COPY's destination.

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

/// A destination as written, and what the sources make of it.
pub struct Destination {
    /// Cleaned, symlinks followed.
    path: Vec<u8>,
    /// Files land in it, not on it.
    pub is_directory: bool,
}

impl Destination {
    /// `files`: how many sources are no directories. More than one, or a `/` at the end, means a directory.
    pub fn new(draft: &Draft, written: &str, several: bool) -> Result<Self, Error> {
        let path = draft.resolve(&path::clean(written.as_bytes()), true)?;
        let is_directory = written.ends_with('/') || written.ends_with("/.") || several || draft.is_dir(&path);
        Ok(Self { path, is_directory })
    }

    pub fn path(&self) -> &[u8] {
        &self.path
    }
}

/// Puts one match in its place; tells `placed` where each item (by its number) went.
pub fn place(
    draft: &mut Draft,
    tree: &Tree<'_>,
    (number, found): (usize, &Match),
    to: &Destination,
    attributes: &Attributes,
    placed: &mut dyn FnMut(usize, Vec<u8>),
) -> Result<(), Error> {
    let new = attributes.new_parents();
    let onto_file = !found.directory && !to.is_directory;
    let directory = if onto_file {
        path::split(&to.path).0
    } else {
        to.path.as_slice()
    };
    draft.make_directories(directory, new)?;
    if let Some(top) = &found.top {
        draft.saw(top);
    }
    for (place, item) in found.items.iter().enumerate() {
        let at = if onto_file {
            to.path.clone()
        } else {
            path::join(&to.path, &item.to)
        };
        put(draft, tree, item, number, &at, attributes)?;
        placed(place, at);
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
    attributes.apply(&mut meta);
    match meta.kind {
        Kind::Directory => draft.add_directory(at, meta),
        Kind::File => {
            let content = tree.content(&item.path)?;
            draft.add_leaf(at, meta, content, item.node.link_id.map(|id| (number, id)))
        }
        _ => draft.add_leaf(at, meta, Content::None, None),
    }
}
