//! How much a foreign archive may ask for in memory: entries are cheap to write and compress a thousandfold, so neither the size of a blob
//! nor that of what is in it says what they cost.

use super::inflate::ALWAYS_ALLOWED;
use super::tar_read::invalid;
use crate::error::Error;

/// Entries of one archive, made-up parents included.
pub const MAX_ENTRIES: usize = 2_000_000;
/// Bytes of all their paths, links and extended attributes. As many entries as there may be have 134 each.
pub const MAX_HELD: u64 = 256 * 1024 * 1024;

/// Bytes of names that may be gone through to find out where entries belong. Of an archive like any other it is some hundred for an entry,
/// and nothing where its directory was there before; a chain of symlinks makes it a hundred thousand.
pub const MAX_WALKED: u64 = 4 * 1024 * 1024 * 1024;

/// What is left of all that. What an archive replaces is not given back: it costs time.
pub struct Budget {
    entries: usize,
    held: u64,
    /// Bytes of files below it that hard links may have copied: a header of 512 bytes can name one of any size.
    copied: u64,
    walked: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            entries: MAX_ENTRIES,
            held: MAX_HELD,
            copied: ALWAYS_ALLOWED,
            walked: MAX_WALKED,
        }
    }
}

impl Budget {
    pub fn take(&mut self, bytes: u64) -> Result<(), Error> {
        let left = self.entries.checked_sub(1).zip(self.held.checked_sub(bytes));
        let (entries, held) = left.ok_or_else(|| invalid("has too many entries, or too long names and attributes"))?;
        (self.entries, self.held) = (entries, held);
        Ok(())
    }

    pub fn take_copy(&mut self, bytes: u64) -> Result<(), Error> {
        let left = self.copied.checked_sub(bytes);
        self.copied = left.ok_or_else(|| invalid("has too many hard links to files of lower layers"))?;
        Ok(())
    }

    /// A step on the way to a path.
    pub fn walk(&mut self, at: &[u8]) -> Result<(), Error> {
        self.walk_bytes(at.len() as u64)
    }

    /// A question about a path for whose answer all directories above it are looked at.
    pub fn walk_down(&mut self, at: &[u8]) -> Result<(), Error> {
        self.walk_bytes((at.len() as u64).pow(2) / 16)
    }

    fn walk_bytes(&mut self, bytes: u64) -> Result<(), Error> {
        let left = self.walked.checked_sub(bytes);
        self.walked = left.ok_or_else(|| invalid("has too many long ways through symlinks and directories"))?;
        Ok(())
    }
}
