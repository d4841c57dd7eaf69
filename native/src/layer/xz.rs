//! A block of xz says how long a window its decoder has to have, up to 4 GiB, and a decoder has it at once: sixty bytes would do. So what each
//! block says is looked at as it passes by. Source: the .xz file format, version 1.2; the Linux kernel's xz_dec_lzma2.c for the chunks of LZMA2.

use std::io::{self, Read};
use std::mem;

use super::inflate::{MAX_WINDOW_LOG, too_wide};

/// Number of the filter that has one.
const LZMA2: u64 = 0x21;
/// Bytes of a block's check, by its kind.
const CHECKS: [u64; 16] = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
/// What follows the numbers of an index and their padding: its check, and the footer of the stream.
const END: u64 = 4 + 12;

/// Passes the bytes of an xz file on, up to a block with too long a window.
pub struct Windows<R> {
    input: R,
    part: Part,
    /// The bytes of `part` so far, and how many it has.
    held: Vec<u8>,
    wanted: usize,
    /// Bytes before it that say nothing of it.
    skip: u64,
    check: u64,
    /// Of the stream.
    blocks: u64,
    /// Bytes of the block's data, or of the index, so far.
    length: u64,
    /// Numbers of the index that are still to come.
    numbers: u64,
}

/// What is looked at.
#[derive(Clone, Copy)]
enum Part {
    /// The first four bytes of a stream, or zeros between two.
    Magic,
    /// The rest of a stream's header.
    Flags,
    /// The first byte of a block, which has its header's length, or of the index.
    Block,
    Header,
    /// The first byte of a chunk.
    Chunk,
    /// The rest of a chunk's header; the length of its data begins at this byte.
    Sizes(usize),
    Index,
}

impl<R> Windows<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            part: Part::Magic,
            held: Vec::new(),
            wanted: 4,
            skip: 0,
            check: 0,
            blocks: 0,
            length: 0,
            numbers: 0,
        }
    }

    fn look(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.skip > 0 {
                let gone = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= gone as u64;
                bytes = &bytes[gone..];
                continue;
            }
            bytes = rest;
            self.held.push(first);
            if self.held.len() == self.wanted {
                let held = mem::take(&mut self.held);
                (self.part, self.wanted) = self.next(&held)?;
            }
        }
        Ok(())
    }

    /// What comes after this, and how many bytes it has.
    fn next(&mut self, held: &[u8]) -> io::Result<(Part, usize)> {
        Ok(match (self.part, held[0]) {
            (Part::Magic, _) if *held == [0; 4] => (Part::Magic, 4),
            (Part::Magic, _) => (Part::Flags, 8),
            (Part::Flags, _) => {
                self.check = CHECKS[usize::from(held[3] & 15)];
                self.blocks = 0;
                (Part::Block, 1)
            }
            (Part::Block, 0) => {
                self.length = 1;
                self.numbers = 1 + 2 * self.blocks;
                (Part::Index, 1)
            }
            (Part::Block, length) => (Part::Header, usize::from(length) * 4 + 3),
            (Part::Header, _) => {
                check_window(held)?;
                self.blocks += 1;
                self.length = 0;
                (Part::Chunk, 1)
            }
            (Part::Chunk, control) => {
                self.length += 1;
                match control {
                    0 => {
                        self.skip = padding(self.length) + self.check;
                        (Part::Block, 1)
                    }
                    // Bytes as they are; compressed ones, whose plain length comes first; the same with new properties behind.
                    1 | 2 => (Part::Sizes(0), 2),
                    0x80..0xc0 => (Part::Sizes(2), 4),
                    0xc0.. => (Part::Sizes(2), 5),
                    _ => return Err(damaged()),
                }
            }
            (Part::Sizes(at), _) => {
                self.skip = u64::from(u16::from_be_bytes([held[at], held[at + 1]])) + 1;
                self.length += held.len() as u64 + self.skip;
                (Part::Chunk, 1)
            }
            (Part::Index, byte) => {
                self.length += 1;
                // The last byte of a number is below 128.
                self.numbers -= u64::from(byte < 0x80);
                if self.numbers > 0 {
                    return Ok((Part::Index, 1));
                }
                self.skip = padding(self.length) + END;
                (Part::Magic, 4)
            }
        })
    }
}

impl<R: Read> Read for Windows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.look(&buffer[..count])?;
        Ok(count)
    }
}

fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

/// `header`: of a block, without its first byte.
fn check_window(header: &[u8]) -> io::Result<()> {
    let (&flags, mut rest) = header.split_first().ok_or_else(damaged)?;
    // The lengths of the block, packed and plain, may be there.
    for _ in 0..(flags >> 6).count_ones() {
        number(&mut rest)?;
    }
    let mut window = 0;
    for _ in 0..=(flags & 3) {
        let (filter, length) = (number(&mut rest)?, number(&mut rest)?);
        let length = usize::try_from(length).map_err(|_| damaged())?;
        let (properties, others) = rest.split_at_checked(length).ok_or_else(damaged)?;
        rest = others;
        if filter == LZMA2 {
            window += window_of(*properties.first().ok_or_else(damaged)?);
        }
    }
    if window > 1 << MAX_WINDOW_LOG {
        return Err(too_wide());
    }
    Ok(())
}

/// Two or three times a power of two.
fn window_of(code: u8) -> u64 {
    let code = u32::from(code.min(40));
    u64::from(2 | code & 1) << (code / 2 + 11)
}

/// Seven bits in each byte, the lowest first.
fn number(rest: &mut &[u8]) -> io::Result<u64> {
    let mut number = 0;
    for place in 0..9 {
        let (&byte, others) = rest.split_first().ok_or_else(damaged)?;
        *rest = others;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(damaged())
}

fn damaged() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}
