//! A layer's way into the store: packed, its index kept, its blob and its snapshot in their places.

use rustix::fs::{RenameFlags, renameat, renameat_with};
use rustix::io::Errno;

use super::blob::BlobWriter;
use super::layout::{Item, Layout};
use super::pack::{Packed, pack};
use super::write::{Form, Owners};
use crate::context::RequestContext;
use crate::digest::{Descriptor, DiffID, Digest};
use crate::error::{Doing, Error};
use crate::index::entry::Entry;
use crate::index::store;
use crate::protocol::{LayerForm, Mode, PackedLayer, Snapshotter};
use crate::session::Session;
use crate::store::make_directory;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A layer that was packed; its index is not kept yet.
pub struct Made {
    pub layer: PackedLayer,
    pub entries: Vec<Entry>,
}

/// Packs items, with a blob where the form asks for one.
pub fn make(session: &Session, request: &RequestContext, items: Vec<Item>, form: LayerForm) -> Result<Made, Error> {
    let keep = |writer: BlobWriter| writer.keep(&session.store.path().join("blobs/sha256"));
    make_of(session, request, Layout::new(items), form, &keep)
}

/// Packs a layout; `keep` gives the blob its place.
pub fn make_of(
    session: &Session,
    request: &RequestContext,
    layout: Layout,
    form: LayerForm,
    keep: &dyn Fn(BlobWriter) -> Result<(Digest, u64), Error>,
) -> Result<Made, Error> {
    let mut writer = match form {
        LayerForm::Gzip => Some(BlobWriter::create(
            session.temporary_path().join(session.temporary_name("blob")),
        )?),
        LayerForm::None => None,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let search = session.secrets.search();
    let packed = pack(layout, writer.as_mut(), threads, search.as_deref(), &|| {
        request.cancel.is_cancelled()
    })?;
    let blob = writer.map(|writer| keep(writer).map(descriptor)).transpose()?;
    let Packed {
        diff_id,
        size,
        count,
        entries,
    } = packed;
    let layer = PackedLayer {
        diff_id: Digest::from_bytes(&diff_id),
        size,
        entries: count,
        blob,
    };
    Ok(Made { layer, entries })
}

/// Packs, and keeps the index.
pub fn commit(
    session: &Session,
    request: &RequestContext,
    items: Vec<Item>,
    form: LayerForm,
) -> Result<PackedLayer, Error> {
    let Made { layer, entries } = make(session, request, items, form)?;
    store::save(session, &layer.diff_id, entries)?;
    Ok(layer)
}

fn descriptor((digest, size): (Digest, u64)) -> Descriptor {
    Descriptor {
        media_type: GZIP.to_owned(),
        digest,
        size,
        platform: None,
        annotations: None,
    }
}

/// How snapshots of this session are written.
pub fn form(session: &Session) -> Form {
    Form {
        opaque: (session.snapshotter != Snapshotter::None).then(|| session.opaque_mark()),
        owners: match session.mode {
            Mode::Unprivileged => Owners::Callers,
            mode if mode.emulates_ids() => Owners::Beside,
            _ => Owners::Real,
        },
        devices: matches!(session.mode, Mode::Root | Mode::Chroot),
    }
}

/// An empty folder `tmp/<lease>/<name>` with `fs` in it; gives its name and `fs`, open.
pub fn new_folder(session: &Session) -> Result<(String, std::os::fd::OwnedFd), Error> {
    let name = session.temporary_name("layer");
    make_directory(session.temporary(), &name)?;
    let files = format!("{name}/fs");
    make_directory(session.temporary(), &files)?;
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let root = rustix::fs::openat(session.temporary(), &files, flags, rustix::fs::Mode::empty())
        .doing(|| "open a new snapshot")?;
    rustix::fs::fchmod(&root, rustix::fs::Mode::from_raw_mode(0o755)).doing(|| "set the mode of a new snapshot")?;
    Ok((name, root))
}

/// Moves `tmp/<lease>/<name>` to the place of the layer's snapshot. One that is there and can be trusted stays; then ours is left where
/// it is until the session ends: a step that began before may stand on it.
pub fn place_snapshot(session: &Session, name: &str, diff_id: &DiffID) -> Result<(), Error> {
    place_directory(session, name, "snapshots", diff_id)
}

/// The same for any folder of directories that are caches of this boot.
pub fn place_directory(session: &Session, name: &str, folder: &str, digest: &Digest) -> Result<(), Error> {
    if session.stored_directory(folder, digest)?.is_some() {
        return Ok(());
    }
    session
        .store
        .discard(&format!("tmp/{}/{name}/work", session.lease.name))?;
    session.write_file(
        &format!("tmp/{}/{name}/boot", session.lease.name),
        session.boot_stamp().as_bytes(),
    )?;
    let place = format!("{folder}/{}", digest.hex());
    let moved = renameat_with(
        session.temporary(),
        name,
        session.store.root(),
        &place,
        RenameFlags::NOREPLACE,
    );
    match moved {
        Ok(()) => Ok(()),
        // Another process was quicker, or what is there is of an earlier boot.
        Err(Errno::EXIST | Errno::NOTEMPTY) if session.stored_directory(folder, digest)?.is_some() => Ok(()),
        Err(Errno::EXIST | Errno::NOTEMPTY | Errno::INVAL) => {
            session.store.discard(&place)?;
            renameat(session.temporary(), name, session.store.root(), &place)
                .doing(|| format!("rename a snapshot to \"{place}\""))
        }
        Err(error) => Err(error).doing(|| format!("rename a snapshot to \"{place}\"")),
    }
}
