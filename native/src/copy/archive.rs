//! ADD unpacks local archives: what the bytes say is an archive, never what the name says.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::draft::{Draft, LinkID};
use super::place::Attributes;
use crate::error::{Doing, Error};
use crate::index::entry::Kind;
use crate::index::path;
use crate::layer::content::{Content, Opened};
use crate::layer::inflate::{Limited, decoder};
use crate::layer::tar_read::{Header, TarReader};
use crate::layer::tar_write::WHITEOUT;

/// Entries of one archive.
const MAX_ENTRIES: u64 = 2_000_000;

/// An archive, and what it needs to be unpacked into a draft.
pub struct Archive<'a> {
    /// For messages.
    pub name: &'a [u8],
    pub content: &'a Content,
    pub size: u64,
    /// Different for each archive of a copy.
    pub number: usize,
    /// A file that does not exist yet: the plain bytes wait there until they are packed.
    pub spool: PathBuf,
    /// The bytes of a file of the parent, for hard links to it.
    pub below: &'a dyn Fn(&[u8]) -> Result<Content, Error>,
}

impl Archive<'_> {
    /// Whether it is one: a tar, plain or compressed, with at least one entry.
    pub fn is_archive(&self) -> Result<bool, Error> {
        let opened = self.content.open()?;
        Ok(matches!(
            self.entries(&opened).and_then(|mut tar| tar.next()),
            Ok(Some(_))
        ))
    }

    /// Puts all entries below a directory of the draft.
    pub fn unpack(&self, draft: &mut Draft, directory: &[u8], attributes: &Attributes) -> Result<(), Error> {
        let opened = self.content.open()?;
        let mut tar = self.entries(&opened)?;
        let mut spool = Spool::create(&self.spool)?;
        let mut count = 0;
        while let Some(mut header) = tar.next().map_err(|error| self.failed(&error.to_string()))? {
            count += 1;
            if count > MAX_ENTRIES {
                return Err(self.failed("it has too many entries"));
            }
            if let Some(owner) = attributes.owner {
                (header.meta.uid, header.meta.gid) = owner;
            }
            let content = match header.meta.kind {
                Kind::File => spool.take(&mut tar, header.meta.size)?,
                _ => Content::None,
            };
            self.add(draft, directory, header, content)?;
        }
        Ok(())
    }

    fn add(&self, draft: &mut Draft, directory: &[u8], mut header: Header, content: Content) -> Result<(), Error> {
        let inside = path::clean(&header.path);
        let (parent, name) = path::split(&inside);
        if inside.is_empty() {
            // The archive's own root says nothing about the directory that it is unpacked into.
            return Ok(());
        }
        if name.starts_with(WHITEOUT) {
            return Err(self.failed("it holds a whiteout, which only layers can"));
        }
        let parent = draft.resolve(&path::join(directory, parent), true)?;
        let at = path::join(&parent, name);
        if header.meta.kind != Kind::Hardlink {
            return draft.replace(&at, header.meta, content, None);
        }
        let target = path::clean(&header.meta.link);
        let (target_parent, target_name) = path::split(&target);
        let target = path::join(
            &draft.resolve(&path::join(directory, target_parent), true)?,
            target_name,
        );
        if target == at {
            return Ok(());
        }
        let shown = path::show(&target);
        match draft.stat(&target).map(|meta| meta.kind) {
            Some(Kind::File) => {}
            _ => return Err(self.failed(&format!("it has a hard link to \"{shown}\", which is no file"))),
        }
        if let Some((meta, content)) = draft.made_file(&target) {
            let id: LinkID = (usize::MAX - self.number, (header.offset, 0));
            let id = draft.share(&target, id);
            return draft.replace(&at, meta, content, id);
        }
        // A file of the parent cannot be linked without being copied up, so it is copied.
        let content = (self.below)(&target)?;
        if let Some(meta) = draft.stat(&target) {
            header.meta = meta.clone();
        }
        draft.replace(&at, header.meta, content, None)
    }

    fn entries<'o>(&self, opened: &'o Opened<'_>) -> Result<TarReader<Box<dyn Read + 'o>>, Error> {
        let reader = ContentReader {
            opened,
            at: 0,
            size: self.size,
        };
        let plain = decoder(BufReader::with_capacity(256 * 1024, reader));
        let plain = plain.map_err(|error| self.failed(&error.to_string()))?;
        Ok(TarReader::new(Box::new(Limited::new(plain, self.size))))
    }

    fn failed(&self, why: &str) -> Error {
        let name = path::show(self.name);
        Error::user("COPY_FAILED", format!("\"{name}\" cannot be unpacked: {why}"))
            .hint("COPY adds the archive itself, without unpacking it")
    }
}

/// A content as a stream.
struct ContentReader<'o, 'c> {
    opened: &'o Opened<'c>,
    at: u64,
    size: u64,
}

impl Read for ContentReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.size - self.at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        self.opened
            .read_at(&mut buffer[..length], self.at)
            .map_err(|error| io::Error::other(error.to_string()))?;
        self.at += length as u64;
        Ok(length)
    }
}

/// Contents of an archive's files, one after the other in a file without a name.
struct Spool {
    file: Arc<File>,
    length: u64,
}

impl Spool {
    fn create(at: &PathBuf) -> Result<Self, Error> {
        let file = File::options().read(true).write(true).create_new(true).open(at);
        let file = file.doing(|| format!("create {}", at.display()))?;
        std::fs::remove_file(at).doing(|| format!("unlink {}", at.display()))?;
        Ok(Self {
            file: Arc::new(file),
            length: 0,
        })
    }

    fn take<R: Read>(&mut self, tar: &mut TarReader<R>, size: u64) -> Result<Content, Error> {
        let offset = self.length;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = tar.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            (&*self.file)
                .write_all(&buffer[..count])
                .doing(|| "write an unpacked archive")?;
            self.length += count as u64;
        }
        Ok(Content::Part {
            file: Arc::clone(&self.file),
            offset,
            size,
        })
    }
}
