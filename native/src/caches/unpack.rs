//! `mount.unpack`: tars of somebody else's → a cache mount. They come from a registry or a file, so every rule for layers holds: nothing is
//! written outside, sizes are bounded, and nothing has its place before all of it was checked.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, RenameFlags, openat, renameat_with};

use super::facts::{self, Facts};
use super::list;
use crate::context::RequestContext;
use crate::digest::DiffID;
use crate::error::{Doing, Error};
use crate::index::entry::Entry;
use crate::layer::commit;
use crate::layer::content::Content;
use crate::layer::extract::{Extract, Lower};
use crate::layer::inflate::most_plain;
use crate::layer::tar_read::invalid;
use crate::layer::unpack::{open_blob, read_into};
use crate::layer::write::Form;
use crate::lock::lock_file;
use crate::protocol::{Event, LayerBlob, MountUnpackParams, MountUnpackResult};
use crate::session::{DIRECTORY, Session};
use crate::store::make_directory;

/// Tars of one cache.
const MAX_TARS: usize = 10_000;

/// Unpacks from `tmp/<lease>/blobs/sha256/`. Where there is such a cache already it stays, unless it is to be replaced.
pub fn unpack(
    session: &Session,
    params: &MountUnpackParams,
    request: &RequestContext,
) -> Result<MountUnpackResult, Error> {
    let name = facts::name(&params.id, params.variant.as_deref());
    if !params.replace && list::is_there(session, &name)? {
        return Ok(MountUnpackResult { unpacked: false });
    }
    let aside = session.temporary_name("cache");
    make_directory(session.temporary(), &aside)?;
    let done =
        fill(session, &aside, &params.layers, request).and_then(|()| place(session, &aside, &name, params, request));
    if !matches!(done, Ok(true)) {
        // The first error counts; the lease's sweep takes what stays.
        let _ = session.discard_temporary(&aside);
    }
    done.map(|unpacked| MountUnpackResult { unpacked })
}

fn fill(session: &Session, aside: &str, layers: &[LayerBlob], request: &RequestContext) -> Result<(), Error> {
    if layers.len() > MAX_TARS {
        return Err(invalid("is one of too many of a cache mount"));
    }
    // A cache is cut into tars of different files; one that is named again and again would only be unpacked again and again.
    let different: HashSet<&DiffID> = layers.iter().map(|layer| &layer.diff_id).collect();
    if different.len() < layers.len() {
        return Err(invalid("is named twice by a cache mount"));
    }
    let root: OwnedFd =
        openat(session.temporary(), aside, DIRECTORY, Mode::empty()).doing(|| "open a new cache mount")?;
    let form = Form {
        opaque: None,
        devices: false,
        ..commit::form(session)
    };
    let mut extract = Extract::of_files((&root, form), &Nothing);
    let sizes = layers.iter().map(|layer| layer.descriptor.size);
    let total = sizes.fold(0, u64::saturating_add);
    let most = most_plain(total);
    let (mut plain, mut current) = (0u64, 0u64);
    for layer in layers {
        let hex = layer.descriptor.digest.hex();
        let blob = open_blob(session, &format!("tmp/{}/blobs/sha256/{hex}", session.lease.name))?;
        plain = plain.saturating_add(read_into(layer, blob, &mut extract, &request.cancel)?);
        if plain > most {
            return Err(invalid("grows beyond all measure when it is unpacked"));
        }
        current = current.saturating_add(layer.descriptor.size);
        request.emit(&Event::Progress { current, total })?;
    }
    extract.finish().map(drop)
}

/// Under the cache's lock: `false` where another was quicker.
fn place(
    session: &Session,
    aside: &str,
    name: &str,
    params: &MountUnpackParams,
    request: &RequestContext,
) -> Result<bool, Error> {
    let _held = lock_file(session, &list::lock_name(name), true, &request.cancel)?;
    if list::is_there(session, name)? {
        if !params.replace {
            return Ok(false);
        }
        list::remove(session, name)?;
    }
    let to = format!("mounts/{name}");
    renameat_with(
        session.temporary(),
        aside,
        session.store.root(),
        &to,
        RenameFlags::NOREPLACE,
    )
    .doing(|| "give a cache mount its place")?;
    facts::note(
        session,
        name,
        Facts::new(&params.id, params.variant.as_deref(), params.sharing),
    )?;
    Ok(true)
}

/// A cache mount stands on nothing.
struct Nothing;

impl Lower for Nothing {
    fn stat(&self, _: &[u8]) -> Result<Option<Entry>, Error> {
        Ok(None)
    }

    fn content(&self, _: &[u8]) -> Result<Content, Error> {
        Ok(Content::None)
    }
}
