//! Indexes of the store and of this session's snapshots, each read once.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use super::codec;
use super::entry::Entry;
use super::layer::LayerIndex;
use super::view::{Layer, View};
use crate::context::lock;
use crate::digest::{DiffID, LayerRef};
use crate::error::{Doing, Error};
use crate::layer::upper;
use crate::session::Session;

/// Indexes that were read or made in this session.
#[derive(Default)]
pub struct Indexes(Mutex<HashMap<LayerRef, Arc<LayerIndex>>>);

/// What a chain shows.
pub fn view(session: &Session, chain: &[LayerRef]) -> Result<View, Error> {
    let layer = |name: &LayerRef| {
        Ok(Layer {
            index: index(session, name)?,
            name: name.clone(),
        })
    };
    Ok(View {
        layers: chain.iter().map(layer).collect::<Result<_, Error>>()?,
    })
}

/// The index of one layer; made by a walk of its snapshot where the store has none.
pub fn index(session: &Session, name: &LayerRef) -> Result<Arc<LayerIndex>, Error> {
    let packed = match name {
        LayerRef::Snapshot(id) => session.packed(*id).map(LayerRef::Layer),
        LayerRef::Layer(_) => None,
    };
    let name = packed.as_ref().unwrap_or(name);
    if let Some(known) = lock(&session.indexes.0).get(name) {
        return Ok(Arc::clone(known));
    }
    let entries = match name {
        LayerRef::Layer(diff_id) => stored(session, diff_id)?,
        LayerRef::Snapshot(_) => None,
    };
    let entries = match entries {
        Some(entries) => entries,
        None => walked(session, name)?,
    };
    let index = Arc::new(LayerIndex::new(entries));
    lock(&session.indexes.0).insert(name.clone(), Arc::clone(&index));
    Ok(index)
}

/// Whether the store has the index of a layer, whole.
pub fn is_stored(session: &Session, diff_id: &DiffID) -> Result<bool, Error> {
    if lock(&session.indexes.0).contains_key(&LayerRef::Layer(diff_id.clone())) {
        return Ok(true);
    }
    let Some(entries) = stored(session, diff_id)? else {
        return Ok(false);
    };
    remember(session, diff_id, LayerIndex::new(entries));
    Ok(true)
}

/// Keeps the index of a layer that was just made.
pub fn save(session: &Session, diff_id: &DiffID, entries: Vec<Entry>) -> Result<Arc<LayerIndex>, Error> {
    let index = LayerIndex::new(entries);
    session.write_file(&place(diff_id), &codec::encode(index.entries()))?;
    Ok(remember(session, diff_id, index))
}

fn remember(session: &Session, diff_id: &DiffID, index: LayerIndex) -> Arc<LayerIndex> {
    let index = Arc::new(index);
    lock(&session.indexes.0).insert(LayerRef::Layer(diff_id.clone()), Arc::clone(&index));
    index
}

fn place(diff_id: &DiffID) -> String {
    format!("indexes/{}", diff_id.hex())
}

fn stored(session: &Session, diff_id: &DiffID) -> Result<Option<Vec<Entry>>, Error> {
    Ok(session.read_file(&place(diff_id))?.as_deref().and_then(codec::decode))
}

fn walked(session: &Session, name: &LayerRef) -> Result<Vec<Entry>, Error> {
    let root = session.layer(name)?;
    let root = root.as_fd().try_clone_to_owned().doing(|| "duplicate a descriptor")?;
    Ok(upper::read_upper(Arc::new(root), session.owners(name)?.as_deref())?
        .into_iter()
        .map(|item| item.entry)
        .collect())
}
