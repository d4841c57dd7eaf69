//! The entries of a COPY's or ADD's layer: each match in its place, archives unpacked.

use std::collections::HashMap;

use super::archive::Archive;
use super::chmod::Chmod;
use super::draft::{Draft, NewParents};
use super::place::{Attributes, Destination, place};
use crate::error::Error;
use crate::index::entry::Kind;
use crate::index::store;
use crate::index::view::View;
use crate::layer::layout::Item;
use crate::protocol::{FileCopyParams, Selection};
use crate::session::Session;
use crate::tree::select::Match;
use crate::tree::source::Tree;
use crate::tree::{digest, open, user};

/// What is copied from one source.
pub struct Part<'s> {
    pub tree: Tree<'s>,
    pub matches: Vec<Match>,
    unpack: bool,
}

impl<'s> Part<'s> {
    /// Opens a source and selects from it.
    pub fn open(session: &'s Session, selection: &Selection) -> Result<Self, Error> {
        let tree = open::source(session, &selection.source)?;
        let mut matches = open::selected(&tree, selection)?;
        digest::load_xattrs(&tree, &mut matches)?;
        Ok(Self {
            tree,
            matches,
            unpack: selection.unpack,
        })
    }
}

/// Where something that was copied came from: which part, which match of it, which item of that.
pub struct Place {
    pub part: usize,
    pub found: usize,
    pub item: usize,
}

/// For each path of the layer that was copied.
pub type Placed = HashMap<Vec<u8>, Place>;

/// Puts all matches in their places. Where two have the same, the later one counts.
pub fn assemble(session: &Session, params: &FileCopyParams, parts: &[Part<'_>]) -> Result<(Vec<Item>, Placed), Error> {
    let attributes = attributes(session, params)?;
    // A linked copy stands on nothing: its directories are new and no symlink of the parent is followed.
    let parent = if is_linked(params) { &[][..] } else { &params.parent };
    let mut draft = Draft::new(store::view(session, parent)?);
    let to = Destination::new(&params.destination);
    // Only hard links of an archive can name files of the parent.
    let parents = match parts.iter().any(|part| part.unpack) {
        true => open::chain(session, parent)?,
        false => Tree::view(View::default(), Box::new(|layer| session.layer(layer))),
    };
    let mut placed = Placed::new();
    // Tells hard links of one match from those of another.
    let mut number = 0;
    for (
        part,
        Part {
            tree,
            matches,
            unpack: unpacks,
        },
    ) in parts.iter().enumerate()
    {
        for (found, one) in matches.iter().enumerate() {
            number += 1;
            let sources = (tree, &parents);
            if *unpacks && unpack(session, sources, (number, one), &mut draft, &to, &attributes)? {
                continue;
            }
            let mut remember = |item, at| {
                placed.insert(at, Place { part, found, item });
            };
            place(&mut draft, tree, (number, one), &to, &attributes, &mut remember)?;
        }
    }
    Ok((draft.finish(), placed))
}

/// With --chmod BuildKit copies as if --link were not there.
fn is_linked(params: &FileCopyParams) -> bool {
    params.link && params.attributes.chmod.is_none()
}

/// --chown and --chmod. Names are looked up in the stage itself, also for a linked copy.
fn attributes(session: &Session, params: &FileCopyParams) -> Result<Attributes, Error> {
    let owner = params.attributes.chown.as_deref();
    let owner = owner.map(|text| owner_of(session, params, text)).transpose()?;
    Ok(Attributes {
        owner,
        chmod: params.attributes.chmod.as_deref().map(Chmod::parse).transpose()?,
    })
}

/// A name that is not there is an error: BuildKit silently takes root for it, and an image with the wrong owners is worse than none.
fn owner_of(session: &Session, params: &FileCopyParams, text: &str) -> Result<(u32, u32), Error> {
    let (owner, missing) = user::find_owner(&open::chain(session, &params.parent)?, text)?;
    missing.map_or(Ok(owner), Err)
}

/// ADD: unpacks a match that is an archive. False for anything else.
fn unpack(
    session: &Session,
    (tree, parents): (&Tree<'_>, &Tree<'_>),
    (number, found): (usize, &Match),
    draft: &mut Draft,
    to: &Destination,
    attributes: &Attributes,
) -> Result<bool, Error> {
    let [item] = &found.items[..] else { return Ok(false) };
    if found.directory || item.node.meta.kind != Kind::File {
        return Ok(false);
    }
    let below = |at: &[u8]| parents.content(at);
    let archive = Archive {
        name: &item.path,
        content: &tree.content(&item.path)?,
        size: item.node.meta.size,
        number,
        spool: session.temporary_path().join(session.temporary_name("archive")),
        below: &below,
    };
    if !archive.is_archive()? {
        return Ok(false);
    }
    let directory = to.resolve(draft)?;
    // --chmod is not for archives.
    let owner = attributes.owner.unwrap_or_default();
    draft.make_directories(&directory, NewParents { mode: 0o755, owner })?;
    archive.unpack(draft, &directory, attributes)?;
    Ok(true)
}
