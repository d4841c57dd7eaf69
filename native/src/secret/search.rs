//! Finds secrets in a tar that is made piece by piece, in no order: short windows out of each form are looked for (windows.rs), and where
//! one is found the whole form is compared. Encoders break lines, so for base64 and hex white space does not count, and there are two windows
//! side by side, of which a line break can cut only one.

use std::ops::Range;

use super::forms::Form;
use super::windows::{Found, Windows};
use crate::error::Error;

/// Bytes of a window: few are found by chance.
const WINDOW: usize = 16;
/// On either side of a border: what may hold a window that lies over it.
const SEAM: usize = WINDOW - 1;
/// White space that may stand between two characters of a broken form: a line break and an indentation.
const MOST_SPACE: u64 = 256;
/// Bytes that are read at once to compare.
const BLOCK: u64 = 4096;

/// Gives bytes of the tar, from anywhere in it.
pub type Fetch<'a> = &'a dyn Fn(Range<u64>) -> Result<Vec<u8>, Error>;

pub struct Search {
    texts: Windows,
    windows: Vec<Window>,
    /// Each with the id of its secret.
    forms: Vec<(String, Form)>,
}

struct Window {
    form: usize,
    /// Where it is in the form.
    range: Range<usize>,
}

/// A window that was found; whether the rest is there too is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    window: usize,
    /// Where it begins.
    pub at: usize,
}

/// A secret that was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit {
    pub id: String,
    /// ` as base64`, or nothing.
    pub how: &'static str,
    /// A place within it.
    pub at: u64,
}

impl Search {
    pub fn new(forms: Vec<(String, Form)>) -> Self {
        let mut windows = Vec::new();
        for (at, (_, form)) in forms.iter().enumerate() {
            windows.extend(ranges(form).map(|range| Window { form: at, range }));
        }
        let texts = windows
            .iter()
            .map(|Window { form, range }| forms[*form].1.bytes[range.clone()].to_vec());
        Self {
            texts: Windows::new(texts.collect()),
            windows,
            forms,
        }
    }

    /// For one value.
    #[cfg(test)]
    pub fn of(id: &str, value: &[u8]) -> Self {
        let forms = super::forms::forms(value).into_iter();
        Self::new(forms.map(|form| (id.to_owned(), form)).collect())
    }

    /// All windows in a piece. Behind one that is a whole form nothing more is looked for.
    pub fn candidates(&self, piece: &[u8]) -> Vec<Candidate> {
        let mut all = Vec::new();
        self.texts.find(piece, |Found { text: window, at }| {
            all.push(Candidate { window, at });
            let Window { form, range } = &self.windows[window];
            range.len() < self.forms[*form].1.bytes.len()
        });
        all
    }

    /// Whether the rest of a form is there too. `at`: where the window is in a tar of `length` bytes.
    pub fn verify(&self, candidate: Candidate, at: u64, length: u64, fetch: Fetch<'_>) -> Result<Option<Hit>, Error> {
        let Window { form, range } = &self.windows[candidate.window];
        let (id, form) = &self.forms[*form];
        let mut text = Text {
            fetch,
            length,
            broken: form.broken,
            block: Vec::new(),
            start: 0,
        };
        let same = text.goes_on(at + range.len() as u64, &form.bytes[range.end..])?
            && text.went_before(at, &form.bytes[..range.start])?;
        Ok(same.then(|| Hit {
            id: id.clone(),
            how: form.how,
            at,
        }))
    }

