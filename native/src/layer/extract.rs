//! Entries of a foreign tar → a directory in overlay form and an index. What the archive says is first applied to a model in memory, in
//! which every parent is a real directory; only then is anything done on disk, below an open directory, with no symlink followed by the
//! kernel. So an archive can neither leave its directory nor reach through a link of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::os::fd::OwnedFd;

use super::budget::Budget;
use super::remove::remove_tree;
use super::sink::Sink;
use super::tar_read::{Header, invalid};
use super::tar_write::{OPAQUE, WHITEOUT};
use super::write::{self, Form};
use crate::error::{Doing, Error};
use crate::index::entry::{Entry, Kind, Meta};
use crate::index::path::{self, Key};
use crate::layer::content::Content;

/// Symlinks that may be met on one path.
const MAX_LINKS: usize = 40;

/// What lower layers have; asked only where this layer alone does not say enough, because it may have to be waited for.
pub trait Lower {
    /// Metadata and digest of what stands there, symlinks not followed.
    fn stat(&self, at: &[u8]) -> Result<Option<Entry>, Error>;
    /// The bytes of a file there.
    fn content(&self, at: &[u8]) -> Result<Content, Error>;
}

/// A layer being unpacked (or only indexed, where there is no directory).
pub struct Extract<'a> {
    disk: Option<(&'a OwnedFd, Form)>,
    lower: &'a dyn Lower,
    made: BTreeMap<Key, Entry>,
    /// For each file that has them: its hard links.
    links: HashMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    budget: Budget,
    /// A cache mount: no name is a whiteout, the root is the archive's, devices are left out.
    plain: bool,
}

/// Where a parent directory of an entry was found.
enum Step {
    Enter,
    Follow(Vec<u8>),
    Make(Entry),
}

