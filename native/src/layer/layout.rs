//! Where each entry of a layer lies in its tar: known before a byte is read, so that all of it can be filled in parallel.

use std::ops::Range;

use super::content::Content;
use super::tar_write::{self, BLOCK, END, Style};
use crate::error::Error;
use crate::index::entry::{Entry, Kind, Sum};

/// An entry to be packed, with its bytes.
#[derive(Debug)]
pub struct Item {
    pub entry: Entry,
    pub content: Content,
}

/// Items in order, each with its place in the tar.
pub struct Layout {
    pub items: Vec<Item>,
    /// Where the headers of each item begin.
    starts: Vec<u64>,
    /// Length of the tar.
    pub length: u64,
    /// Entries in the tar.
    pub count: u64,
    style: Style,
}

/// A piece of the tar.
pub struct Piece {
    pub bytes: Vec<u8>,
    /// Digests of the files that lie wholly in it.
    pub sums: Vec<(usize, Sum)>,
    /// Files that lie in it in part, and where.
    pub parts: Vec<(usize, Range<usize>)>,
}

impl Layout {
    /// Takes items in the order of a walk and sets their offsets.
    pub fn new(items: Vec<Item>) -> Self {
        Self::with_style(items, Style::Layer)
    }

    pub fn with_style(mut items: Vec<Item>, style: Style) -> Self {
        let mut starts = Vec::with_capacity(items.len());
        let mut headers = Vec::new();
        let (mut at, mut count) = (0, 0);
        for Item { entry, .. } in &mut items {
            starts.push(at);
            headers.clear();
            tar_write::put_headers(&mut headers, entry, style);
            at += headers.len() as u64;
            count += tar_write::count(entry);
            if entry.meta.kind == Kind::File {
                entry.offset = at;
                at += tar_write::padded(entry.meta.size);
            }
        }
        Self {
            items,
            starts,
            length: at + END,
            count,
            style,
        }
    }

    /// Makes the bytes of a range of the tar.
    pub fn fill(&self, range: Range<u64>) -> Result<Piece, Error> {
        let length = (range.end - range.start) as usize;
        let mut piece = Piece {
            bytes: vec![0; length],
            sums: Vec::new(),
            parts: Vec::new(),
        };
        let first = self
            .starts
            .partition_point(|&start| start <= range.start)
            .saturating_sub(1);
        let mut headers = Vec::with_capacity(2 * BLOCK);
        for at in first..self.items.len() {
            let start = self.starts[at];
            if start >= range.end {
                break;
            }
            let entry = &self.items[at].entry;
            let is_file = entry.meta.kind == Kind::File;
            if !is_file || entry.offset > range.start {
                headers.clear();
                tar_write::put_headers(&mut headers, entry, self.style);
                put(&mut piece.bytes, range.start, start, &headers);
            }
            if is_file {
                self.fill_content(at, &range, &mut piece)?;
            }
        }
        Ok(piece)
    }

    /// Whose header or content lies there. There is one: a tar without entries is all zeros, and nobody asks.
    pub fn entry_at(&self, place: u64) -> &Entry {
        let next = self.starts.partition_point(|&start| start <= place);
        &self.items[next.saturating_sub(1)].entry
    }

    fn fill_content(&self, at: usize, range: &Range<u64>, piece: &mut Piece) -> Result<(), Error> {
        let Item { entry, content } = &self.items[at];
        let from = entry.offset.max(range.start);
        let to = (entry.offset + entry.meta.size).min(range.end);
        if from >= to {
            // An empty file has its digest from the piece that its header ends in.
            if entry.meta.size == 0 && range.contains(&(entry.offset - 1)) {
                piece.sums.push((at, sum_of(&[])));
            }
            return Ok(());
        }
        let inside = (from - range.start) as usize..(to - range.start) as usize;
        content
            .open()?
            .read_at(&mut piece.bytes[inside.clone()], from - entry.offset)?;
        if to - from == entry.meta.size {
            piece.sums.push((at, sum_of(&piece.bytes[inside])));
        } else {
            piece.parts.push((at, inside));
        }
        Ok(())
    }
}

/// The sha256 of bytes.
pub fn sum_of(bytes: &[u8]) -> Sum {
    let mut sum = [0; 32];
    sum.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    sum
}

/// Copies the part of `source` (which lies at `source_at` of the tar) that falls into `target` (which lies at `target_at`).
fn put(target: &mut [u8], target_at: u64, source_at: u64, source: &[u8]) {
    let from = source_at.max(target_at);
    let to = (source_at + source.len() as u64).min(target_at + target.len() as u64);
    if from < to {
        let bytes = &source[(from - source_at) as usize..(to - source_at) as usize];
        target[(from - target_at) as usize..][..bytes.len()].copy_from_slice(bytes);
    }
}
