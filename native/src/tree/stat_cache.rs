//! Remembers what files of a context held, so that an unchanged context costs one stat per file.
//!
//! A record says: the file of this device and inode, with this size, mtime and ctime, has this sha256 and these xattrs. A file that was
//! changed at about the time when it was read could change again without a new time; such a record is not written, and the file is read
//! again next time (git calls these entries racily clean).
//!
//! File: magic, sha256 of the rest, number of records, the records (fixed size, sorted by device and inode), the xattrs they point to.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::host::Ident;
use crate::context::lock;
use crate::index::entry::{Meta, Sum, Xattrs};
use crate::layer::layout::sum_of;

const MAGIC: &[u8] = b"cooper-stat-1\n";
/// Bytes of a record: 48 of what must be equal (device, inode, size, mtime and ctime in s and ns), the sum, the place of the xattrs (from
/// 1; 0 is none).
const RECORD: usize = 84;
const HEAD: usize = MAGIC.len() + 32 + 8;
/// Two times nearer than this may be equal on disk, in ns: a clock tick, or 2 s where the filesystem keeps whole seconds.
const TICK: i128 = 20_000_000;
const COARSE: i128 = 2_000_000_000;
/// Records of files that a build did not ask about are kept up to this many times those it did (and some).
const KEEP: usize = 4;
const KEEP_AT_LEAST: usize = 200_000;

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub sum: Sum,
    pub xattrs: Xattrs,
}

type Key = (u64, u64);

/// The records of one context.
pub struct StatCache {
    file: Vec<u8>,
    records: usize,
    /// Nanoseconds since the epoch, taken before the first stat.
    began: i128,
    fresh: Mutex<BTreeMap<Key, [u8; RECORD]>>,
    fresh_xattrs: Mutex<Vec<u8>>,
}

impl StatCache {
    /// Reads a cache file; a damaged one is as good as none. `began`: now, in ns since the epoch.
    pub fn new(file: Vec<u8>, began: i128) -> Self {
        let records = count(&file).unwrap_or(0);
        let file = if records > 0 { file } else { Vec::new() };
        Self {
            file,
            records,
            began,
            fresh: Mutex::default(),
            fresh_xattrs: Mutex::default(),
        }
    }

    /// What is known of a file in this very state.
    pub fn get(&self, meta: &Meta, ident: &Ident) -> Option<Known> {
        let wanted = head(meta, ident);
        let (mut low, mut high) = (0, self.records);
        while low < high {
            let middle = low.midpoint(high);
            if key(self.record(middle)) < (ident.device, ident.inode) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        if low == self.records || self.record(low)[..48] != wanted {
            return None;
        }
        let record = self.record(low);
        let sum = Sum::try_from(&record[48..80]).ok()?;
        let place = u32::from_le_bytes(record[80..84].try_into().ok()?) as usize;
        let tail = HEAD + self.records * RECORD;
        let xattrs = if place == 0 {
            Xattrs::new()
        } else {
            take_xattrs(self.file.get(tail + place - 1..)?)?
        };
        Some(Known { sum, xattrs })
    }

    /// Remembers a file, unless it may still change unseen.
    pub fn put(&self, meta: &Meta, ident: &Ident, known: &Known) {
        let whole_seconds = meta.mtime.1 == 0 && ident.changed.1 == 0;
        let slack = if whole_seconds { COARSE } else { TICK };
        let recent = |(seconds, ns): (i64, u32)| {
            let time = i128::from(seconds) * 1_000_000_000 + i128::from(ns);
            time > self.began - slack
        };
        // A ctime cannot be set, so one that is not recent proves that nothing happened since; an mtime far ahead proves nothing.
        if recent(ident.changed) {
            return;
        }
        let mut record = [0; RECORD];
        record[..48].copy_from_slice(&head(meta, ident));
        record[48..80].copy_from_slice(&known.sum);
        if !known.xattrs.is_empty() {
            let mut tail = lock(&self.fresh_xattrs);
            let Ok(place) = u32::try_from(tail.len() + 1) else {
                return;
            };
            record[80..84].copy_from_slice(&place.to_le_bytes());
            put_xattrs(&mut tail, &known.xattrs);
        }
        lock(&self.fresh).insert((ident.device, ident.inode), record);
    }

    /// The new file, when there is something new to keep.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let fresh = lock(&self.fresh);
        if fresh.is_empty() {
            return None;
        }
        let mut tail = lock(&self.fresh_xattrs).clone();
        let mut all: BTreeMap<Key, [u8; RECORD]> = BTreeMap::new();
        let room = (fresh.len() * KEEP).max(KEEP_AT_LEAST);
        for at in 0..self.records.min(room) {
            let mut record = <[u8; RECORD]>::try_from(self.record(at)).ok()?;
            let place = u32::from_le_bytes(record[80..84].try_into().ok()?) as usize;
            if place > 0 {
                let xattrs = take_xattrs(self.file.get(HEAD + self.records * RECORD + place - 1..)?)?;
                record[80..84].copy_from_slice(&u32::try_from(tail.len() + 1).ok()?.to_le_bytes());
                put_xattrs(&mut tail, &xattrs);
            }
            all.insert(key(&record), record);
        }
        all.extend(fresh.iter().map(|(key, record)| (*key, *record)));
        let mut body = Vec::with_capacity(8 + all.len() * RECORD + tail.len());
        body.extend_from_slice(&(all.len() as u64).to_le_bytes());
        all.values().for_each(|record| body.extend_from_slice(record));
        body.extend_from_slice(&tail);
        Some([MAGIC, &sum_of(&body), &body].concat())
    }

