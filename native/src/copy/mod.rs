//! COPY, ADD and WORKDIR: a layer made from a selection and the indexes of its parents, with nothing mounted.

pub mod archive;
mod assemble;
pub mod chmod;
pub mod draft;
pub mod materialize;
pub mod place;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::context::RequestContext;
use crate::digest::LayerRef;
use crate::error::Error;
use crate::index::entry::Kind;
use crate::index::{path, store};
use crate::layer::content::Content;
use crate::layer::layout::Item;
use crate::layer::write::write_tree;
use crate::layer::{commit, epoch};
use crate::protocol::{FileCopyParams, FileCopyResult, FileMkdirParams, LayerForm, PackedLayer};
use crate::session::Session;
use crate::tree::{digest, open, user};
use assemble::{Part, Place, assemble};
use draft::{Draft, NewParents};

/// `file.copy`.
pub fn copy(session: &Session, params: FileCopyParams, request: &RequestContext) -> Result<FileCopyResult, Error> {
    let mut parts = Vec::with_capacity(params.selections.len());
    for (number, selection) in params.selections.iter().enumerate() {
        parts.push(Part::open(session, selection).map_err(|error| numbered(error, number))?);
    }
    let (mut items, placed) = assemble(session, &params, &parts)?;
    epoch::limit_items(&mut items, params.epoch_seconds);
    let layer = finish(session, request, items, params.form, params.snapshot)?;
    let index = store::index(session, &LayerRef::Layer(layer.diff_id.clone()))?;
    for (at, Place { part, found, item }) in placed {
        parts[part].matches[found].items[item].node.sum = index.find_file(&at).and_then(|entry| entry.sum);
    }
    let mut selected = Vec::with_capacity(parts.len());
    for Part { tree, mut matches, .. } in parts {
        // What was covered by a later source, or unpacked, has not been digested yet.
        digest::fill(&tree, &mut matches, None)?;
        selected.push(digest::of_selection(&matches));
    }
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
        selected,
    })
}

fn numbered(error: Error, number: usize) -> Error {
    match error {
        Error::SourceMissing(mut missing) => {
            missing.selection = number;
            Error::SourceMissing(missing)
        }
        other => other,
    }
}

/// `file.mkdir`.
pub fn mkdir(session: &Session, params: FileMkdirParams, request: &RequestContext) -> Result<PackedLayer, Error> {
    let (owner, _) = user::find_owner(&open::chain(session, &params.parent)?, &params.user)?;
    let mut draft = Draft::new(store::view(session, &params.parent)?);
    let at = draft.resolve(&path::clean(params.path.as_bytes()), true)?;
    draft.make_directories(&at, NewParents { mode: 0o755, owner })?;
    let mut items = draft.finish();
    epoch::limit_items(&mut items, params.epoch_seconds);
    finish(session, request, items, params.form, params.snapshot)
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
