//! Content digests: sha256 over length-framed records of paths, types, modes, ids, xattrs, link targets and bytes; never a time.

use rayon::prelude::*;
use ring::digest::{Context, SHA256};

use super::select::{Item, Match};
use super::source::{Node, Tree};
use super::stat_cache::{Known, StatCache};
use crate::digest::Digest;
use crate::error::Error;
use crate::index::entry::{Kind, Meta, Sum};
use crate::layer::content::Opened;
use crate::layer::pack::finish;

/// Version of the records: another one gives other digests.
const SELECTION: &[u8] = b"cooper-selection-1";
const FOLDER: &[u8] = b"cooper-folder-1";

/// Fills in digests and xattrs of everything selected, from the cache where it knows them.
pub fn fill(tree: &Tree<'_>, matches: &mut [Match], cache: Option<&StatCache>) -> Result<(), Error> {
    matches.iter_mut().try_for_each(|found| {
        found
            .items
            .par_iter_mut()
            .with_min_len(64)
            .try_for_each(|item| fill_item(tree, item, cache))
    })
}

fn fill_item(tree: &Tree<'_>, Item { path, node, .. }: &mut Item, cache: Option<&StatCache>) -> Result<(), Error> {
    let known = node.sum.is_some() || node.meta.kind == Kind::Directory && node.ident.is_none();
    if known || !matches!(node.meta.kind, Kind::File | Kind::Directory) {
        return Ok(());
    }
    let remembered = cache
        .zip(node.ident.as_ref())
        .and_then(|(cache, ident)| cache.get(&node.meta, ident));
    let known = match remembered {
        Some(known) => known,
        None => {
            tree.load_xattrs(path, node)?;
            let sum = if node.meta.kind == Kind::File {
                read_sum(tree, path, node)?
            } else {
                [0; 32]
            };
            let known = Known {
                sum,
                xattrs: node.meta.xattrs.clone(),
            };
            if let Some((cache, ident)) = cache.zip(node.ident.as_ref()) {
                cache.put(&node.meta, ident, &known);
            }
            known
        }
    };
    if node.meta.kind == Kind::File {
        node.sum = Some(known.sum);
    }
    if node.ident.is_some() {
        node.meta.xattrs = known.xattrs;
    }
    Ok(())
}

/// Reads the xattrs of everything selected, without its bytes: for a copy, which digests them as they pass.
pub fn load_xattrs(tree: &Tree<'_>, matches: &mut [Match]) -> Result<(), Error> {
    matches.iter_mut().try_for_each(|found| {
        found
            .items
            .par_iter_mut()
            .with_min_len(64)
            .try_for_each(|Item { path, node, .. }| {
                tree.load_xattrs(path, node)?;
                node.ident = None;
                Ok(())
            })
    })
}

/// The sha256 of a file's content.
pub fn read_sum(tree: &Tree<'_>, path: &[u8], node: &Node) -> Result<Sum, Error> {
    sum_content(&tree.content(path)?.open()?, node.meta.size)
}

/// The sha256 of the first `size` bytes.
pub fn sum_content(content: &Opened<'_>, size: u64) -> Result<Sum, Error> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; size.min(256 * 1024) as usize];
    let mut at = 0;
    while at < size {
        let length = (size - at).min(buffer.len() as u64) as usize;
        content.read_at(&mut buffer[..length], at)?;
        context.update(&buffer[..length]);
        at += length as u64;
    }
    Ok(finish(context))
}

/// The digest of a selection whose nodes have their digests.
pub fn of_selection(matches: &[Match]) -> Digest {
    let mut records = Records::new(SELECTION);
    for found in matches {
        records.number(found.source as u64);
        records.number(u64::from(found.directory));
        records.number(found.items.len() as u64);
        for item in &found.items {
            records.entry(&item.to, &item.node.meta, item.node.sum);
        }
    }
    Digest::from_bytes(&records.finish())
}

/// The digest of all that is below a directory: its names in order, and for each directory among them the same of that one.
pub struct FolderDigest(Records);

impl FolderDigest {
    pub fn new() -> Self {
        Self(Records::new(FOLDER))
    }

    pub fn add(&mut self, name: &[u8], meta: &Meta, sum: Option<Sum>) {
        self.0.entry(name, meta, sum);
    }

    pub fn finish(self) -> Sum {
        self.0.finish()
    }
}

struct Records {
    context: Context,
    buffer: Vec<u8>,
}

impl Records {
    fn new(version: &[u8]) -> Self {
        let mut records = Self {
            context: Context::new(&SHA256),
            buffer: Vec::new(),
        };
        records.bytes(version);
        records
    }

    fn number(&mut self, number: u64) {
        self.buffer.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.buffer.extend_from_slice(bytes);
    }

    fn entry(&mut self, path: &[u8], meta: &Meta, sum: Option<Sum>) {
        self.bytes(path);
        let link = if meta.kind == Kind::Symlink {
            meta.link.as_slice()
        } else {
            &[]
        };
        // A hard link is the file that it names.
        let kind = if meta.kind == Kind::Hardlink {
            Kind::File
        } else {
            meta.kind
        };
        let ids = [kind as u32, meta.mode, meta.uid, meta.gid, meta.device.0, meta.device.1];
        ids.into_iter().for_each(|number| self.number(u64::from(number)));
        self.number(meta.size);
        self.bytes(link);
        self.number(meta.xattrs.len() as u64);
        for (name, value) in &meta.xattrs {
            self.bytes(name);
            self.bytes(value);
        }
        self.bytes(sum.as_ref().map_or(&[], |sum| sum.as_slice()));
        if self.buffer.len() > 48 * 1024 {
            self.context.update(&self.buffer);
            self.buffer.clear();
        }
    }

    fn finish(mut self) -> Sum {
        self.context.update(&self.buffer);
        finish(self.context)
    }
}
