//! The requests `layer.*`.

use std::sync::Arc;

use super::commit::{self, Made};
use super::content::Content;
use super::layout::Item;
use super::stable;
use super::upper::read_upper;
use crate::context::RequestContext;
use crate::digest::{Descriptor, Digest, LayerRef};
use crate::error::{Doing, Error};
use crate::index::entry::{Entry, Kind};
use crate::index::store;
use crate::lock::lock_file;
use crate::protocol::{
    LayerCompressParams, LayerCompressResult, LayerForm, LayerPackParams, LayerPackResult, PackedLayer,
};
use crate::session::{Session, Snapshot, SnapshotState};

/// `layer.pack`.
pub fn pack(session: &Session, params: LayerPackParams, request: &RequestContext) -> Result<LayerPackResult, Error> {
    let snapshot = session.snapshot(params.snapshot)?;
    if snapshot.state() != SnapshotState::Committed {
        return Err(Error::internal(format!(
            "snapshot \"{}\" cannot be packed now",
            params.snapshot
        )));
    }
    let root = snapshot.fs.try_clone().doing(|| "duplicate a descriptor")?;
    let made = commit::make(
        session,
        request,
        read_upper(
            Arc::new(root),
            session.owners(&LayerRef::Snapshot(params.snapshot))?.as_deref(),
        )?,
        params.form,
    )?;
    let Some(stable) = &params.stable else {
        return keep(session, &snapshot, made).map(|layer| result(layer, false));
    };
    let name = stable::name(stable, &made.entries)?;
    // Of two that make the same layer at once one waits until the other's has its place, and finds it.
    let _alone = lock_file(session, &format!("stable-{}", &name.hex()[..2]), true, &request.cancel)?;
    if let Some(older) = older_layer(session, request, &name, &made, params.form)? {
        session.roots.forget(session, snapshot.id)?;
        session.set_packed(&snapshot, &older.diff_id);
        return Ok(result(older, true));
    }
    stable::save(session, &name, &made.layer)?;
    keep(session, &snapshot, made).map(|layer| result(layer, false))
}

fn result(layer: PackedLayer, reused: bool) -> LayerPackResult {
    let PackedLayer {
        diff_id,
        size,
        entries,
        blob,
    } = layer;
    LayerPackResult {
        diff_id,
        size,
        entries,
        blob,
        reused,
    }
}

fn keep(session: &Session, snapshot: &Snapshot, made: Made) -> Result<PackedLayer, Error> {
    let Made { layer, entries } = made;
    store::save(session, &layer.diff_id, entries)?;
    commit::place_snapshot(session, &snapshot.name, &layer.diff_id)?;
    session.set_packed(snapshot, &layer.diff_id);
    Ok(layer)
}

/// The older layer of a content-stable name, if all of it is there.
fn older_layer(
    session: &Session,
    request: &RequestContext,
    name: &Digest,
    made: &Made,
    form: LayerForm,
) -> Result<Option<PackedLayer>, Error> {
    if let Some(older) = stable::find(session, name)?
        && older.diff_id != made.layer.diff_id
        && store::is_stored(session, &older.diff_id)?
        && session.stored_snapshot(&older.diff_id)?.is_some()
    {
        let blob = match form {
            LayerForm::Gzip => Some(compress_snapshot(session, request, &older)?),
            LayerForm::None => None,
        };
        return Ok(Some(PackedLayer { blob, ..older }));
    }
    Ok(None)
}

/// `layer.compress`.
pub fn compress(
    session: &Session,
    params: LayerCompressParams,
    request: &RequestContext,
) -> Result<LayerCompressResult, Error> {
    let layer = PackedLayer {
        diff_id: params.diff_id,
        size: 0,
        entries: 0,
        blob: None,
    };
    Ok(LayerCompressResult {
        blob: compress_snapshot(session, request, &layer)?,
    })
}

/// Packs a stored layer again, from its index and the files of its snapshot. What comes out must have its diffID.
fn compress_snapshot(session: &Session, request: &RequestContext, layer: &PackedLayer) -> Result<Descriptor, Error> {
    let name = LayerRef::Layer(layer.diff_id.clone());
    let root = Arc::new(session.layer(&name)?);
    let index = store::index(session, &name)?;
    // Directories that the index has made up are in no tar; a made-up root can still be opaque.
    let packed = index.entries().iter().filter(|entry| !entry.implied || entry.opaque);
    let item = |entry: &Entry| Item {
        content: match entry.meta.kind {
            Kind::File => Content::Snapshot {
                root: Arc::clone(&root),
                path: entry.path.clone(),
            },
            _ => Content::None,
        },
        entry: entry.clone(),
    };
    let made = commit::make(session, request, packed.map(item).collect(), LayerForm::Gzip)?;
    match made.layer.blob {
        Some(blob) if made.layer.diff_id == layer.diff_id => Ok(blob),
        _ => Err(Error::user(
            "STORE_FAILED",
            format!("the snapshot of layer \"{}\" is not what was packed", layer.diff_id),
        )
        .hint("remove the image and build it again")),
    }
}
