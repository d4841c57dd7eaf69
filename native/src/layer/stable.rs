//! Content-stable names: what a step's layer is called when the times of its own run are left out. A rebuild that changes nothing finds
//! the older layer under that name and takes it, byte for byte.

use std::ops::RangeInclusive;

use ring::digest::{Context, SHA256};

use super::pack::finish;
use crate::digest::Digest;
use crate::error::Error;
use crate::index::entry::Entry;
use crate::protocol::{PackedLayer, StableName};
use crate::session::Session;

/// A file that is written gets the time of the kernel's last tick, which may be this much before the clock that `started_ns` was read from.
const TICK_NS: i128 = 10_000_000;

const VERSION: &[u8] = b"cooper-stable-1";

/// The name of a packed layer: the step's own fields, its parent, and all metadata and bytes, but for mtimes within the run. Times that
/// the step set itself (by tar, dpkg, `touch -d`) lie outside of it and count.
pub fn name(stable: &StableName, entries: &[Entry]) -> Result<Digest, Error> {
    let run = nanoseconds(&stable.started_ns)? - TICK_NS..=nanoseconds(&stable.ended_ns)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = Vec::with_capacity(4096);
    for part in [VERSION, stable.own.as_str().as_bytes(), stable.parent.as_bytes()] {
        put(&mut buffer, part);
    }
    for entry in entries {
        put_entry(&mut buffer, entry, &run);
        context.update(&buffer);
        buffer.clear();
    }
    context.update(&buffer);
    Ok(Digest::from_bytes(&finish(context)))
}

/// The older layer of this name. Any text that is none of a layer reads as missing.
pub fn find(session: &Session, name: &Digest) -> Result<Option<PackedLayer>, Error> {
    let bytes = session.read_file(&place(name))?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Gives the name to a layer. The first one that got it keeps it until it is no longer complete.
pub fn save(session: &Session, name: &Digest, layer: &PackedLayer) -> Result<(), Error> {
    let record = serde_json::to_vec(layer).map_err(|error| Error::internal(error.to_string()))?;
    session.write_file(&place(name), &record)
}

/// The file of the layer that has the name.
fn place(name: &Digest) -> String {
    format!("layers-by-name/{}", name.hex())
}

fn nanoseconds(text: &str) -> Result<i128, Error> {
    text.parse()
        .map_err(|_| Error::internal(format!("\"{text}\" is no time in ns")))
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry, run: &RangeInclusive<i128>) {
    let meta = &entry.meta;
    put(out, &entry.path);
    out.extend_from_slice(&[meta.kind as u8, u8::from(entry.opaque)]);
    for number in [meta.mode, meta.uid, meta.gid, meta.device.0, meta.device.1] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&meta.size.to_le_bytes());
    put(out, &meta.link);
    out.extend_from_slice(&(meta.xattrs.len() as u64).to_le_bytes());
    for (name, value) in &meta.xattrs {
        put(out, name);
        put(out, value);
    }
    put(out, entry.sum.as_ref().map_or(&[], |sum| sum.as_slice()));
    let time = i128::from(meta.mtime.0) * 1_000_000_000 + i128::from(meta.mtime.1);
    if run.contains(&time) {
        put(out, b"run");
    } else {
        // The layer has whole seconds, so more would tell apart what is the same layer.
        put(out, &meta.mtime.0.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::entry::{Kind, Meta};

    #[test]
    fn only_times_within_the_run_are_left_out() {
        let own: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let stable = |parent: &str, start: i64| StableName {
            own: own.clone(),
            parent: parent.to_owned(),
            started_ns: (i128::from(start) * 1_000_000_000).to_string(),
            ended_ns: (i128::from(start + 10) * 1_000_000_000).to_string(),
        };
        let entries = |seconds: i64, mode: u32| {
            let mut entry = Entry::new(b"f".to_vec(), Meta::new(Kind::File, mode));
            entry.meta.mtime = (seconds, 5);
            vec![entry]
        };
        let first = name(&stable("p", 1000), &entries(1003, 0o644)).unwrap();
        for (what, same, other) in [
            (
                "another run, its own time",
                true,
                name(&stable("p", 2000), &entries(2009, 0o644)),
            ),
            (
                "a time that was set",
                false,
                name(&stable("p", 2000), &entries(1003, 0o644)),
            ),
            ("another mode", false, name(&stable("p", 2000), &entries(2003, 0o600))),
            ("another parent", false, name(&stable("q", 2000), &entries(2003, 0o644))),
        ] {
            assert_eq!(first == other.unwrap(), same, "{what}");
        }
    }
}