impl<'a> Extract<'a> {
    pub fn new(disk: Option<(&'a OwnedFd, Form)>, lower: &'a dyn Lower) -> Self {
        let mut root = Entry::new(Vec::new(), Meta::new(Kind::Directory, 0o755));
        root.implied = true;
        Self {
            disk,
            lower,
            made: BTreeMap::from([(Key(Vec::new()), root)]),
            links: HashMap::new(),
            budget: Budget::default(),
            plain: false,
        }
    }

    /// For a cache mount: files, and nothing else.
    pub fn of_files(disk: (&'a OwnedFd, Form), lower: &'a dyn Lower) -> Self {
        Self {
            plain: true,
            ..Self::new(Some(disk), lower)
        }
    }

    /// Takes an entry; `content` writes its bytes.
    pub fn add(
        &mut self,
        header: Header,
        content: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let cleaned = path::clean(&header.path);
        let (parent, name) = path::split(&cleaned);
        if path::names(&cleaned).any(|name| name.len() > path::MAX_NAME) {
            return Err(invalid("has an entry with an impossible path"));
        }
        if cleaned.is_empty() {
            return self.add_root(header.meta);
        }
        if self.plain {
            return self.add_at(parent, name, header, content);
        }
        // Other names that begin so were aufs's own, and say nothing to us.
        if path::names(&cleaned).any(|name| name.starts_with(b".wh..wh.") && name != OPAQUE) {
            return Ok(());
        }
        if name == OPAQUE {
            let parent = self.enter(parent, true)?;
            return self.mark_opaque(&parent);
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return self.add_whiteout(parent, hidden);
        }
        self.add_at(parent, name, header, content)
    }

    fn add_at(
        &mut self,
        parent: &[u8],
        name: &[u8],
        header: Header,
        content: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let parent = self.enter(parent, false)?;
        let at = path::join(&parent, name);
        match header.meta.kind {
            Kind::Directory => self.add_directory(at, header.meta),
            Kind::Hardlink => self.add_link(at, &header.meta.link),
            Kind::File => self.add_file(at, header, content),
            Kind::Char | Kind::Block if self.plain => Ok(()),
            _ => self.add_special(at, header.meta),
        }
    }

    /// Sets what has to come last, and gives all entries in order.
    pub fn finish(self) -> Result<Vec<Entry>, Error> {
        if let Some((root, form)) = self.disk {
            for entry in self.made.values().rev().filter(|entry| entry.meta.is_dir()) {
                write::finish_directory(root, entry, form)?;
            }
            if let Some(top) = self.get(b"").filter(|top| self.plain && !top.implied) {
                write::finish_root(root, top, form)?;
            }
        }
        Ok(self.made.into_values().collect())
    }

    fn get(&self, at: &[u8]) -> Option<&Entry> {
        self.made.get(&Key(at.to_vec()))
    }

    fn put(&mut self, entry: Entry) -> Result<(), Error> {
        self.budget.take(entry.path.len() as u64 + entry.meta.weight())?;
        self.insert(entry);
        Ok(())
    }

    fn insert(&mut self, entry: Entry) {
        self.made.insert(Key(entry.path.clone()), entry);
    }

    fn add_root(&mut self, meta: Meta) -> Result<(), Error> {
        if !meta.is_dir() {
            return Err(invalid("has a root that is no directory"));
        }
        let opaque = self.get(b"").is_some_and(|root| root.opaque);
        self.put(Entry {
            opaque,
            ..Entry::new(Vec::new(), meta)
        })
    }

    fn add_directory(&mut self, at: Vec<u8>, meta: Meta) -> Result<(), Error> {
        let opaque = match self.get(&at) {
            Some(there) if there.meta.is_dir() => there.opaque,
            Some(there) => {
                let whited_out = there.meta.kind == Kind::Whiteout;
                self.clear(&at)?;
                self.make_directory(&at)?;
                whited_out
            }
            None => {
                self.make_directory(&at)?;
                false
            }
        };
        self.put(Entry {
            opaque,
            ..Entry::new(at, meta)
        })
    }

    fn add_file(
        &mut self,
        at: Vec<u8>,
        header: Header,
        content: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.clear(&at)?;
        let mut entry = Entry::new(at, header.meta);
        entry.offset = header.offset;
        let file = self.disk.map(|(root, _)| write::create_file(root, &entry.path));
        let mut sink = Sink::new(file.transpose()?, self.plain);
        content(&mut sink)?;
        let (file, sum) = sink.finish().doing(|| "write a file of a layer")?;
        entry.sum = Some(sum);
        if let (Some((_, form)), Some(file)) = (self.disk, &file) {
            write::finish_open(file, &entry, form)?;
        }
        self.put(entry)
    }

    fn add_special(&mut self, at: Vec<u8>, meta: Meta) -> Result<(), Error> {
        if meta.kind == Kind::Symlink && meta.link.is_empty() {
            return Err(invalid("has a symlink without a target"));
        }
        if meta.kind == Kind::Char && meta.device == (0, 0) {
            return Err(invalid("has a device that overlayfs would take as a whiteout"));
        }
        self.clear(&at)?;
        let entry = Entry::new(at, meta);
        if let Some((root, form)) = self.disk {
            write::write_special(root, &entry, form)?;
        }
        self.put(entry)
    }

    fn add_link(&mut self, at: Vec<u8>, target: &[u8]) -> Result<(), Error> {
        let cleaned = path::clean(target);
        let (parent, name) = path::split(&cleaned);
        let parent = self.enter(parent, false)?;
        let target = path::join(&parent, name);
        if target == at {
            return if self.get(&at).is_some() {
                Ok(())
            } else {
                Err(missing_target(&target))
            };
        }
        match self.get(&target).cloned() {
            Some(there) if matches!(there.meta.kind, Kind::Directory | Kind::Whiteout) => Err(missing_target(&target)),
            Some(there) => self.link_within(at, there),
            None => self.copy_from_below(at, &target),
        }
    }

    /// A hard link to something of this layer. Links to links name the file; what is no file is made again.
    fn link_within(&mut self, at: Vec<u8>, target: Entry) -> Result<(), Error> {
        if !matches!(target.meta.kind, Kind::File | Kind::Hardlink) {
            return self.add_special(at, target.meta);
        }
        let file = if target.meta.kind == Kind::Hardlink {
            target.meta.link
        } else {
            target.path
        };
        if file == at {
            return Ok(());
        }
        self.clear(&at)?;
        // Clearing `at` may have moved the content of a file that had its name there; `file` has another.
        let mut entry = Entry::new(at.clone(), Meta::new(Kind::Hardlink, 0));
        let meta = self
            .get(&file)
            .map(|file| file.meta.clone())
            .ok_or_else(|| missing_target(&file))?;
        entry.meta = Meta {
            kind: Kind::Hardlink,
            link: file.clone(),
            size: 0,
            xattrs: Vec::new(),
            ..meta
        };
        if let Some((root, _)) = self.disk {
            write::link(root, &entry)?;
        }
        self.links.entry(file).or_default().insert(at);
        self.put(entry)
    }

    /// A hard link into a lower layer: on an overlay the file would be copied up; so it is here.
    fn copy_from_below(&mut self, at: Vec<u8>, target: &[u8]) -> Result<(), Error> {
        self.budget.walk_down(target)?;
        let hidden = self.hides_below(target);
        let below = if hidden { None } else { self.lower.stat(target)? };
        let below = below
            .filter(|entry| !entry.meta.is_dir())
            .ok_or_else(|| missing_target(target))?;
        if below.meta.kind != Kind::File {
            return self.add_special(at, below.meta);
        }
        self.budget.take_copy(below.meta.size)?;
        if self.disk.is_none() {
            self.clear(&at)?;
            return self.put(Entry {
                path: at,
                implied: false,
                opaque: false,
                offset: 0,
                ..below
            });
        }
        let content = self.lower.content(target)?;
        let size = below.meta.size;
        let header = Header {
            path: at.clone(),
            meta: below.meta,
            offset: 0,
        };
        self.add_file(at, header, &mut |sink| {
            let opened = content.open()?;
            let mut buffer = vec![0; size.clamp(1, 1024 * 1024) as usize];
            let mut done = 0;
            while done < size {
                let length = (size - done).min(buffer.len() as u64) as usize;
                opened.read_at(&mut buffer[..length], done)?;
                sink.write_all(&buffer[..length]).doing(|| "write a file of a layer")?;
                done += length as u64;
            }
            Ok(())
        })
    }

    /// A whiteout counts for lower layers only: what this layer itself has there stays.
    fn add_whiteout(&mut self, parent: &[u8], name: &[u8]) -> Result<(), Error> {
        if name.is_empty() || name == b"." || name == b".." {
            return Err(invalid("has a whiteout without a name"));
        }
        let parent = self.enter(parent, true)?;
        let at = path::join(&parent, name);
        match self.get(&at) {
            Some(there) if there.meta.is_dir() => self.mark_opaque(&at),
            Some(_) => Ok(()),
            None => {
                let entry = Entry::new(at, Meta::new(Kind::Whiteout, 0));
                if let Some((root, form)) = self.disk {
                    write::write_special(root, &entry, form)?;
                }
                self.put(entry)
            }
        }
    }

    fn mark_opaque(&mut self, at: &[u8]) -> Result<(), Error> {
        if let Some(entry) = self.made.get_mut(&Key(at.to_vec())) {
            entry.opaque = true;
        }
        Ok(())
    }

    /// Resolves a parent directory: symlinks are followed within the root (never for a whiteout), what is missing is made.
    fn enter(&mut self, parent: &[u8], whiteout: bool) -> Result<Vec<u8>, Error> {
        // Nearly always the parent has been there before.
        if self.get(parent).is_some_and(|entry| entry.meta.is_dir()) {
            return Ok(parent.to_vec());
        }
        let mut todo: Vec<Vec<u8>> = path::names(parent).rev().map(<[u8]>::to_vec).collect();
        let mut done: Vec<u8> = Vec::new();
        let mut links = 0;
        // Whether what lower layers have in `done` is hidden: asked anew for each step, a path of a thousand directories took minutes.
        let mut hidden = self.hides(b"");
        while let Some(name) = todo.pop() {
            if name == b".." {
                done.truncate(path::split(&done).0.len());
                self.budget.walk_down(&done)?;
                hidden = self.hides(&done) || self.hides_below(&done);
                continue;
            }
            let next = path::join(&done, &name);
            self.budget.walk(&next)?;
            match self.step(&next, &mut hidden)? {
                Step::Enter => done = next,
                Step::Make(entry) => {
                    self.clear(&next)?;
                    self.make_directory(&next)?;
                    self.put(entry)?;
                    done = next;
                }
                Step::Follow(_) if whiteout => return Err(invalid("has a whiteout behind a symlink")),
                Step::Follow(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(invalid("has a path with too many symlinks"));
                    }
                    if target.first() == Some(&b'/') {
                        done.clear();
                        hidden = self.hides(b"");
                    }
                    todo.extend(path::names(&target).rev().map(<[u8]>::to_vec));
                }
            }
            if done.len() > path::MAX_PATH {
                return Err(invalid("has too long a path"));
            }
        }
        Ok(done)
    }

    /// `hidden`: whether lower layers count in the directory of `at`; becomes that of `at` where it is entered or made.
    fn step(&mut self, at: &[u8], hidden: &mut bool) -> Result<Step, Error> {
        let new = |meta: Meta, opaque: bool| {
            Step::Make(Entry {
                implied: true,
                opaque,
                ..Entry::new(at.to_vec(), meta)
            })
        };
        let plain = || Meta::new(Kind::Directory, 0o755);
        match self.get(at) {
            Some(there) if there.meta.is_dir() => {
                *hidden |= there.opaque;
                return Ok(Step::Enter);
            }
            Some(there) if there.meta.kind == Kind::Symlink => return Ok(Step::Follow(there.meta.link.clone())),
            Some(there) if there.meta.kind == Kind::Whiteout => {
                *hidden = true;
                return Ok(new(plain(), true));
            }
            Some(_) => {
                return Err(invalid(&format!(
                    "has an entry in \"{}\", which is no directory",
                    path::show(at)
                )));
            }
            None => {}
        }
        let below = if *hidden {
            None
        } else {
            self.budget.walk_down(at)?;
            self.lower.stat(at)?
        };
        Ok(match below {
            Some(below) if below.meta.kind == Kind::Symlink => Step::Follow(below.meta.link),
            Some(below) if below.meta.is_dir() => new(below.meta, false),
            _ => {
                // Where there is no directory below, there is nothing in it.
                *hidden = true;
                new(plain(), false)
            }
        })
    }

    /// Whether something above a path in this layer hides what lower layers have there.
    fn hides_below(&self, at: &[u8]) -> bool {
        self.hides(b"") || path::ancestors(at).any(|above| self.hides(above))
    }

    /// Whether what this layer has at a path hides what lower layers have in it.
    fn hides(&self, at: &[u8]) -> bool {
        self.get(at).is_some_and(|entry| entry.opaque || !entry.meta.is_dir())
    }

    fn make_directory(&self, at: &[u8]) -> Result<(), Error> {
        self.disk.map_or(Ok(()), |(root, _)| write::make_directory(root, at))
    }

    /// Takes away whatever this layer has had at a path.
    fn clear(&mut self, at: &[u8]) -> Result<(), Error> {
        let Some(there) = self.get(at).cloned() else {
            return Ok(());
        };
        if let Some((root, _)) = self.disk {
            remove_tree(root, at)?;
        }
        let mut gone: Vec<Vec<u8>> = vec![at.to_vec()];
        if there.meta.is_dir() {
            let below = self.made.range(Key(at.to_vec())..).map(|(key, _)| &key.0).skip(1);
            gone.extend(below.take_while(|path| path::is_below(path, at)).cloned());
        }
        // Links first: a file that goes hands its content to one that stays.
        let removed: Vec<Entry> = gone
            .into_iter()
            .filter_map(|path| self.made.remove(&Key(path)))
            .collect();
        for entry in &removed {
            if entry.meta.kind == Kind::Hardlink
                && let Some(links) = self.links.get_mut(&entry.meta.link)
            {
                links.remove(&entry.path);
            }
        }
        removed.into_iter().try_for_each(|entry| self.hand_over(entry))
    }

    fn hand_over(&mut self, file: Entry) -> Result<(), Error> {
        let mut links = self.links.remove(&file.path).unwrap_or_default();
        let Some(heir) = links.pop_first() else { return Ok(()) };
        for link in &links {
            // An archive that replaces one name after the other would have all of them told each time.
            self.budget.take(0)?;
            if let Some(entry) = self.made.get_mut(&Key(link.clone())) {
                entry.meta.link.clone_from(&heir);
            }
        }
        self.insert(Entry {
            path: heir.clone(),
            ..file
        });
        self.links.insert(heir, links);
        Ok(())
    }
}

fn missing_target(target: &[u8]) -> Error {
    invalid(&format!(
        "has a hard link to \"{}\", which is no file of the image",
        path::show(target)
    ))
}
