//! Compressed bytes → a stream of plain ones, with what is needed to check both.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::ScopedJoinHandle;

use ring::digest::{Context, SHA256};

use super::pack::finish;
use super::xz::Windows;
use crate::error::{Doing, Error};
use crate::index::entry::Sum;

/// Plain bytes that any blob may give, and as many times its own size: more is a bomb.
pub const ALWAYS_ALLOWED: u64 = 4 * 1024 * 1024 * 1024;
const MAX_RATIO: u64 = 256;
/// Plain bytes on their way between the threads, in chunks of this many bytes.
const CHUNK: usize = 512 * 1024;
const CHUNKS: usize = 4;
/// The longest window that a zstd frame or a block of xz may ask for: 2^27 bytes, as zstd's own command line allows. xz's presets have at most
/// half of it.
pub const MAX_WINDOW_LOG: u32 = 27;
/// What zstd calls that. Source: zstd_errors.h, ZSTD_error_frameParameter_windowTooLarge.
const ZSTD_WINDOW_TOO_LARGE: usize = 16;

/// What the compressed side was, once it has been read to its end.
pub struct Compressed {
    pub sum: Sum,
    pub size: u64,
}

/// Plain bytes as they come from the inflating thread.
pub struct Plain {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    digest: Context,
    pub size: u64,
}

/// Starts a thread that reads `file` and inflates it by what its first bytes say. `Plain` must be read to its end, or dropped.
pub fn inflate<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    file: File,
) -> (Plain, ScopedJoinHandle<'scope, Result<Compressed, Error>>) {
    let (sender, chunks) = sync_channel(CHUNKS);
    let thread = scope.spawn(move || {
        let size = file.metadata().doing(|| "stat a blob")?.len();
        let mut input = Digesting {
            file,
            digest: Context::new(&SHA256),
            size: 0,
        };
        let sent = (|| -> io::Result<()> {
            let plain = decoder(BufReader::with_capacity(256 * 1024, &mut input))?;
            let mut plain = Limited::new(plain, size);
            loop {
                let mut chunk = vec![0; CHUNK];
                let length = fill(&mut plain, &mut chunk)?;
                chunk.truncate(length);
                // The other side has gone: it has failed and says so itself.
                if length == 0 || sender.send(Ok(chunk)).is_err() {
                    return Ok(());
                }
            }
        })();
        if let Err(error) = sent {
            let _ = sender.send(Err(error));
        }
        // What stands behind the end of the compressed data belongs to the blob all the same.
        io::copy(&mut input, &mut io::sink()).doing(|| "read a blob")?;
        Ok(Compressed {
            sum: finish(input.digest),
            size: input.size,
        })
    });
    (
        Plain {
            chunks,
            chunk: Vec::new(),
            at: 0,
            digest: Context::new(&SHA256),
            size: 0,
        },
        thread,
    )
}

/// A reader of plain bytes; the first bytes tell the compression, never a name.
pub fn decoder<'r>(mut input: impl BufRead + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let magic = input.fill_buf()?;
    Ok(if magic.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(input))
    } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || is_skippable_frame(magic) {
        let mut decoder = zstd::Decoder::with_buffer(input)?;
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        Box::new(Zstd(decoder))
    } else if magic.starts_with(b"BZh") {
        Box::new(bzip2::bufread::MultiBzDecoder::new(input))
    } else if magic.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        Box::new(lzma_rust2::XzReader::new(Windows::new(input), true))
    } else {
        Box::new(input)
    })
}

/// There is nothing wrong with such an archive: by its kind this error is told from others.
pub fn too_wide() -> io::Error {
    let message = "asks for a window of more than 128 MiB to be unpacked";
    io::Error::new(io::ErrorKind::OutOfMemory, message)
}

/// Says so of a window that zstd refuses: it has only words for it.
struct Zstd<R>(R);

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let words = zstd::zstd_safe::get_error_name(ZSTD_WINDOW_TOO_LARGE.wrapping_neg());
        self.0
            .read(buffer)
            .map_err(|error| if error.to_string() == words { too_wide() } else { error })
    }
}

/// zstd files may begin with a frame that holds no data.
fn is_skippable_frame(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Plain bytes that so many compressed ones may give.
pub fn most_plain(compressed_size: u64) -> u64 {
    ALWAYS_ALLOWED.saturating_add(compressed_size.saturating_mul(MAX_RATIO))
}

/// Plain bytes up to what a blob of that size may give.
pub struct Limited<R> {
    plain: R,
    left: u64,
}

impl<R: Read> Limited<R> {
    pub fn new(plain: R, compressed_size: u64) -> Self {
        let left = most_plain(compressed_size);
        Self { plain, left }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.plain.read(buffer)?;
        let grown = || io::Error::other("it grows beyond all measure when it is unpacked");
        self.left = self.left.checked_sub(count as u64).ok_or_else(grown)?;
        Ok(count)
    }
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

struct Digesting {
    file: File,
    digest: Context,
    size: u64,
}

impl Read for Digesting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

impl Plain {
    /// The digest of all that was read.
    pub fn sum(self) -> Sum {
        finish(self.digest)
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            let Ok(chunk) = self.chunks.recv() else { return Ok(0) };
            self.chunk = chunk?;
            self.at = 0;
            self.digest.update(&self.chunk);
            self.size += self.chunk.len() as u64;
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zstd_with_too_long_a_window_is_told_from_a_damaged_one() {
        for (window, kind) in [(0xa8, io::ErrorKind::OutOfMemory), (0x10, io::ErrorKind::Other)] {
            let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, window, 7, 0, 0];
            let read = decoder(&frame[..]).unwrap().read_to_end(&mut Vec::new());
            assert_eq!(read.unwrap_err().kind(), kind, "{window}");
        }
    }

    #[test]
    fn what_grows_beyond_measure_is_stopped() {
        let mut zeros = Limited {
            plain: io::repeat(0),
            left: 100_000,
        };
        let error = io::copy(&mut zeros, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("beyond all measure"));
    }
}
