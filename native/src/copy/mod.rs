//! COPY, ADD and WORKDIR: a layer made from a selection and the indexes of its parents, with nothing mounted.

pub mod archive;
pub mod chmod;
pub mod draft;
pub mod materialize;
pub mod place;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::context::RequestContext;
use crate::digest::LayerRef;
use crate::error::Error;
use crate::index::entry::Kind;
use crate::index::view::View;
use crate::index::{path, store};
use crate::layer::commit;
use crate::layer::content::Content;
use crate::layer::layout::Item;
use crate::layer::write::write_tree;
use crate::protocol::{FileCopyParams, FileCopyResult, FileMkdirParams, LayerForm, PackedLayer};
use crate::session::Session;
use crate::tree::select::Match;
use crate::tree::source::Tree;
use crate::tree::{digest, open, user};
use archive::Archive;
use chmod::Chmod;
use draft::{Draft, NewParents};
use place::{Attributes, Destination, place};

/// `file.copy`.
pub fn copy(session: &Session, params: FileCopyParams, request: &RequestContext) -> Result<FileCopyResult, Error> {
    let tree = open::source(session, &params.selection.source)?;
    let mut matches = open::selected(&tree, &params.selection)?;
    let attributes = Attributes {
        owner: params
            .attributes
            .chown
            .as_deref()
            .map(|text| user::find_owner(&open::chain(session, &params.parent)?, text))
            .transpose()?,
        chmod: params.attributes.chmod.as_deref().map(Chmod::parse).transpose()?,
    };
    // A linked copy stands on nothing: its directories are new and no symlink of the parent is followed.
    let parent = if params.link {
        View::default()
    } else {
        store::view(session, &params.parent)?
    };
    let mut draft = Draft::new(parent);
    digest::load_xattrs(&tree, &mut matches)?;
    let several = matches.len() > 1 || params.selection.sources.len() > 1 || params.selection.parents;
    let destination = Destination::new(&draft, &params.destination, several)?;
    // Where two sources have the same name, the later one counts.
    let mut placed: HashMap<Vec<u8>, (usize, usize)> = HashMap::new();
    // Only hard links of an archive can name files of the parent.
    let parents = open::chain(
        session,
        if params.selection.unpack && !params.link {
            &params.parent
        } else {
            &[]
        },
    )?;
    for (number, found) in matches.iter().enumerate() {
        if params.selection.unpack
            && unpack(
                session,
                (&tree, &parents),
                (number, found),
                &mut draft,
                &destination,
                &attributes,
            )?
        {
            continue;
        }
        let mut remember = |item, at| {
            placed.insert(at, (number, item));
        };
        place(
            &mut draft,
            &tree,
            (number, found),
            &destination,
            &attributes,
            &mut remember,
        )?;
    }
    let layer = finish(session, request, draft.finish(), params.form, params.snapshot)?;
    let index = store::index(session, &LayerRef::Layer(layer.diff_id.clone()))?;
    for (at, (number, item)) in placed {
        matches[number].items[item].node.sum = index.find_file(&at).and_then(|entry| entry.sum);
    }
    // What was covered by a later source, or unpacked, has not been digested yet.
    digest::fill(&tree, &mut matches, None)?;
    let PackedLayer {
        diff_id,
        size,
        entries,
        blob,
    } = layer;
    Ok(FileCopyResult {
        diff_id,
        size,
        entries,
        blob,
        selected: digest::of_selection(&matches),
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
    draft.make_directories(to.path(), attributes.new_parents())?;
    archive.unpack(draft, to.path(), attributes)?;
    Ok(true)
}

/// `file.mkdir`.
pub fn mkdir(session: &Session, params: FileMkdirParams, request: &RequestContext) -> Result<PackedLayer, Error> {
    let owner = user::find_owner(&open::chain(session, &params.parent)?, &params.user)?;
    let mut draft = Draft::new(store::view(session, &params.parent)?);
    let at = draft.resolve(&path::clean(params.path.as_bytes()), true)?;
    draft.make_directories(&at, NewParents { mode: 0o755, owner })?;
    finish(session, request, draft.finish(), params.form, params.snapshot)
}

/// Writes the snapshot where it is wanted, packs the layer from it (else from the source), and keeps both.
fn finish(
    session: &Session,
    request: &RequestContext,
    mut items: Vec<Item>,
    form: LayerForm,
    snapshot: bool,
) -> Result<PackedLayer, Error> {
    if !snapshot {
        return commit::commit(session, request, items, form);
    }
    let (name, root) = commit::new_folder(session)?;
    let made = (|| {
        write_tree(&root, &items, commit::form(session))?;
        let root = Arc::new(root);
        for item in items.iter_mut().filter(|item| item.entry.meta.kind == Kind::File) {
            item.content = Content::Snapshot {
                root: Arc::clone(&root),
                path: item.entry.path.clone(),
            };
        }
        let layer = commit::commit(session, request, items, form)?;
        commit::place_snapshot(session, &name, &layer.diff_id)?;
        Ok(layer)
    })();
    if made.is_err() {
        // The first error counts; the lease's sweep takes what stays.
        let _ = session.discard_temporary(&name);
    }
    made
}
