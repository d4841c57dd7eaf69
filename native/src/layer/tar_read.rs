//! Reads tar: v7, ustar, PAX, GNU long names and base-256 numbers. It comes from outside: every length meets a limit before anything is
//! allocated for it, and where headers contradict each other the answer is that of Go's archive/tar, which most registries' images are
//! made and checked with: GNU over PAX over ustar. `layer/tests/desync.rs` compares them.

use std::io::{ErrorKind, Read};

use super::pax::Pax;
use super::sparse::{PaxSparse, SparseMap, Step, old_map, read_map};
use super::tar_write::{BLOCK, padded};
use crate::error::Error;
use crate::index::entry::{Kind, Meta};
use crate::index::path;

/// Longest PAX header or GNU long name, in bytes.
const MAX_METADATA: u64 = 1024 * 1024;
/// Headers that may stand before one entry.
const MAX_CHAIN: usize = 8;

/// One entry of an archive, as it is written there: the path is not cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub path: Vec<u8>,
    pub meta: Meta,
    /// Where its content begins in the archive.
    pub offset: u64,
}

/// A tar stream.
pub struct TarReader<R> {
    input: R,
    /// Bytes read so far.
    at: u64,
    /// Content of the current entry that was not read yet, and the padding after it.
    content: u64,
    padding: u64,
    ended: bool,
    /// Sparse files are given whole, with their zeros; else they are refused.
    expands: bool,
    /// Of the current entry.
    sparse: Option<SparseMap>,
}

impl<R: Read> TarReader<R> {
    /// For archives that are no layers: sparse files are taken too.
    pub fn of_any_archive(input: R) -> Self {
        Self {
            expands: true,
            ..Self::new(input)
        }
    }

    pub fn new(input: R) -> Self {
        Self {
            input,
            at: 0,
            content: 0,
            padding: 0,
            ended: false,
            expands: false,
            sparse: None,
        }
    }

    /// The next entry; what is left of the one before is skipped.
    pub fn next(&mut self) -> Result<Option<Header>, Error> {
        let mut extended = Extended::default();
        for _ in 0..MAX_CHAIN {
            self.skip_content()?;
            let Some(block) = self.next_block()? else {
                return if extended.is_empty() {
                    Ok(None)
                } else {
                    Err(invalid("ends in the middle of an entry"))
                };
            };
            let raw = Raw::parse(&block)?;
            match raw.type_flag {
                b'x' => extended.pax = Pax::parse(&self.metadata(raw.size)?)?,
                // Global headers say nothing that layers use. What stands before one is of the next entry to some readers, and of none to Go.
                b'g' if extended.is_empty() => drop(Pax::parse(&self.metadata(raw.size)?)?),
                b'g' => return Err(invalid("has a global header between the headers of an entry")),
                b'L' => extended.path = Some(text(&self.metadata(raw.size)?)).filter(|name| !name.is_empty()),
                b'K' => extended.link = Some(text(&self.metadata(raw.size)?)).filter(|name| !name.is_empty()),
                _ => return self.entry(raw, extended, &block).map(Some),
            }
        }
        Err(invalid("has too many headers before an entry"))
    }

