//! `layer.search`: a layer of an earlier build, which did not know the secrets of this one.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;

use super::inflate::{Limited, decoder};
use super::leak::leaked;
use super::pack::MEMBER;
use crate::context::RequestContext;
use crate::digest::LayerRef;
use crate::error::{Doing, Error};
use crate::index::entry::{Entry, Kind};
use crate::index::store;
use crate::protocol::{Empty, LayerBlob, LayerSearchParams};
use crate::secret::{Hit, Search, Trail};
use crate::session::Session;

/// Fails with SECRET_LEAKED where the layer holds a secret of this session.
pub fn search(session: &Session, params: LayerSearchParams, request: &RequestContext) -> Result<Empty, Error> {
    let Some(search) = session.secrets.search() else {
        return Ok(Empty {});
    };
    let LayerBlob { diff_id, descriptor } = &params.layer;
    let tar = spool(session, descriptor.digest.hex(), request)?;
    match find(&search, &tar, request)? {
        None => Ok(Empty {}),
        Some(hit) => {
            let index = store::index(session, &LayerRef::Layer(diff_id.clone()))?;
            Err(name(&search, index.entries(), &hit)?)
        }
    }
}

/// The plain bytes of a blob, in a file without a name: what is found has to be compared with what stands around it.
fn spool(session: &Session, hex: &str, request: &RequestContext) -> Result<File, Error> {
    let at = session.temporary_path().join(session.temporary_name("search"));
    let doing = || "unpack a layer to search it";
    let tar = File::options().read(true).write(true).create_new(true).open(&at);
    let tar = tar.doing(doing)?;
    std::fs::remove_file(&at).doing(doing)?;
    let blob = File::open(session.store.path().join("blobs/sha256").join(hex)).doing(doing)?;
    let size = blob.metadata().doing(doing)?.len();
    let mut plain = Limited::new(decoder(BufReader::with_capacity(256 * 1024, blob)).doing(doing)?, size);
    let mut buffer = vec![0; MEMBER as usize];
    let mut length = 0;
    loop {
        request.cancel.check()?;
        let count = plain.read(&mut buffer).doing(doing)?;
        if count == 0 {
            return Ok(tar);
        }
        tar.write_all_at(&buffer[..count], length).doing(doing)?;
        length += count as u64;
    }
}

fn find(search: &Search, tar: &File, request: &RequestContext) -> Result<Option<Hit>, Error> {
    let length = tar.metadata().doing(|| "stat a layer")?.len();
    let fetch = |range: std::ops::Range<u64>| {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        tar.read_exact_at(&mut bytes, range.start).doing(|| "read a layer")?;
        Ok(bytes)
    };
    let mut trail = Trail::default();
    for start in (0..length).step_by(MEMBER as usize) {
        request.cancel.check()?;
        let piece = fetch(start..(start + MEMBER).min(length))?;
        let found = search.candidates(&piece);
        if let Some(hit) = trail.add(search, &piece, &found, length, &fetch)? {
            return Ok(Some(hit));
        }
    }
    Ok(None)
}

/// The file that has it, or the entry whose name, target or attributes do.
fn name(search: &Search, entries: &[Entry], hit: &Hit) -> Result<Error, Error> {
    // What a hard link took from below has its bytes in no part of this tar.
    let has = |entry: &&Entry| {
        entry.meta.kind == Kind::File
            && entry.offset > 0
            && (entry.offset..entry.offset + entry.meta.size).contains(&hit.at)
    };
    if let Some(file) = entries.iter().find(has) {
        return Ok(leaked(file, hit, true));
    }
    for entry in entries {
        let xattrs = entry.meta.xattrs.iter().flat_map(|(name, value)| [name, value]);
        for text in [&entry.path, &entry.meta.link].into_iter().chain(xattrs) {
            if search.find(text)?.is_some() {
                return Ok(leaked(entry, hit, false));
            }
        }
    }
    Ok(Error::user(
        "SECRET_LEAKED",
        format!("a header of the layer holds the secret \"{}\"{}", hit.id, hit.how),
    ))
}
