//! Sparse files in archives: the three forms of GNU tar and the two of PAX that came before the last. Layers have none of them, but
//! ADD takes any archive. Source: GNU tar manual, "Storing Sparse Files"; every number meets the size of the file before it counts.

use super::tar_read::{invalid, number};
use crate::error::Error;

/// Pieces of one file that hold data.
const MAX_PIECES: usize = 64 * 1024;

/// Where the stored bytes belong in the file; everything else are zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparseMap {
    /// Offset and length, in order.
    pieces: Vec<(u64, u64)>,
    size: u64,
    /// The piece that comes next, and the place in the file.
    next: usize,
    at: u64,
}

/// What a reader has to give next.
pub enum Step {
    Zeros(u64),
    Stored(u64),
    End,
}

impl SparseMap {
    /// `numbers`: offset and length in turns. They must lie in the file, in order, and have as many bytes as are stored.
    pub fn new(numbers: &[u64], size: u64, stored: u64) -> Result<Self, Error> {
        let bad = || invalid("has a sparse file with an impossible map");
        if !numbers.len().is_multiple_of(2) || numbers.len() / 2 > MAX_PIECES {
            return Err(bad());
        }
        let mut pieces = Vec::with_capacity(numbers.len() / 2);
        let (mut end, mut sum) = (0u64, 0u64);
        for pair in numbers.chunks_exact(2) {
            let (offset, length) = (pair[0], pair[1]);
            if offset < end {
                return Err(bad());
            }
            end = offset.checked_add(length).filter(|end| *end <= size).ok_or_else(bad)?;
            sum += length;
            if length > 0 {
                pieces.push((offset, length));
            }
        }
        if sum != stored {
            return Err(bad());
        }
        Ok(Self {
            pieces,
            size,
            next: 0,
            at: 0,
        })
    }

    /// The next bytes, at most so many.
    pub fn step(&self, most: u64) -> Step {
        let left = most.min(self.size - self.at);
        match self.pieces.get(self.next) {
            _ if left == 0 => Step::End,
            Some(&(offset, _)) if self.at < offset => Step::Zeros(left.min(offset - self.at)),
            Some(&(offset, length)) => Step::Stored(left.min(offset + length - self.at)),
            None => Step::Zeros(left),
        }
    }

    /// So many bytes were given.
    pub fn advance(&mut self, count: u64) {
        self.at += count;
        if self
            .pieces
            .get(self.next)
            .is_some_and(|(offset, length)| self.at >= offset + length)
        {
            self.next += 1;
        }
    }
}

/// What PAX records say of a sparse file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PaxSparse {
    pub major: Option<u64>,
    pub name: Option<Vec<u8>>,
    pub size: Option<u64>,
    /// Of the forms 0.0 and 0.1; in 1.0 the map stands before the content.
    pub numbers: Vec<u64>,
}

impl PaxSparse {
    /// Takes a record whose key began with `GNU.sparse.`.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let number = || decimal(value).ok_or_else(|| invalid("has a malformed PAX header"));
        match key {
            b"major" => self.major = Some(number()?),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(number()?),
            b"offset" | b"numbytes" => self.numbers.push(number()?),
            b"map" => {
                let numbers = value.split(|&byte| byte == b',').map(decimal);
                let numbers: Option<Vec<u64>> = numbers.collect();
                self.numbers = numbers.ok_or_else(|| invalid("has a malformed PAX header"))?;
            }
            // `minor` and `numblocks` say nothing that the others don't.
            _ => {}
        }
        if self.numbers.len() > MAX_PIECES * 2 {
            return Err(invalid("has a sparse file of too many pieces"));
        }
        Ok(())
    }
}

/// The map that stands before the content in form 1.0: lines of a count and then offsets and lengths, padded to a block. `block` gives
/// the next block.
pub fn read_map(mut block: impl FnMut() -> Result<[u8; 512], Error>) -> Result<Vec<u64>, Error> {
    let bad = || invalid("has a sparse file with an impossible map");
    let mut numbers: Vec<u64> = Vec::new();
    let mut line = Vec::new();
    let mut wanted = None;
    while wanted.is_none_or(|wanted| numbers.len() < wanted) {
        for byte in block()? {
            if byte != b'\n' {
                line.push(byte);
                if line.len() > 20 {
                    return Err(bad());
                }
                continue;
            }
            let number = decimal(&line).ok_or_else(bad)?;
            line.clear();
            match wanted {
                None if number > MAX_PIECES as u64 => return Err(bad()),
                None => wanted = Some(number as usize * 2),
                Some(_) => numbers.push(number),
            }
            if wanted.is_some_and(|wanted| numbers.len() == wanted) {
                return Ok(numbers);
            }
        }
    }
    Ok(numbers)
}

/// The map of GNU tar's own format, with the file's size: four pieces in the header, twenty-one in each block after it. `block` gives the
/// next block.
pub fn old_map(
    header: &[u8; 512],
    mut block: impl FnMut() -> Result<[u8; 512], Error>,
) -> Result<(Vec<u64>, Option<u64>), Error> {
    let positive =
        |field: &[u8]| u64::try_from(number(field)?).map_err(|_| invalid("has a sparse file with an impossible map"));
    let mut numbers = Vec::new();
    let mut take = |fields: &[u8]| {
        for pair in fields.chunks_exact(24).take_while(|pair| pair[0] != 0) {
            numbers.extend([positive(&pair[..12])?, positive(&pair[12..])?]);
        }
        Ok::<_, Error>(numbers.len())
    };
    take(&header[386..482])?;
    let mut more = header[482] != 0;
    while more {
        let block = block()?;
        if take(&block[..504])? > MAX_PIECES * 2 {
            return Err(invalid("has a sparse file of too many pieces"));
        }
        more = block[504] != 0;
    }
    Ok((numbers, Some(positive(&header[483..495])?)))
}

fn decimal(bytes: &[u8]) -> Option<u64> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}