    /// Content of the current entry; 0 at its end.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(map) = &self.sparse else {
            return self.read_stored(buffer);
        };
        let count = match map.step(buffer.len() as u64) {
            Step::End => 0,
            Step::Zeros(count) => {
                buffer[..count as usize].fill(0);
                count as usize
            }
            Step::Stored(count) => self.read_stored(&mut buffer[..count as usize])?,
        };
        if let Some(map) = &mut self.sparse {
            map.advance(count as u64);
        }
        Ok(count)
    }

    fn read_stored(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let length = usize::try_from(self.content).unwrap_or(usize::MAX).min(buffer.len());
        if length == 0 {
            return Ok(0);
        }
        let count = self.input.read(&mut buffer[..length]).map_err(failed)?;
        if count == 0 {
            return Err(invalid("ends in the middle of a file"));
        }
        self.content -= count as u64;
        self.at += count as u64;
        Ok(count)
    }

    /// Reads whatever stands after the end, so that the stream's own end is met.
    pub fn finish(mut self) -> Result<R, Error> {
        std::io::copy(&mut self.input, &mut std::io::sink()).map_err(failed)?;
        Ok(self.input)
    }

    fn entry(&mut self, raw: Raw, mut extended: Extended, block: &[u8; BLOCK]) -> Result<Header, Error> {
        let size = extended.pax.size.unwrap_or(raw.size);
        let sparse_name = extended.pax.sparse.as_mut().and_then(|sparse| sparse.name.take());
        let named = sparse_name.or(extended.path).or(extended.pax.path.take());
        let path = named.unwrap_or(raw.path);
        let kind = kind_of(raw.type_flag, &path)?;
        let mut meta = Meta::new(kind, raw.mode);
        meta.uid = extended.pax.uid.unwrap_or(raw.uid);
        meta.gid = extended.pax.gid.unwrap_or(raw.gid);
        meta.mtime = extended.pax.mtime.unwrap_or(raw.mtime);
        meta.xattrs = extended.pax.xattrs.into_iter().collect();
        if matches!(kind, Kind::Symlink | Kind::Hardlink) {
            meta.link = extended.link.or(extended.pax.link.take()).unwrap_or(raw.link);
        }
        if matches!(kind, Kind::Char | Kind::Block) {
            meta.device = raw.device;
        }
        if kind == Kind::File {
            meta.size = self.begin_file(raw.type_flag, size, extended.pax.sparse, block)?;
        }
        if path.is_empty()
            || path.len() > path::MAX_PATH
            || meta.link.len() > path::MAX_PATH
            || path.contains(&0)
            || meta.link.contains(&0)
        {
            return Err(invalid("has an entry with an impossible path"));
        }
        Ok(Header {
            path,
            meta,
            offset: self.at,
        })
    }

    /// The content of a file begins; gives the size that it has once it is read.
    fn begin_file(
        &mut self,
        type_flag: u8,
        size: u64,
        sparse: Option<PaxSparse>,
        block: &[u8; BLOCK],
    ) -> Result<u64, Error> {
        let is_sparse = type_flag == b'S' || sparse.is_some();
        if is_sparse && !self.expands {
            return Err(invalid("has a sparse file, which layers do not have"));
        }
        // The old form has its map between header and content, the newest one in the content.
        let more = || self.block()?.ok_or_else(|| invalid("ends in the middle of a header"));
        let old = (type_flag == b'S').then(|| old_map(block, more)).transpose()?;
        self.content = size;
        self.padding = size
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or_else(|| invalid("has an entry of an impossible size"))?
            - size;
        let cut = || invalid("ends in the middle of a file");
        let (numbers, real) = match (old, sparse) {
            (Some(old), _) => old,
            (
                None,
                Some(PaxSparse {
                    major: Some(1),
                    size: real,
                    ..
                }),
            ) => {
                let numbers = read_map(|| {
                    // The map is a part of the stored bytes.
                    self.content = self.content.checked_sub(BLOCK as u64).ok_or_else(cut)?;
                    self.block()?.ok_or_else(cut)
                })?;
                (numbers, real)
            }
            (None, Some(sparse)) => (sparse.numbers, sparse.size),
            (None, None) => return Ok(size),
        };
        let real = real.ok_or_else(|| invalid("has a sparse file without a size"))?;
        let map = SparseMap::new(&numbers, real, self.content)?;
        self.sparse = Some(map);
        Ok(real)
    }

    fn skip_content(&mut self) -> Result<(), Error> {
        let skip = self.content + self.padding;
        let skipped = std::io::copy(&mut (&mut self.input).take(skip), &mut std::io::sink()).map_err(failed)?;
        // The padding of the last file may be missing, as in Go.
        if skipped < self.content {
            return Err(invalid("ends in the middle of a file"));
        }
        self.at += skipped;
        (self.content, self.padding) = (0, 0);
        self.sparse = None;
        Ok(())
    }

    /// The next header block; None at the end: two empty blocks, or no more bytes.
    fn next_block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        if self.ended {
            return Ok(None);
        }
        let Some(block) = self.block()? else { return Ok(None) };
        if block.iter().any(|&byte| byte != 0) {
            return Ok(Some(block));
        }
        match self.block()? {
            Some(second) if second.iter().any(|&byte| byte != 0) => Err(invalid("goes on after its end")),
            _ => {
                self.ended = true;
                Ok(None)
            }
        }
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]).map_err(failed)? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(invalid("ends in the middle of a header")),
                count => filled += count,
            }
        }
        self.at += BLOCK as u64;
        Ok(Some(block))
    }

    fn metadata(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > MAX_METADATA {
            return Err(invalid("has a header that is too long"));
        }
        let mut bytes = vec![0; size as usize];
        self.input.read_exact(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => invalid("ends in the middle of a header"),
            _ => failed(error),
        })?;
        self.at += size;
        self.padding = padded(size) - size;
        Ok(bytes)
    }
}

