//! ADD unpacks local archives: what the bytes say is an archive, never what the name says.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::draft::{Draft, LinkID, Weight};
use super::place::Attributes;
use crate::error::{Doing, Error};
use crate::index::entry::{Kind, Meta};
use crate::index::path;
use crate::layer::budget::{MAX_ENTRIES, MAX_HELD, MAX_WALKED};
use crate::layer::content::{Content, Opened};
use crate::layer::inflate::{Limited, decoder, most_plain};
use crate::layer::tar_read::{Header, TarReader};
use crate::layer::tar_write::WHITEOUT;

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
    /// Whether it is one: a tar, plain or compressed, with at least one entry. One with too long a window is not copied as a file.
    pub fn is_archive(&self) -> Result<bool, Error> {
        let opened = self.content.open()?;
        if let Ok(first) = self.entries(&opened).and_then(|mut tar| tar.next()) {
            return Ok(first.is_some());
        }
        match self.plain(&opened).and_then(|mut plain| plain.read(&mut [0])) {
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(self.failed(&format!("it {error}"))),
            _ => Ok(false),
        }
    }

    /// Puts all entries below a directory of the draft, which is the root for them: no link of the archive leads out of it.
    pub fn unpack(&self, draft: &mut Draft, directory: &[u8], attributes: &Attributes) -> Result<(), Error> {
        let opened = self.content.open()?;
        let mut tar = self.entries(&opened)?;
        let mut spool = Spool::create(&self.spool)?;
        let (mut count, mut bytes) = (0, 0u64);
        let before = draft.weight();
        while let Some(mut header) = tar.next().map_err(|error| self.failed(&error.to_string()))? {
            count += 1;
            bytes = bytes.saturating_add(header.meta.size);
            // The holes of sparse files cost nothing in the archive.
            if count > MAX_ENTRIES || bytes > most_plain(self.size) {
                return Err(self.failed("it has too much in it"));
            }
            complete(&mut header.meta, attributes);
            let content = match header.meta.kind {
                Kind::File => spool.take(&mut tar).map_err(|error| self.failed(&error.to_string()))?,
                _ => Content::None,
            };
            self.add(draft, directory, header, content)?;
            // Directories that an entry only passes through count too: a single path can have two thousand.
            if is_too_much(&before, &draft.weight()) {
                return Err(self.failed("it has too much in it"));
            }
        }
        Ok(())
    }

    fn add(&self, draft: &mut Draft, directory: &[u8], header: Header, content: Content) -> Result<(), Error> {
        let inside = path::clean(&header.path);
        let (parent, name) = path::split(&inside);
        if inside.is_empty() {
            return self.add_root(draft, directory, &header);
        }
        if path::names(&inside).any(|name| name.len() > path::MAX_NAME) {
            return Err(self.failed("it has a name of more than 255 bytes"));
        }
        if name.starts_with(WHITEOUT) {
            return Err(self.failed("it holds a whiteout, which only layers can"));
        }
        let parent = self.resolve_parent(draft, directory, parent)?;
        let at = path::join(&parent, name);
        // Each symlink to a deep directory makes a deeper one possible.
        if at.len() > path::MAX_PATH {
            return Err(self.failed("it has too long a path"));
        }
        if header.meta.kind == Kind::Hardlink {
            return self.add_link(draft, directory, &at, &header);
        }
        draft.replace(&at, header.meta, content, None)
    }

    /// The archive's own root, `./`, says nothing about the directory that it is unpacked into; `/` and `..` do. Source: go-archive,
    /// `Unpack`.
    fn add_root(&self, draft: &mut Draft, directory: &[u8], header: &Header) -> Result<(), Error> {
        if is_dot(&header.path) || directory.is_empty() {
            return Ok(());
        }
        if header.meta.is_dir() {
            draft.replace(directory, header.meta.clone(), Content::None, None)
        } else {
            Err(self.failed("it has a file in place of its own root"))
        }
    }

    /// Where an entry's directory is, symlinks followed below the destination.
    fn resolve_parent(&self, draft: &Draft, directory: &[u8], parent: &[u8]) -> Result<Vec<u8>, Error> {
        // Nearly always an entry before this one has made it, and what is made stands below directories only.
        let plain = path::join(directory, parent);
        if draft.has_made_directory(&plain) && !path::names(parent).any(|name| name == b"..") {
            return Ok(plain);
        }
        let resolved = draft.resolve_below(directory, parent, true)?;
        let named = draft.resolve_below(directory, parent, false)?;
        if named != resolved && !draft.is_dir(&resolved) {
            let (link, shown) = (path::show(&named), path::show(parent));
            return Err(self.failed(&format!(
                "\"{shown}\" is a symlink at \"/{link}\" that leads to no directory"
            )));
        }
        Ok(resolved)
    }

    /// Another name for what is there already. The link's own header counts for the file: it has only one owner, mode and time.
    fn add_link(&self, draft: &mut Draft, directory: &[u8], at: &[u8], header: &Header) -> Result<(), Error> {
        let wanted = path::clean(&header.meta.link);
        let (parent, name) = path::split(&wanted);
        let target = path::join(&draft.resolve_below(directory, parent, true)?, name);
        if target == at {
            return Ok(());
        }
        let Some(there) = draft.stat(&target).filter(|there| !there.is_dir()).cloned() else {
            let shown = path::show(&wanted);
            return Err(self.failed(&format!("it has a hard link to \"{shown}\", which is no file")));
        };
        let mut meta = there.clone();
        (meta.uid, meta.gid) = (header.meta.uid, header.meta.gid);
        if there.kind != Kind::Symlink {
            (meta.mode, meta.mtime) = (header.meta.mode, header.meta.mtime);
        }
        let made = draft.made(&target);
        if there.kind != Kind::File {
            return draft.replace(at, meta, Content::None, None);
        }
        let id: LinkID = (usize::MAX - self.number, (header.offset, 0));
        let (content, id) = match made {
            Some(content) => (content, draft.share(&target, id).unwrap_or(id)),
            None => {
                let shown = path::show(&target);
                let content = (self.below)(&target).map_err(|_| {
                    self.failed(&format!(
                        "it has a hard link to \"/{shown}\", which it does not hold itself"
                    ))
                })?;
                draft.replace(&target, meta.clone(), content.clone(), Some(id))?;
                (content, id)
            }
        };
        if meta != there {
            draft.change_linked(id, &meta);
        }
        draft.replace(at, meta, content, Some(id))
    }

    fn entries<'o>(&self, opened: &'o Opened<'_>) -> Result<TarReader<Box<dyn Read + 'o>>, Error> {
        let plain = self.plain(opened).map_err(|error| self.failed(&error.to_string()))?;
        Ok(TarReader::of_any_archive(Box::new(Limited::new(plain, self.size))))
    }

    fn plain<'o>(&self, opened: &'o Opened<'_>) -> io::Result<Box<dyn Read + 'o>> {
        let reader = ContentReader {
            opened,
            at: 0,
            size: self.size,
        };
        decoder(BufReader::with_capacity(256 * 1024, reader))
    }

    fn failed(&self, why: &str) -> Error {
        let name = path::show(self.name);
        Error::user("COPY_FAILED", format!("\"{name}\" cannot be unpacked: {why}"))
            .hint("COPY adds the archive itself, without unpacking it")
    }
}