    /// The first secret in bytes that are all there.
    pub fn find(&self, bytes: &[u8]) -> Result<Option<Hit>, Error> {
        let fetch = |range: Range<u64>| Ok(bytes[range.start as usize..range.end as usize].to_vec());
        for candidate in self.candidates(bytes) {
            if let Some(hit) = self.verify(candidate, candidate.at as u64, bytes.len() as u64, &fetch)? {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }
}

/// Goes over a tar in the order of its pieces, and looks where they meet.
#[derive(Default)]
pub struct Trail {
    /// The end of what was seen.
    tail: Vec<u8>,
    at: u64,
}

impl Trail {
    /// `found`: the candidates of this piece, which any thread may have looked for.
    pub fn add(
        &mut self,
        search: &Search,
        piece: &[u8],
        found: &[Candidate],
        length: u64,
        fetch: Fetch<'_>,
    ) -> Result<Option<Hit>, Error> {
        let seam = [&self.tail, &piece[..piece.len().min(SEAM)]].concat();
        let before = self.at - self.tail.len() as u64;
        let over = search.candidates(&seam).into_iter().map(|one| (one, before));
        let all = over.chain(found.iter().map(|&one| (one, self.at)));
        for (candidate, start) in all {
            if let Some(hit) = search.verify(candidate, start + candidate.at as u64, length, fetch)? {
                return Ok(Some(hit));
            }
        }
        self.at += piece.len() as u64;
        let joined = [&self.tail, &piece[piece.len().saturating_sub(SEAM)..]].concat();
        self.tail = joined[joined.len().saturating_sub(SEAM)..].to_vec();
        Ok(None)
    }
}

/// In the middle of a form: secrets of one kind often begin alike.
fn ranges(form: &Form) -> impl Iterator<Item = Range<usize>> {
    let length = form.bytes.len();
    let size = WINDOW.min(if form.broken { length / 2 } else { length });
    let count = if form.broken { 2 } else { 1 };
    let start = (length - size * count) / 2;
    (0..count).map(move |number| start + number * size..start + (number + 1) * size)
}

/// The tar, read a block at a time.
struct Text<'a> {
    fetch: Fetch<'a>,
    length: u64,
    /// White space does not count.
    broken: bool,
    block: Vec<u8>,
    start: u64,
}

impl Text<'_> {
    fn goes_on(&mut self, mut at: u64, wanted: &[u8]) -> Result<bool, Error> {
        for &byte in wanted {
            let mut space = 0;
            loop {
                match self.byte(at)? {
                    Some(found) if found == byte => break,
                    Some(found) if self.skips(found, space) => (at, space) = (at + 1, space + 1),
                    _ => return Ok(false),
                }
            }
            at += 1;
        }
        Ok(true)
    }

