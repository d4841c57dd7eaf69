//! Items → tar → diffID, index and, where asked, the gzip blob: one pass, bounded memory, the same bytes whatever the number of threads.
//!
//! Threads fill 1 MiB pieces of the tar and compress each as a gzip member of its own; the calling thread takes them in order, digests
//! them and writes them out. A member carries no dictionary over, so neither the number of threads nor their speed shows in the bytes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use libdeflater::{CompressionLvl, Compressor};
use ring::digest::{Context, SHA256};

use super::blob::BlobWriter;
use super::layout::{Layout, Piece};
use super::leak::Watch;
use crate::error::Error;
use crate::index::entry::{Entry, Sum};
use crate::secret::{Candidate, Search};

/// Bytes of tar in one gzip member. Part of what a compressed blob is: changing it changes every blob's digest.
pub const MEMBER: u64 = 1024 * 1024;
/// libdeflate's level. As above.
pub const LEVEL: i32 = 1;
/// Pieces that may wait for their turn, per thread.
const WINDOW: usize = 3;

/// What packing gives.
pub struct Packed {
    pub diff_id: Sum,
    pub size: u64,
    pub count: u64,
    /// With digests and offsets.
    pub entries: Vec<Entry>,
}

/// Packs a layout. `blob` gets the gzip form; `cancelled` is asked between pieces. Fails with SECRET_LEAKED for what `search` finds.
pub fn pack(
    layout: Layout,
    mut blob: Option<&mut BlobWriter>,
    threads: usize,
    search: Option<&Search>,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Packed, Error> {
    let mut watch = search.map(|search| Watch::new(search, &layout)).transpose()?;
    let total = layout.length.div_ceil(MEMBER) as usize;
    let threads = threads.clamp(1, total);
    let gzip = blob.is_some();
    let queue = Queue::new(total, threads * WINDOW);
    let mut order = Order::new(layout.items.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work(&queue, &layout, gzip, search));
        }
        // However this ends, the threads must not wait for a turn that never comes.
        let _stop = Stop(&queue);
        let mut compressor = gzip.then(compressor);
        for at in 0..total {
            if cancelled() {
                return Err(Error::Cancelled);
            }
            let done = queue.take(at, || make(&layout, at, compressor.as_mut(), search))?;
            if let Some(watch) = &mut watch {
                watch.add(&done.piece.bytes, &done.candidates)?;
            }
            order.add(&done.piece);
            if let (Some(blob), Some(member)) = (blob.as_deref_mut(), &done.member) {
                blob.write(member)?;
            }
        }
        Ok(())
    })?;
    Ok(order.finish(layout))
}

struct Made {
    piece: Piece,
    member: Option<Vec<u8>>,
    /// Where a secret may be.
    candidates: Vec<Candidate>,
}

fn make(
    layout: &Layout,
    at: usize,
    compressor: Option<&mut Compressor>,
    search: Option<&Search>,
) -> Result<Made, Error> {
    let start = at as u64 * MEMBER;
    let piece = layout.fill(start..(start + MEMBER).min(layout.length))?;
    let candidates = search.map(|search| search.candidates(&piece.bytes)).unwrap_or_default();
    let member = match compressor {
        Some(compressor) => Some(compress(compressor, &piece.bytes)?),
        None => None,
    };
    Ok(Made {
        piece,
        member,
        candidates,
    })
}

fn compressor() -> Compressor {
    // The level is a constant within libdeflate's range.
    Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default())
}

/// One gzip member: no name, no time, the operating system unknown.
fn compress(compressor: &mut Compressor, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut member = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor
        .gzip_compress(bytes, &mut member)
        .map_err(|error| Error::internal(format!("gzip: {error}")))?;
    member.truncate(length);
    Ok(member)
}

fn work(queue: &Queue, layout: &Layout, gzip: bool, search: Option<&Search>) {
    let mut compressor = gzip.then(compressor);
    while let Some(at) = queue.claim() {
        let made = make(layout, at, compressor.as_mut(), search);
        queue.put(at, made);
    }
}

/// Hands out pieces to be made, and gives them back in order.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    total: usize,
    window: usize,
}

#[derive(Default)]
struct State {
    /// The next piece that nobody makes yet.
    next: usize,
    /// Pieces that were taken.
    taken: usize,
    made: BTreeMap<usize, Result<Made, Error>>,
    stopped: bool,
}

impl Queue {
    fn new(total: usize, window: usize) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            total,
            window,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece to make, as soon as it is near enough to its turn.
    fn claim(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.next >= self.total {
                return None;
            }
            if state.next < state.taken + self.window {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, at: usize, made: Result<Made, Error>) {
        self.lock().made.insert(at, made);
        self.changed.notify_all();
    }

    /// The piece whose turn it is; makes it, or a later one's place in the window, itself where no thread has begun it.
    fn take(&self, at: usize, make: impl FnOnce() -> Result<Made, Error>) -> Result<Made, Error> {
        let mut state = self.lock();
        if state.next == at {
            state.next += 1;
            drop(state);
            let made = make();
            self.lock().taken = at + 1;
            self.changed.notify_all();
            return made;
        }
        loop {
            if let Some(made) = state.made.remove(&at) {
                state.taken = at + 1;
                drop(state);
                self.changed.notify_all();
                return made;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Stop<'a>(&'a Queue);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.changed.notify_all();
    }
}

/// What has to see the pieces in order: the digest of the tar, and those of files that cross pieces.
struct Order {
    tar: Context,
    sums: Vec<Option<Sum>>,
    open: Option<(usize, Context)>,
}

impl Order {
    fn new(items: usize) -> Self {
        Self {
            tar: Context::new(&SHA256),
            sums: vec![None; items],
            open: None,
        }
    }

    fn add(&mut self, piece: &Piece) {
        self.tar.update(&piece.bytes);
        for (at, sum) in &piece.sums {
            self.sums[*at] = Some(*sum);
        }
        for (at, Range { start, end }) in &piece.parts {
            if self.open.as_ref().is_none_or(|(open, _)| open != at) {
                self.close();
                self.open = Some((*at, Context::new(&SHA256)));
            }
            if let Some((_, context)) = &mut self.open {
                context.update(&piece.bytes[*start..*end]);
            }
        }
    }

    fn close(&mut self) {
        if let Some((at, context)) = self.open.take() {
            self.sums[at] = Some(finish(context));
        }
    }

    fn finish(mut self, layout: Layout) -> Packed {
        self.close();
        let (size, count) = (layout.length, layout.count);
        let entries = layout.items.into_iter().zip(self.sums).map(|(item, sum)| Entry {
            sum: sum.or(item.entry.sum),
            ..item.entry
        });
        Packed {
            diff_id: finish(self.tar),
            size,
            count,
            entries: entries.collect(),
        }
    }
}

/// The value of a finished sha256.
pub fn finish(context: Context) -> Sum {
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}
