//! A blob of the store → a snapshot and an index, or an index alone. Digest and size of the blob, and the diffID, are checked before
//! anything gets its place.

use std::fs::File;
use std::io::Write;

use super::commit;
use super::extract::{Extract, Lower};
use super::inflate::inflate;
use super::tar_read::{TarReader, invalid};
use super::write::Form;
use crate::context::CancelToken;
use crate::digest::Digest;
use crate::error::{Doing, Error};
use crate::index::entry::Entry;
use crate::index::store;
use crate::protocol::LayerBlob;
use crate::session::Session;

/// Unpacks one layer to `snapshots/`, and keeps its index.
pub fn unpack(session: &Session, layer: &LayerBlob, lower: &dyn Lower, cancel: &CancelToken) -> Result<(), Error> {
    let (name, root) = commit::new_folder(session)?;
    let done = read_layer(session, layer, Some((&root, commit::form(session))), lower, cancel)
        .and_then(|entries| store::save(session, &layer.diff_id, entries))
        .and_then(|_| commit::place_snapshot(session, &name, &layer.diff_id));
    if done.is_err() {
        // The first error counts; the lease's sweep takes what stays.
        let _ = session.discard_temporary(&name);
    }
    done
}

/// Keeps the index of one layer, without its files.
pub fn index(session: &Session, layer: &LayerBlob, lower: &dyn Lower, cancel: &CancelToken) -> Result<(), Error> {
    let entries = read_layer(session, layer, None, lower, cancel)?;
    store::save(session, &layer.diff_id, entries).map(drop)
}

fn read_layer(
    session: &Session,
    layer: &LayerBlob,
    disk: Option<(&std::os::fd::OwnedFd, Form)>,
    lower: &dyn Lower,
    cancel: &CancelToken,
) -> Result<Vec<Entry>, Error> {
    let mut extract = Extract::new(disk, lower);
    let path = format!("blobs/sha256/{}", layer.descriptor.digest.hex());
    let blob = open_blob(session, &path)?;
    read_into(layer, blob, &mut extract, cancel)?;
    extract.finish()
}

/// Opens a blob by its path in the store.
pub fn open_blob(session: &Session, path: &str) -> Result<File, Error> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
    let blob = rustix::fs::openat(session.store.root(), path, flags, rustix::fs::Mode::empty());
    Ok(File::from(blob.doing(|| format!("open \"{path}\" of the store"))?))
}

/// Reads a blob to its end, checks it, and gives its entries to `extract`. Gives the length of the tar.
pub fn read_into(layer: &LayerBlob, blob: File, extract: &mut Extract<'_>, cancel: &CancelToken) -> Result<u64, Error> {
    std::thread::scope(|scope| {
        let (plain, compressed) = inflate(scope, blob);
        let mut tar = TarReader::new(plain);
        let read = take_entries(&mut tar, extract, cancel).and_then(|()| tar.finish());
        // When reading has failed, the stream is dropped here, and the thread goes on to the end of the blob for its digest.
        let (plain, read_error) = match read {
            Ok(plain) => (Some(plain), None),
            Err(error) => (None, Some(error)),
        };
        let compressed = compressed
            .join()
            .map_err(|_| Error::internal("a thread that unpacks a layer has panicked"))??;
        // A blob that is not what it says explains whatever else went wrong with it.
        let descriptor = &layer.descriptor;
        if compressed.size != descriptor.size || Digest::from_bytes(&compressed.sum) != descriptor.digest {
            return Err(invalid(&format!(
                "of layer \"{}\" is not the blob that its descriptor names",
                layer.diff_id
            )));
        }
        if let Some(error) = read_error {
            return Err(error);
        }
        match plain.map(|plain| (plain.size, Digest::from_bytes(&plain.sum()))) {
            Some((size, found)) if found == layer.diff_id => Ok(size),
            Some((_, found)) => Err(invalid(&format!(
                "of layer \"{}\" has the diffID \"{found}\"",
                layer.diff_id
            ))),
            None => Err(Error::internal("a layer was read by nobody")),
        }
    })
}

fn take_entries<R: std::io::Read>(
    tar: &mut TarReader<R>,
    extract: &mut Extract<'_>,
    cancel: &CancelToken,
) -> Result<(), Error> {
    let mut buffer = vec![0; 256 * 1024];
    while let Some(header) = tar.next()? {
        cancel.check()?;
        let mut content = |sink: &mut dyn Write| -> Result<(), Error> {
            loop {
                let count = tar.read(&mut buffer)?;
                if count == 0 {
                    return Ok(());
                }
                cancel.check()?;
                sink.write_all(&buffer[..count]).doing(|| "write a file of a layer")?;
            }
        };
        extract.add(header, &mut content)?;
    }
    Ok(())
}