    fn went_before(&mut self, mut at: u64, wanted: &[u8]) -> Result<bool, Error> {
        for &byte in wanted.iter().rev() {
            let mut space = 0;
            loop {
                let Some(before) = at.checked_sub(1) else {
                    return Ok(false);
                };
                at = before;
                match self.byte(at)? {
                    Some(found) if found == byte => break,
                    Some(found) if self.skips(found, space) => space += 1,
                    _ => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    fn skips(&self, found: u8, space: u64) -> bool {
        self.broken && found.is_ascii_whitespace() && space < MOST_SPACE
    }

    fn byte(&mut self, at: u64) -> Result<Option<u8>, Error> {
        if at >= self.length {
            return Ok(None);
        }
        if at < self.start || at - self.start >= self.block.len() as u64 {
            self.start = at - at % BLOCK;
            self.block = (self.fetch)(self.start..(self.start + BLOCK).min(self.length))?;
        }
        Ok(self.block.get((at - self.start) as usize).copied())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::super::forms::forms;
    use super::*;

    fn search(values: &[&[u8]]) -> Search {
        let all = values.iter().enumerate();
        let all = all.flat_map(|(id, value)| forms(value).into_iter().map(move |form| (id.to_string(), form)));
        Search::new(all.collect())
    }

    /// As the packer does it: pieces of any size, and what lies over their borders.
    fn in_pieces(search: &Search, bytes: &[u8], borders: &[usize]) -> bool {
        let fetch = |range: Range<u64>| Ok(bytes[range.start as usize..range.end as usize].to_vec());
        let mut trail = Trail::default();
        let mut start = 0;
        for &end in borders.iter().chain([&bytes.len()]) {
            let found = search.candidates(&bytes[start..end]);
            if trail
                .add(search, &bytes[start..end], &found, bytes.len() as u64, &fetch)
                .unwrap()
                .is_some()
            {
                return true;
            }
            start = end;
        }
        false
    }

    #[test]
    fn every_form_is_found_over_every_border() {
        let value = b"tok\xfb\xff3n: \"a/b c\"+d";
        let search = search(&[value]);
        for form in forms(value) {
            let bytes = [b"before ".as_slice(), &form.bytes, b" after"].concat();
            for border in 0..=bytes.len() {
                assert!(in_pieces(&search, &bytes, &[border]), "{form:?} cut at {border}");
            }
        }
    }

    #[test]
    fn what_encoders_break_is_found() {
        let mut value = vec![0; 150];
        rustix::rand::getrandom(&mut value, rustix::rand::GetRandomFlags::empty()).unwrap();
        for size in [8, 13, 150] {
            let value = &value[..size];
            let search = search(&[value]);
            for (length, before) in (0..80).flat_map(|before| [(76, before), (64, before), (60, before)]) {
                let whole = [&vec![7; before], value, b"after"].concat();
                for encoded in [STANDARD.encode(&whole), URL_SAFE.encode(&whole)] {
                    let lines: Vec<&[u8]> = encoded.as_bytes().chunks(length).collect();
                    for line_break in ["\n", "\r\n      "] {
                        let text = lines.join(line_break.as_bytes());
                        assert!(search.find(&text).unwrap().is_some(), "{size} {length} {before}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_part_of_a_secret_is_not_it() {
        let value = b"-----BEGIN KEY-----\nabcdefghijklmnopqrstuvwxyz0123456789\n-----END KEY-----";
        let search = search(&[value, b"hunter22"]);
        for text in [
            &value[1..],
            &value[..value.len() - 1],
            b"hunter2 hunter 22 HUNTER22".as_slice(),
            STANDARD.encode(&value[..value.len() - 3]).as_bytes(),
            b"",
        ] {
            assert_eq!(search.find(text).unwrap(), None, "{}", String::from_utf8_lossy(text));
        }
        let whole = [b"x", value.as_slice()].concat();
        let hit = search.find(&whole).unwrap().unwrap();
        assert_eq!((hit.id.as_str(), hit.how), ("0", ""));
    }

    #[test]
    fn a_candidate_that_is_none_hides_no_secret() {
        // The window of a secret of equal bytes is found at every place of a run that is too short for it.
        let search = search(&[&[b'a'; 40], b"aaaaaaaaaaaaaaab"]);
        assert_eq!(search.find(&[b'a'; 39]).unwrap(), None);
        assert!(search.find(&[b'a'; 40]).unwrap().is_some());
        let hit = search.find(&[vec![b'a'; 30], b"b".to_vec()].concat()).unwrap().unwrap();
        assert_eq!(hit.id, "1");
    }

    /// Any bytes, cut anywhere: as the plain search for each form says.
    #[test]
    fn agrees_with_a_naive_search() {
        let mut seed = 1u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        let values: [&[u8]; 4] = [
            b"abababab",
            b"abababababababababababababababababab",
            b"bbbbaaaabbbb",
            &[b'a'; 25],
        ];
        let search = search(&values);
        let mut hits = 0;
        for _ in 0..4000 {
            let length = random(120);
            let bytes: Vec<u8> = (0..length).map(|_| if random(9) == 0 { b'b' } else { b'a' }).collect();
            let bytes: Vec<u8> = match random(3) {
                0 => bytes,
                1 => bytes
                    .iter()
                    .zip(0..)
                    .map(|(&byte, at)| if at % 2 == 0 { byte } else { b'b' })
                    .collect(),
                _ => bytes.chunks(4).flat_map(|four| [b'a', b'b', four[0], b'b']).collect(),
            };
            let naive = values
                .iter()
                .any(|value| bytes.windows(value.len()).any(|window| window == *value));
            let mut borders: Vec<usize> = (0..random(5)).map(|_| random(bytes.len() + 1)).collect();
            borders.sort_unstable();
            assert_eq!(
                in_pieces(&search, &bytes, &borders),
                naive,
                "{} {borders:?}",
                String::from_utf8_lossy(&bytes)
            );
            hits += usize::from(naive);
        }
        assert!((500..3500).contains(&hits), "{hits}");
    }
}
