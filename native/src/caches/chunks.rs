//! Where the content of a cache mount is cut, so that what has not changed lies in the same tars as the last time. Whether there is a cut
//! behind an entry depends on its own path and size alone: a file more or less moves no other cut.

use ring::digest::{SHA256, digest};

use crate::layer::layout::Item;
use crate::tree::host::Ident;

/// An entry, and what tells it from its earlier states.
pub type Found = (Item, Option<Ident>);

/// Bytes of files in one tar, on average: of small caches, and of the largest.
const LEAST: u64 = 1024 * 1024;
const MOST: u64 = 64 * LEAST;
/// About so many tars are made of a cache in between.
const TARS: u64 = 256;
/// What an entry counts besides its bytes.
const HEADER: u64 = 1024;

/// Directories come first, all together: their times change with what is in them, and they must be there before it.
pub fn split(found: Vec<Found>) -> Vec<Vec<Found>> {
    let total: u64 = found.iter().map(|(item, _)| weight(item)).sum();
    // By powers of two: a cache that grows a little keeps its cuts.
    let target = (total / TARS).next_power_of_two().clamp(LEAST, MOST);
    let (directories, others): (Vec<Found>, Vec<Found>) =
        found.into_iter().partition(|(item, _)| item.entry.meta.is_dir());
    let mut chunks = cut(directories, target);
    chunks.extend(cut(others, target));
    chunks
}

fn cut(found: Vec<Found>, target: u64) -> Vec<Vec<Found>> {
    let mut chunks = Vec::new();
    let mut chunk = Vec::new();
    for each in found {
        let weight = weight(&each.0);
        // What is large by itself is alone: it may change, and its neighbours not.
        if weight >= target && !chunk.is_empty() {
            chunks.push(std::mem::take(&mut chunk));
        }
        let ends = is_end(&each.0.entry.path, weight, target);
        chunk.push(each);
        if ends {
            chunks.push(std::mem::take(&mut chunk));
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

fn weight(item: &Item) -> u64 {
    item.entry.meta.size.saturating_add(HEADER)
}

/// With a probability of `weight / target`, always the same for one path and size.
fn is_end(path: &[u8], weight: u64, target: u64) -> bool {
    let sum = digest(&SHA256, path);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&sum.as_ref()[..8]);
    u128::from(u64::from_le_bytes(bytes)) * u128::from(target) < u128::from(weight) << 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::entry::{Entry, Kind, Meta};
    use crate::layer::content::Content;

    fn file(path: String, size: u64) -> Found {
        let mut meta = Meta::new(Kind::File, 0o644);
        meta.size = size;
        let entry = Entry::new(path.into_bytes(), meta);
        let content = Content::None;
        (Item { entry, content }, None)
    }

    fn paths(chunks: &[Vec<Found>]) -> Vec<Vec<Vec<u8>>> {
        let of = |chunk: &Vec<Found>| chunk.iter().map(|(item, _)| item.entry.path.clone()).collect();
        chunks.iter().map(of).collect()
    }

    #[test]
    fn a_change_moves_only_the_cuts_beside_it() {
        let files = |skip: usize, size: u64| {
            let all = (0..5000).filter(move |number| *number != skip);
            all.map(move |number| file(format!("{number:05}"), if number == 77 { size } else { 20_000 }))
                .collect::<Vec<_>>()
        };
        let before = paths(&split(files(usize::MAX, 20_000)));
        assert!((50..250).contains(&before.len()), "{} chunks", before.len());
        for after in [files(2500, 20_000), files(usize::MAX, 90_000), files(0, 20_000)] {
            let after = paths(&split(after));
            let new = after.iter().filter(|chunk| !before.contains(chunk)).count();
            assert!(new <= 2, "{new} new chunks");
        }
    }

    #[test]
    fn nothing_is_lost_and_the_large_are_alone() {
        let mut files: Vec<Found> = (0..10).map(|number| file(format!("a{number}"), 10)).collect();
        files.insert(5, file("a4x".to_owned(), 5 * LEAST));
        let chunks = paths(&split(files));
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[1], vec![b"a4x".to_vec()]);
        assert_eq!(chunks.concat().len(), 11);
        assert!(split(Vec::new()).is_empty());
    }
}
