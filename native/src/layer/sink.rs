//! Where the bytes of an unpacked file go.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use ring::digest::{Context, SHA256};

use super::pack::finish;
use crate::index::entry::Sum;

/// What a filesystem leaves out of a file at the least, in bytes.
const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// Digests what is written, and writes it where there is a file.
pub struct Sink {
    digest: Context,
    file: Option<File>,
    /// Zeros become holes.
    sparse: bool,
    at: u64,
}

impl Sink {
    pub fn new(file: Option<File>, sparse: bool) -> Self {
        Self {
            digest: Context::new(&SHA256),
            file,
            sparse,
            at: 0,
        }
    }

    /// The file, whole, and the digest of what it holds.
    pub fn finish(self) -> io::Result<(Option<File>, Sum)> {
        if let (true, Some(file)) = (self.sparse, &self.file) {
            file.set_len(self.at)?;
        }
        Ok((self.file, finish(self.digest)))
    }

    fn put(&self, file: &File, mut bytes: &[u8]) -> io::Result<()> {
        let mut at = self.at;
        let mut begin = 0;
        // `begin` to `end` is to be written; pages of zeros lie between such pieces.
        let mut end = 0;
        while end < bytes.len() {
            let page = (PAGE - (at + end as u64) as usize % PAGE).min(bytes.len() - end);
            // What nobody writes is zero, also where the bytes come in pieces that are no pages.
            let is_hole = bytes[end..end + page] == ZEROS[..page];
            if is_hole {
                file.write_all_at(&bytes[begin..end], at + begin as u64)?;
                at += (end + page) as u64;
                bytes = &bytes[end + page..];
                (begin, end) = (0, 0);
            } else {
                end += page;
            }
        }
        file.write_all_at(&bytes[begin..end], at + begin as u64)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) if !self.sparse => file.write_all(bytes)?,
            Some(_) | None => {}
        }
        if let (true, Some(file)) = (self.sparse, &self.file) {
            self.put(file, bytes)?;
        }
        self.digest.update(bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_do_not_change_what_is_read() {
        let mut content = vec![0u8; 50_000];
        for at in [0, 4095, 20_000, 45_056] {
            content[at] = 7;
        }
        for step in [1, 100, 4096, 5000, 50_000] {
            for length in [0, 1, 4096, 8192, 40_000, 50_000] {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("file");
                let mut sink = Sink::new(Some(File::create(&path).unwrap()), true);
                for piece in content[..length].chunks(step) {
                    sink.write_all(piece).unwrap();
                }
                let (_, sum) = sink.finish().unwrap();
                assert!(std::fs::read(&path).unwrap() == content[..length], "{step} {length}");
                assert_eq!(sum, crate::layer::layout::sum_of(&content[..length]));
            }
        }
    }
}
