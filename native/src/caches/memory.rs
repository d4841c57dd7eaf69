//! What the tars of a cache mount were the last time, by the state of the files in them: what has not changed is not read again.
//! `mount-facts/<name>.tars`.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::chunks::Found;
use super::facts::{self, seal, unseal};
use crate::digest::{DiffID, Digest};
use crate::error::Error;
use crate::layer::pack::finish;
use crate::session::Session;

/// How coarse the kernel's clock for files may be, and then some: a file changed so lately can change again with no trace.
const RACY_NS: i128 = 20_000_000;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    version: u32,
    tars: Vec<Tar>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tar {
    state: Digest,
    #[serde(rename = "diffID")]
    diff_id: DiffID,
}

impl Memory {
    /// Nothing where there is none, or it is torn.
    pub fn read(session: &Session, name: &str) -> Result<Self, Error> {
        let bytes = session.read_file(&place(name))?;
        let found = bytes
            .as_deref()
            .and_then(unseal)
            .and_then(|line| serde_json::from_slice(line).ok());
        Ok(found.filter(|memory: &Self| memory.version == 1).unwrap_or_default())
    }

    pub fn find(&self, state: &Digest) -> Option<&DiffID> {
        self.tars.iter().find(|tar| tar.state == *state).map(|tar| &tar.diff_id)
    }

    pub fn save(session: &Session, name: &str, tars: impl Iterator<Item = (Digest, DiffID)>) -> Result<(), Error> {
        let tars = tars.map(|(state, diff_id)| Tar { state, diff_id }).collect();
        let line =
            serde_json::to_vec(&Self { version: 1, tars }).map_err(|error| Error::internal(error.to_string()))?;
        session.write_file(&place(name), &seal(&line))
    }
}

pub fn place(name: &str) -> String {
    format!("{}.tars", facts::place(name))
}

/// The state of files: all metadata, with inode and time of change. None where a file was changed just now.
pub fn state_of(found: &[Found]) -> Option<Digest> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_nanos() as i128;
    let mut context = Context::new(&SHA256);
    let mut put = |bytes: &[u8]| {
        context.update(&(bytes.len() as u64).to_le_bytes());
        context.update(bytes);
    };
    for (item, ident) in found {
        let meta = &item.entry.meta;
        put(&item.entry.path);
        put(&meta.link);
        for (name, value) in &meta.xattrs {
            put(name);
            put(value);
        }
        let numbers = [meta.kind as u32, meta.mode, meta.uid, meta.gid, meta.mtime.1];
        put(&numbers.map(u32::to_le_bytes).concat());
        put(&[meta.size, meta.mtime.0 as u64].map(u64::to_le_bytes).concat());
        if let Some(ident) = ident {
            let (seconds, nanoseconds) = ident.changed;
            if now - (i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)) < RACY_NS {
                return None;
            }
            let numbers = [ident.device, ident.inode, seconds as u64, u64::from(nanoseconds)];
            put(&numbers.map(u64::to_le_bytes).concat());
        }
    }
    Some(Digest::from_bytes(&finish(context)))
}
