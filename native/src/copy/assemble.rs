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
use crate::protocol::FileCopyParams;
use crate::session::Session;
use crate::tree::select::Match;
use crate::tree::source::Tree;
use crate::tree::{open, user};

/// For each path of the layer that was copied: which match, and which item of it.
pub type Placed = HashMap<Vec<u8>, (usize, usize)>;

/// Puts all matches in their places. Where two have the same, the later one counts.
pub fn assemble(
    session: &Session,
    params: &FileCopyParams,
    tree: &Tree<'_>,
    matches: &[Match],
) -> Result<(Vec<Item>, Placed), Error> {
    let attributes = attributes(session, params)?;
    // A linked copy stands on nothing: its directories are new and no symlink of the parent is followed.
    let parent = if is_linked(params) { &[][..] } else { &params.parent };
    let mut draft = Draft::new(store::view(session, parent)?);
    let to = Destination::new(&params.destination);
    // Only hard links of an archive can name files of the parent.
    let parents = match params.selection.unpack {
        true => open::chain(session, parent)?,
        false => Tree::view(View::default(), Box::new(|layer| session.layer(layer))),
    };
    let mut placed = Placed::new();
    for (number, found) in matches.iter().enumerate() {
        let sources = (tree, &parents);
        if params.selection.unpack && unpack(session, sources, (number, found), &mut draft, &to, &attributes)? {
            continue;
        }
        let mut remember = |item, at| {
            placed.insert(at, (number, item));
        };
        place(&mut draft, tree, (number, found), &to, &attributes, &mut remember)?;
    }
    Ok((draft.finish(), placed))
}

/// With --chmod BuildKit copies as if --link were not there.
fn is_linked(params: &FileCopyParams) -> bool {
    params.link && params.attributes.chmod.is_none()
}

/// --chown and --chmod. Names are looked up in the stage itself, also for a linked copy.
fn attributes(session: &Session, params: &FileCopyParams) -> Result<Attributes, Error> {
    let owner = |text: &String| user::find_owner(&open::chain(session, &params.parent)?, text);
    Ok(Attributes {
        owner: params.attributes.chown.as_ref().map(owner).transpose()?,
        chmod: params.attributes.chmod.as_deref().map(Chmod::parse).transpose()?,
    })
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