    fn record(&self, at: usize) -> &[u8] {
        &self.file[HEAD + at * RECORD..HEAD + (at + 1) * RECORD]
    }
}

fn count(file: &[u8]) -> Option<usize> {
    let (sum, body) = file.strip_prefix(MAGIC)?.split_at_checked(32)?;
    let count = usize::try_from(u64::from_le_bytes(body.get(..8)?.try_into().ok()?)).ok()?;
    (sum_of(body) == sum && count.checked_mul(RECORD)? <= body.len() - 8).then_some(count)
}

/// Everything that must be equal for a record to count.
fn head(meta: &Meta, ident: &Ident) -> [u8; 48] {
    let mut head = [0; 48];
    head[..8].copy_from_slice(&ident.device.to_le_bytes());
    head[8..16].copy_from_slice(&ident.inode.to_le_bytes());
    head[16..24].copy_from_slice(&meta.size.to_le_bytes());
    head[24..32].copy_from_slice(&meta.mtime.0.to_le_bytes());
    head[32..36].copy_from_slice(&meta.mtime.1.to_le_bytes());
    head[36..44].copy_from_slice(&ident.changed.0.to_le_bytes());
    head[44..48].copy_from_slice(&ident.changed.1.to_le_bytes());
    head
}

fn key(record: &[u8]) -> Key {
    let number = |at: usize| {
        record[at..at + 8]
            .iter()
            .rev()
            .fold(0u64, |sum, &byte| sum << 8 | u64::from(byte))
    };
    (number(0), number(8))
}

fn put_xattrs(out: &mut Vec<u8>, xattrs: &Xattrs) {
    out.extend_from_slice(&(xattrs.len() as u32).to_le_bytes());
    for part in xattrs.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(&(part.len() as u32).to_le_bytes());
        out.extend_from_slice(part);
    }
}

fn take_xattrs(mut rest: &[u8]) -> Option<Xattrs> {
    let number = |rest: &mut &[u8]| -> Option<usize> {
        let (bytes, after) = rest.split_at_checked(4)?;
        *rest = after;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let mut xattrs = Xattrs::new();
    for _ in 0..number(&mut rest)? {
        let mut part = || -> Option<Vec<u8>> {
            let length = number(&mut rest)?;
            let (bytes, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(bytes.to_vec())
        };
        xattrs.push((part()?, part()?));
    }
    Some(xattrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::entry::Kind;

    const SECOND: i128 = 1_000_000_000;

    fn file(inode: u64, changed: i64, ns: u32) -> (Meta, Ident) {
        let mut meta = Meta::new(Kind::File, 0o644);
        meta.mtime = (changed, ns);
        (
            meta,
            Ident {
                device: 1,
                inode,
                links: 1,
                changed: (changed, ns),
            },
        )
    }

    fn known(byte: u8) -> Known {
        Known {
            sum: [byte; 32],
            xattrs: vec![(b"user.x".to_vec(), vec![byte])],
        }
    }

    #[test]
    fn what_was_put_is_found_again_until_the_file_changes() {
        let cache = StatCache::new(Vec::new(), 1000 * SECOND);
        for inode in 0..50 {
            let (meta, ident) = file(inode * 7, 900, 5);
            cache.put(&meta, &ident, &known(inode as u8));
        }
        let again = StatCache::new(cache.encode().unwrap(), 2000 * SECOND);
        for inode in 0..50 {
            let (mut meta, mut ident) = file(inode * 7, 900, 5);
            assert_eq!(again.get(&meta, &ident), Some(known(inode as u8)));
            ident.changed.1 += 1;
            assert_eq!(again.get(&meta, &ident), None, "ctime");
            ident.changed.1 -= 1;
            meta.size += 1;
            assert_eq!(again.get(&meta, &ident), None, "size");
        }
        assert!(again.encode().is_none(), "nothing new, nothing to write");
        let (meta, ident) = file(3, 900, 5);
        again.put(&meta, &ident, &known(200));
        let third = StatCache::new(again.encode().unwrap(), 3000 * SECOND);
        assert_eq!(third.get(&meta, &ident), Some(known(200)));
        let (meta, ident) = file(7, 900, 5);
        assert_eq!(third.get(&meta, &ident), Some(known(1)), "older records stay");
    }

    #[test]
    fn files_that_may_still_change_unseen_are_not_remembered() {
        for (name, changed, ns, remembered) in [
            ("long ago", 990, 1, true),
            ("in the same tick", 999, 990_000_000, false),
            ("after the start", 1000, 1, false),
            ("one second ago, whole seconds", 999, 0, false),
            ("three seconds ago, whole seconds", 997, 0, true),
        ] {
            let cache = StatCache::new(Vec::new(), 1000 * SECOND);
            let (meta, ident) = file(1, changed, ns);
            cache.put(&meta, &ident, &known(1));
            assert_eq!(cache.encode().is_some(), remembered, "{name}");
        }
    }

    #[test]
    fn a_damaged_cache_is_no_cache() {
        let cache = StatCache::new(Vec::new(), 1000 * SECOND);
        let (meta, ident) = file(1, 900, 5);
        cache.put(&meta, &ident, &known(1));
        let mut bytes = cache.encode().unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(StatCache::new(bytes, 0).get(&meta, &ident), None);
        assert_eq!(StatCache::new(vec![0; 100], 0).get(&meta, &ident), None);
    }
}