fn is_too_much(before: &Weight, now: &Weight) -> bool {
    now.held - before.held > MAX_HELD
        || now.entries.saturating_sub(before.entries) > MAX_ENTRIES
        || now.walked - before.walked > MAX_WALKED
}

/// --chown is for every entry, and no file is older than 1970. A symlink's mode means nothing.
fn complete(meta: &mut Meta, attributes: &Attributes) {
    if let Some(owner) = attributes.owner {
        (meta.uid, meta.gid) = owner;
    }
    if meta.kind == Kind::Symlink {
        meta.mode = 0o777;
    }
    if meta.mtime.0 < 0 {
        meta.mtime = (0, 0);
    }
}

/// Whether a path is `.` once it is cleaned: it neither begins at the root nor leads above where it began.
fn is_dot(path: &[u8]) -> bool {
    let mut depth = 0usize;
    for name in path::names(path) {
        if name != b".." {
            depth += 1;
        } else if depth == 0 {
            return false;
        } else {
            depth -= 1;
        }
    }
    depth == 0 && path.first() != Some(&b'/')
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

    fn take<R: Read>(&mut self, tar: &mut TarReader<R>) -> Result<Content, Error> {
        let offset = self.length;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = tar.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            // Zeros are left to the filesystem: a sparse file stays one.
            if buffer[..count].iter().any(|&byte| byte != 0) {
                self.file
                    .write_all_at(&buffer[..count], self.length)
                    .doing(|| "write an unpacked archive")?;
            }
            self.length += count as u64;
        }
        self.file.set_len(self.length).doing(|| "write an unpacked archive")?;
        Ok(Content::Part {
            file: Arc::clone(&self.file),
            offset,
            size: self.length - offset,
        })
    }
}
