//! `mount.pack`: a cache mount → tars, as layers are packed (same digests, same search for secrets), into `tmp/<lease>/blobs/sha256/`.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use rustix::fs::{Mode, fstat, openat};

use super::chunks::{self, Found};
use super::memory::{Memory, state_of};
use super::{facts, list, usage};
use crate::context::RequestContext;
use crate::digest::{Descriptor, DiffID, Digest};
use crate::error::{Doing, Error};
use crate::index::entry::{Entry, Kind, Meta};
use crate::layer::blob::BlobWriter;
use crate::layer::commit::make_of;
use crate::layer::content::Content;
use crate::layer::inflate::{ALWAYS_ALLOWED, most_plain};
use crate::layer::layout::{Item, Layout};
use crate::layer::tar_write::Style;
use crate::layer::upper::read_plain;
use crate::protocol::{Event, LayerForm, MountLayer, MountPackParams, MountPackResult};
use crate::session::{DIRECTORY, Session};
use crate::store::make_directory;
use crate::tree::xattr;

/// Packs a cache that nobody uses; one in use is told of. What is among `known` already is not made again.
pub fn pack(session: &Session, params: &MountPackParams, request: &RequestContext) -> Result<MountPackResult, Error> {
    let name = &params.name;
    if !facts::is_name(name) {
        return Err(Error::internal(format!("\"{name}\" is no name of a cache mount")));
    }
    let Some(_held) = list::try_alone(session, name)? else {
        let layers = Vec::new();
        return Ok(MountPackResult { in_use: true, layers });
    };
    let root = openat(session.store.root(), format!("mounts/{name}"), DIRECTORY, Mode::empty());
    let root = Arc::new(root.doing(|| "open a cache mount")?);
    let mut found = vec![root_of(&root)?];
    found.extend(read_plain(Arc::clone(&root))?);
    let chunks = chunks::split(found);
    let sizes = chunks.iter().flatten().map(|(item, _)| item.entry.meta.size);
    let total = sizes.fold(0, u64::saturating_add);
    ensure_not_hollow(total, &root, request)?;
    let known: HashMap<&DiffID, &Descriptor> = params
        .known
        .iter()
        .map(|blob| (&blob.diff_id, &blob.descriptor))
        .collect();
    let packing = Packing {
        session,
        request,
        known,
        memory: Memory::read(session, name)?,
        blobs: blob_folder(session)?,
        done: AtomicU64::new(0),
        total,
    };
    let made: Result<Vec<(Option<Digest>, MountLayer)>, Error> =
        chunks.into_par_iter().map(|chunk| packing.pack_chunk(chunk)).collect();
    let made = made?;
    let tars = made
        .iter()
        .filter_map(|(state, layer)| Some((state.clone()?, layer.diff_id.clone())));
    Memory::save(session, name, tars)?;
    let layers = made.into_iter().map(|(_, layer)| layer).collect();
    Ok(MountPackResult { in_use: false, layers })
}

/// A file of a terabyte is quickly made, and none of it on disk; its tar would take an hour, and nobody could import it.
fn ensure_not_hollow(total: u64, root: &OwnedFd, request: &RequestContext) -> Result<(), Error> {
    if total <= ALWAYS_ALLOWED {
        return Ok(());
    }
    let used = usage::measure(root, b"", &request.cancel)?.bytes;
    if total <= most_plain(used) {
        return Ok(());
    }
    let message =
        format!("the files of a cache mount have {total} bytes, of which {used} are on disk: the rest are holes");
    Err(Error::user("EXPORT_FAILED", message)
        .hint("remove the files that are nothing but holes, or choose other mounts with ids="))
}

/// `tmp/<lease>/blobs/sha256`, in the session's own folder: what is packed is gone when the session ends.
pub fn blob_folder(session: &Session) -> Result<PathBuf, Error> {
    for folder in ["blobs", "blobs/sha256"] {
        make_directory(session.temporary(), folder)?;
    }
    Ok(session.temporary_path().join("blobs/sha256"))
}

struct Packing<'a> {
    session: &'a Session,
    request: &'a RequestContext,
    known: HashMap<&'a DiffID, &'a Descriptor>,
    memory: Memory,
    blobs: PathBuf,
    done: AtomicU64,
    total: u64,
}

impl Packing<'_> {
    fn pack_chunk(&self, chunk: Vec<Found>) -> Result<(Option<Digest>, MountLayer), Error> {
        self.request.cancel.check()?;
        let state = state_of(&chunk);
        let bytes: u64 = chunk.iter().map(|(item, _)| item.entry.meta.size).sum();
        let remembered = state.as_ref().and_then(|state| self.memory.find(state));
        let layer = match remembered.and_then(|diff_id| self.known_layer(diff_id)) {
            Some(layer) => layer,
            None => self.make(chunk, remembered.is_some())?,
        };
        let current = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let total = self.total;
        self.request.emit(&Event::Progress { current, total })?;
        Ok((state, layer))
    }

    fn known_layer(&self, diff_id: &DiffID) -> Option<MountLayer> {
        self.known.get(diff_id).map(|descriptor| MountLayer {
            diff_id: diff_id.clone(),
            descriptor: (*descriptor).clone(),
            made: false,
        })
    }

    /// Compresses only what is not known once it has been digested; where nothing can be known that is one pass.
    fn make(&self, chunk: Vec<Found>, is_new: bool) -> Result<MountLayer, Error> {
        let items: Vec<Item> = chunk.into_iter().map(|(item, _)| item).collect();
        if !is_new && !self.known.is_empty() {
            let again = items.iter().map(|Item { entry, content }| Item {
                entry: entry.clone(),
                content: content.clone(),
            });
            let made = self.tar(again.collect(), LayerForm::None)?;
            if let Some(layer) = self.known_layer(&made.0) {
                return Ok(layer);
            }
        }
        let (diff_id, blob) = self.tar(items, LayerForm::Gzip)?;
        let descriptor = blob.ok_or_else(|| Error::internal("a packed cache mount has no blob"))?;
        Ok(MountLayer {
            diff_id,
            descriptor,
            made: true,
        })
    }

    fn tar(&self, items: Vec<Item>, form: LayerForm) -> Result<(DiffID, Option<Descriptor>), Error> {
        let layout = Layout::with_style(items, Style::Mount);
        let keep = |writer: BlobWriter| writer.keep_for_now(&self.blobs);
        let made = make_of(self.session, self.request, layout, form, &keep)?;
        Ok((made.layer.diff_id, made.layer.blob))
    }
}

/// The mount itself: its owner and mode belong to it.
fn root_of(root: &OwnedFd) -> Result<Found, Error> {
    let stat = fstat(root).doing(|| "stat a cache mount")?;
    let mut meta = Meta::new(Kind::Directory, stat.st_mode & 0o7777);
    (meta.uid, meta.gid) = (stat.st_uid, stat.st_gid);
    meta.mtime = (stat.st_mtime, stat.st_mtime_nsec as u32);
    meta.xattrs = xattr::read(root).doing(|| "read the extended attributes of a cache mount")?;
    let entry = Entry::new(Vec::new(), meta);
    let content = Content::None;
    Ok((Item { entry, content }, None))
}
