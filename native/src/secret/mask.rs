//! Takes secrets out of a program's output as it passes: whatever its pieces are, and without telling how long a secret is.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::error::Error;

const SHOWN: &[u8] = b"***";
/// A longer pattern is looked for in parts, so that little of a log has to wait, and to be looked at again.
const MOST_BYTES: usize = 256;

/// What is masked.
pub struct Mask {
    automaton: AhoCorasick,
    /// Sorted.
    patterns: Vec<Vec<u8>>,
    longest: usize,
    /// Bytes that a pattern begins with.
    first: [bool; 256],
}

impl Mask {
    pub fn new(patterns: Vec<Vec<u8>>) -> Result<Self, Error> {
        let mut patterns: Vec<Vec<u8>> = patterns.iter().flat_map(|pattern| parts(pattern)).collect();
        patterns.sort_unstable();
        patterns.dedup();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&patterns)
            .map_err(|error| Error::internal(format!("mask secrets: {error}")))?;
        let mut first = [false; 256];
        for pattern in &patterns {
            first[usize::from(pattern[0])] = true;
        }
        Ok(Self {
            automaton,
            longest: patterns.iter().map(Vec::len).max().unwrap_or(0),
            patterns,
            first,
        })
    }

    /// Where the longest end of `text` begins that may go on to be a pattern.
    fn open_end(&self, text: &[u8]) -> usize {
        let from = text.len().saturating_sub(self.longest - 1);
        let begins = |at: &usize| self.first[usize::from(text[*at])] && self.has_prefix(&text[*at..]);
        (from..text.len()).find(begins).unwrap_or(text.len())
    }

    fn has_prefix(&self, prefix: &[u8]) -> bool {
        let at = self.patterns.partition_point(|pattern| pattern.as_slice() < prefix);
        self.patterns.get(at).is_some_and(|pattern| pattern.starts_with(prefix))
    }

    /// What is covered by patterns, joined where they overlap or touch.
    fn covered(&self, text: &[u8], begun: usize) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        if begun > 0 {
            found.push(0..begun);
        }
        // In the order of their ends: one may begin before those that were found first.
        for one in self.automaton.find_overlapping_iter(text) {
            let mut range = one.range();
            while let Some(last) = found.pop_if(|last| range.start <= last.end) {
                range = last.start.min(range.start)..last.end.max(range.end);
            }
            found.push(range);
        }
        found
    }
}

/// Parts of about one size, each long enough not to be found by chance.
fn parts(pattern: &[u8]) -> Vec<Vec<u8>> {
    let count = pattern.len().div_ceil(MOST_BYTES).max(1);
    let size = pattern.len().div_ceil(count).max(1);
    pattern.chunks(size).map(<[u8]>::to_vec).collect()
}

/// One stream on its way.
pub struct Masked<'a> {
    mask: &'a Mask,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
    /// Bytes at the front of `held` that are masked already.
    begun: usize,
    /// What was shown last is a mask: another one that touches it would tell of a length.
    after_mask: bool,
}

impl<'a> Masked<'a> {
    pub fn new(mask: &'a Mask) -> Self {
        Self {
            mask,
            held: Vec::new(),
            begun: 0,
            after_mask: false,
        }
    }

    /// What may be shown now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let end = self.mask.open_end(&self.held);
        self.show(end)
    }

    /// What is left.
    pub fn end(&mut self) -> Vec<u8> {
        self.show(self.held.len())
    }

    fn show(&mut self, end: usize) -> Vec<u8> {
        let mut shown = Vec::with_capacity(end);
        let (mut at, mut begun) = (0, 0);
        for range in self.mask.covered(&self.held, self.begun) {
            if range.start >= end {
                break;
            }
            shown.extend_from_slice(&self.held[at..range.start]);
            if range.start > 0 || !self.after_mask {
                shown.extend_from_slice(SHOWN);
            }
            at = range.end.min(end);
            begun = range.end - at;
        }
        shown.extend_from_slice(&self.held[at..end]);
        if end > 0 {
            self.after_mask = at == end;
            self.begun = begun;
            self.held.drain(..end);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(patterns: &[&str]) -> Mask {
        Mask::new(patterns.iter().map(|pattern| pattern.as_bytes().to_vec()).collect()).unwrap()
    }

    fn shown(mask: &Mask, pieces: &[&[u8]]) -> String {
        let mut masked = Masked::new(mask);
        let mut all: Vec<u8> = pieces.iter().flat_map(|piece| masked.push(piece)).collect();
        all.extend(masked.end());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn what_is_shown_does_not_depend_on_the_pieces() {
        let mask = mask(&["hunter22", "er22-long-one", "aaaaaaaa", "k1\nk2"]);
        for (text, want) in [
            ("a hunter22 b", "a *** b"),
            ("hunter22hunter22 x hunter22", "*** x ***"),
            ("hunter22-long-one!", "***!"),
            ("hunter2 2", "hunter2 2"),
            ("hunter2hunter22", "hunter2***"),
            ("aaaaaaa", "aaaaaaa"),
            ("aaaaaaaaaaaaaaaaaaaab", "***b"),
            ("hunter22 hunte", "*** hunte"),
            ("", ""),
        ] {
            let bytes = text.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    assert_eq!(shown(&mask, &pieces), want, "{text} cut at {first}, {second}");
                }
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(shown(&mask, &single), want, "{text} byte by byte");
        }
    }

    #[test]
    fn only_what_may_be_a_secret_waits() {
        let mask = mask(&["hunter22"]);
        let mut masked = Masked::new(&mask);
        for (piece, want) in [
            ("name: ", "name: "),
            ("a line\n", "a line\n"),
            ("hunt", ""),
            ("ing", "hunting"),
            ("hunter22", "***"),
        ] {
            assert_eq!(masked.push(piece.as_bytes()), want.as_bytes(), "{piece}");
        }
    }

    #[test]
    fn a_long_secret_is_masked_as_one() {
        let letter = |at: u64| char::from(b'a' + (at.wrapping_mul(6_364_136_223_846_793_005) >> 40) as u8 % 26);
        let long: String = (0..20_000).map(letter).collect();
        let mask = mask(&[&long]);
        let text = format!("({long})");
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(700).collect();
        assert_eq!(shown(&mask, &pieces), "(***)");
    }

    /// Any text, cut anywhere: as if it had come in one piece.
    #[test]
    fn agrees_with_a_naive_mask() {
        let patterns = ["abab", "babbb", "aaab", "bbbbbbb"];
        let mask = mask(&patterns);
        let mut seed = 7u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        for _ in 0..5000 {
            let text: Vec<u8> = (0..random(40)).map(|_| [b'a', b'b', b'c'][random(3)]).collect();
            let mut covered = vec![false; text.len()];
            for pattern in patterns.map(str::as_bytes) {
                for at in 0..(text.len() + 1).saturating_sub(pattern.len()) {
                    if text[at..].starts_with(pattern) {
                        covered[at..at + pattern.len()].fill(true);
                    }
                }
            }
            let mut naive = Vec::new();
            for (at, &byte) in text.iter().enumerate() {
                match (covered[at], at > 0 && covered[at - 1]) {
                    (true, false) => naive.extend(b"***"),
                    (true, true) => {}
                    (false, _) => naive.push(byte),
                }
            }
            let mut pieces = Vec::new();
            let mut rest = text.as_slice();
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(random(rest.len()) + 1);
                pieces.push(piece);
                rest = more;
            }
            assert_eq!(shown(&mask, &pieces).as_bytes(), naive, "{pieces:?}");
        }
    }
}
