//! Finds short texts in long ones by looking at two bytes in many. Source: S. Wu and U. Manber, "A fast algorithm for multi-pattern
//! searching" (1994), with blocks of two bytes and no prefix table.

/// Texts of any lengths from two on, not many thousands.
pub struct Windows {
    texts: Vec<Vec<u8>>,
    /// Length of the shortest: so many bytes of each are looked at first.
    least: usize,
    /// By a pair of bytes at the end of the first `least`: how far the next text may be at the nearest; 0 where one may be here.
    shifts: Vec<u8>,
    /// Texts whose first `least` bytes end with a pair, and that pair; sorted by it.
    ends: Vec<(u16, usize)>,
}

/// What is found: the number of a text, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub text: usize,
    pub at: usize,
}

impl Windows {
    pub fn new(texts: Vec<Vec<u8>>) -> Self {
        let least = texts.iter().map(Vec::len).min().unwrap_or(2).min(usize::from(u8::MAX));
        // A pair that is in no text: the next one may begin with its second byte.
        let mut shifts = vec![(least - 1) as u8; 1 << 16];
        let mut ends = Vec::with_capacity(texts.len());
        for (number, text) in texts.iter().enumerate() {
            for (at, pair) in text[..least].windows(2).enumerate() {
                let shift = &mut shifts[usize::from(pair_of(pair))];
                *shift = (*shift).min((least - 2 - at) as u8);
            }
            ends.push((pair_of(&text[least - 2..least]), number));
        }
        ends.sort_unstable();
        Self {
            texts,
            least,
            shifts,
            ends,
        }
    }

    /// Tells all texts in `bytes`, in the order in which they begin, until it is told to stop.
    pub fn find(&self, bytes: &[u8], mut found: impl FnMut(Found) -> bool) {
        let mut end = self.least;
        while end <= bytes.len() {
            let pair = pair_of(&bytes[end - 2..end]);
            let shift = self.shifts[usize::from(pair)];
            if shift > 0 {
                end += usize::from(shift);
                continue;
            }
            let at = end - self.least;
            let first = self.ends.partition_point(|(other, _)| *other < pair);
            for &(_, text) in self.ends[first..].iter().take_while(|(other, _)| *other == pair) {
                if bytes[at..].starts_with(&self.texts[text]) && !found(Found { text, at }) {
                    return;
                }
            }
            end += 1;
        }
    }
}

fn pair_of(pair: &[u8]) -> u16 {
    u16::from_le_bytes([pair[0], pair[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts over few letters, so that they overlap in every way: as the plain search says.
    #[test]
    fn agrees_with_a_naive_search() {
        let mut seed = 3u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        for round in 0..3000 {
            let letters = 2 + round % 3;
            let mut word = |least: usize, more: usize| -> Vec<u8> {
                let length = least + random(more);
                (0..length).map(|_| b'a' + random(letters) as u8).collect()
            };
            let texts: Vec<Vec<u8>> = (0..1 + round % 7).map(|_| word(2, 7)).collect();
            let bytes = word(0, 60);
            let mut naive = Vec::new();
            for at in 0..bytes.len() {
                for (text, wanted) in texts.iter().enumerate() {
                    if bytes[at..].starts_with(wanted) {
                        naive.push(Found { text, at });
                    }
                }
            }
            let mut all = Vec::new();
            Windows::new(texts.clone()).find(&bytes, |found| {
                all.push(found);
                true
            });
            assert_eq!(all, naive, "{texts:?} in {bytes:?}");
        }
    }

    #[test]
    fn stops_when_it_is_told_to() {
        let mut count = 0;
        Windows::new(vec![b"aa".to_vec()]).find(b"aaaaaa", |_| {
            count += 1;
            count < 2
        });
        assert_eq!(count, 2);
    }
}