/// What stands before an entry's own header.
#[derive(Default)]
struct Extended {
    pax: Pax,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Extended {
    fn is_empty(&self) -> bool {
        self.path.is_none() && self.link.is_none() && self.pax == Pax::default()
    }
}

/// An entry's own header block.
struct Raw {
    path: Vec<u8>,
    link: Vec<u8>,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: (i64, u32),
    type_flag: u8,
    device: (u32, u32),
}

impl Raw {
    fn parse(block: &[u8; BLOCK]) -> Result<Self, Error> {
        check_sum(block)?;
        let ustar = &block[257..263] == b"ustar\0";
        let (name, prefix) = (text(&block[..100]), text(&block[345..500]));
        let path = if ustar && !prefix.is_empty() {
            [prefix.as_slice(), b"/", &name].concat()
        } else {
            name
        };
        let known = ustar || &block[257..265] == b"ustar  \0";
        let device = |field: &[u8]| if known { id(field) } else { Ok(0) };
        Ok(Self {
            path,
            link: text(&block[157..257]),
            mode: (number(&block[100..108])? & 0o7777) as u32,
            uid: id(&block[108..116])?,
            gid: id(&block[116..124])?,
            size: u64::try_from(number(&block[124..136])?)
                .map_err(|_| invalid("has an entry of an impossible size"))?,
            mtime: (number(&block[136..148])?, 0),
            type_flag: block[156],
            device: (device(&block[329..337])?, device(&block[337..345])?),
        })
    }
}

/// Sum of all bytes, those of the sum itself counted as spaces; some writers took the bytes as signed.
fn check_sum(block: &[u8; BLOCK]) -> Result<(), Error> {
    let wanted = number(&block[148..156])?;
    let bytes = || {
        block
            .iter()
            .enumerate()
            .map(|(at, &byte)| if (148..156).contains(&at) { b' ' } else { byte })
    };
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    if wanted == unsigned || wanted == signed {
        Ok(())
    } else {
        Err(invalid("has a header with a wrong checksum"))
    }
}

/// Octal digits with spaces or NULs around them, or base-256 where the first bit is set.
pub fn number(field: &[u8]) -> Result<i64, Error> {
    let bad = || invalid("has a header with a malformed number");
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let mut value: i128 = if negative { -1 } else { 0 };
        for (at, &byte) in field.iter().enumerate() {
            let byte = if at == 0 && !negative { byte & 0x7f } else { byte };
            value = value << 8 | i128::from(byte);
        }
        return i64::try_from(value).map_err(|_| bad());
    }
    let trimmed = ascii(field).ok_or_else(bad)?.trim_matches([' ', '\0']);
    // Anything after a NUL is not part of the number.
    let digits = trimmed.split('\0').next().unwrap_or_default();
    if digits.is_empty() {
        Ok(0)
    } else {
        i64::from_str_radix(digits, 8)
            .ok()
            .filter(|number| *number >= 0)
            .ok_or_else(bad)
    }
}

fn id(field: &[u8]) -> Result<u32, Error> {
    u32::try_from(number(field)?).map_err(|_| invalid("has an entry with an impossible owner"))
}

fn kind_of(type_flag: u8, path: &[u8]) -> Result<Kind, Error> {
    match type_flag {
        0 if path.ends_with(b"/") => Ok(Kind::Directory),
        0 | b'0' | b'7' | b'S' => Ok(Kind::File),
        b'1' => Ok(Kind::Hardlink),
        b'2' => Ok(Kind::Symlink),
        b'3' => Ok(Kind::Char),
        b'4' => Ok(Kind::Block),
        b'5' => Ok(Kind::Directory),
        b'6' => Ok(Kind::Fifo),
        other => Err(invalid(&format!(
            "has an entry of unknown type {:?}",
            char::from(other)
        ))),
    }
}

/// Up to the first NUL.
fn text(field: &[u8]) -> Vec<u8> {
    field.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()
}

pub fn ascii(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii())
}

/// What the machine cannot read is its own matter; what a decoder refuses is the archive's.
fn failed(error: std::io::Error) -> Error {
    match error.raw_os_error() {
        Some(_) => Error::System {
            doing: "read an archive".to_owned(),
            source: error,
        },
        None if error.kind() == ErrorKind::OutOfMemory => invalid(&error.to_string()),
        None => invalid(&format!("is damaged: {error}")),
    }
}

/// An archive that is not what it should be.
pub fn invalid(what: &str) -> Error {
    Error::user("IMAGE_INVALID", format!("the archive {what}"))
}
