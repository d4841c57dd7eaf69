//! A layer that is being put together on top of a filesystem, in memory: what COPY, ADD and WORKDIR make, before a byte is copied.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::error::Error;
use crate::index::entry::{Entry, Kind, Meta};
use crate::index::path::{self, Key};
use crate::index::view::View;
use crate::layer::content::Content;
use crate::layer::layout::Item;
use crate::tree::resolve;

/// Names of one file: the source that it came from, and the file there.
pub type LinkID = (usize, (u64, u64));

/// Entries of the new layer, over what the parent shows.
pub struct Draft {
    parent: View,
    made: BTreeMap<Key, Made>,
    /// Of files with several names whose attributes have changed since they were made.
    changed: HashMap<LinkID, Meta>,
    /// Bytes of all paths, links and attributes that were put into it, whether they are still there or not.
    held: u64,
    /// Bytes of the paths that `resolve_below` has looked at.
    walked: Cell<u64>,
    /// Of all that is copied; None while nothing is.
    newest: Option<i64>,
}

struct Made {
    meta: Meta,
    content: Content,
    link_id: Option<LinkID>,
    /// A directory that was made only because something stands in it: it gets the newest mtime of all that is copied.
    implied: bool,
}

/// What a draft has cost: bytes of names and attributes, entries, and bytes of names that were gone through.
pub struct Weight {
    pub held: u64,
    pub entries: usize,
    pub walked: u64,
}

/// Attributes of directories that are made on the way.
#[derive(Debug, Clone, Copy)]
pub struct NewParents {
    pub mode: u32,
    pub owner: (u32, u32),
}

impl Draft {
    pub fn new(parent: View) -> Self {
        Self {
            parent,
            made: BTreeMap::new(),
            changed: HashMap::new(),
            held: 0,
            walked: Cell::new(0),
            newest: None,
        }
    }

    /// How much it has asked for so far: whoever fills it from outside has a limit.
    pub fn weight(&self) -> Weight {
        Weight {
            held: self.held,
            entries: self.made.len(),
            walked: self.walked.get(),
        }
    }

    /// What stands at a path; symlinks are not followed.
    pub fn stat(&self, at: &[u8]) -> Option<&Meta> {
        let key = Key(at.to_vec());
        match self.made.range(..=&key).next_back() {
            Some((found, made)) if *found == key => {
                Some(made.link_id.and_then(|id| self.changed.get(&id)).unwrap_or(&made.meta))
            }
            // A file of ours in place of a directory covers what the parent has in that. As nothing of ours stands in it, it comes right before
            // all that would.
            Some((Key(above), made)) if !made.meta.is_dir() && path::is_below(at, above) => None,
            _ => self.parent.lookup(at).map(|found| &found.target.meta),
        }
    }

    /// Follows symlinks in what the new filesystem shows.
    pub fn resolve(&self, at: &[u8], follow_last: bool) -> Result<Vec<u8>, Error> {
        let mut readlink = |at: &[u8]| {
            let link = self.stat(at).filter(|meta| meta.kind == Kind::Symlink);
            Ok(link.map(|meta| meta.link.clone()))
        };
        resolve::resolve(&mut readlink, at, follow_last)
    }

    /// As `resolve`, with another directory as the root. The result is a path from the real one.
    pub fn resolve_below(&self, root: &[u8], at: &[u8], follow_last: bool) -> Result<Vec<u8>, Error> {
        let mut readlink = |at: &[u8]| {
            let at = path::join(root, at);
            self.walked.set(self.walked.get().saturating_add(at.len() as u64));
            let link = self.stat(&at).filter(|meta| meta.kind == Kind::Symlink);
            Ok(link.map(|meta| meta.link.clone()))
        };
        Ok(path::join(root, &resolve::resolve(&mut readlink, at, follow_last)?))
    }

    pub fn is_dir(&self, at: &[u8]) -> bool {
        at.is_empty() || self.stat(at).is_some_and(Meta::is_dir)
    }

    /// Makes sure that a directory and all above it stand in the new layer: those that the parent has as they are there, with their
    /// mtime, the others new.
    pub fn make_directories(&mut self, at: &[u8], new: NewParents) -> Result<(), Error> {
        let all: Vec<Vec<u8>> = path::ancestors(at)
            .chain((!at.is_empty()).then_some(at))
            .map(<[u8]>::to_vec)
            .collect();
        for directory in all {
            if self.has_made_directory(&directory) {
                continue;
            }
            let (meta, implied) = match self.stat(&directory) {
                Some(meta) if meta.is_dir() => (meta.clone(), false),
                Some(_) => {
                    let message = format!("\"/{}\" is not a directory", path::show(&directory));
                    return Err(Error::user("COPY_FAILED", message).hint("it stands in the way of the destination"));
                }
                None => {
                    // The time stays only where nothing is copied (WORKDIR).
                    let mut meta = Meta::made_now(Kind::Directory, new.mode);
                    (meta.uid, meta.gid) = new.owner;
                    (meta, true)
                }
            };
            self.put(
                directory,
                Made {
                    meta,
                    content: Content::None,
                    link_id: None,
                    implied,
                },
            );
        }
        Ok(())
    }

    /// A directory with attributes of its own; one that is there takes them too.
    pub fn add_directory(&mut self, at: &[u8], meta: Meta) -> Result<(), Error> {
        if self.stat(at).is_some_and(|there| !there.is_dir()) {
            let message = format!("cannot copy a directory over \"/{}\", which is none", path::show(at));
            return Err(
                Error::user("COPY_FAILED", message).hint("remove it in an earlier step, or copy to another place")
            );
        }
        self.make_parents(at)?;
        self.saw(&meta);
        self.put(
            at.to_vec(),
            Made {
                meta,
                content: Content::None,
                link_id: None,
                implied: false,
            },
        );
        Ok(())
    }

    /// Anything but a directory. It takes the place of what is there, but not of a directory.
    pub fn add_leaf(&mut self, at: &[u8], meta: Meta, content: Content, link_id: Option<LinkID>) -> Result<(), Error> {
        if self.is_dir(at) {
            let message = format!("cannot copy a file over the directory \"/{}\"", path::show(at));
            return Err(Error::user("COPY_FAILED", message).hint("end the destination with \"/\" to copy into it"));
        }
        self.place(at, meta, content, link_id)
    }

    /// As an archive is unpacked: what is in the way goes, but a directory stays under a directory.
    pub fn replace(&mut self, at: &[u8], meta: Meta, content: Content, link_id: Option<LinkID>) -> Result<(), Error> {
        if !meta.is_dir() {
            self.remove_below(at);
        } else if self.covers_directory(at) {
            let message = format!(
                "the archive has a file and then a directory for \"/{}\"",
                path::show(at)
            );
            return Err(Error::user("COPY_FAILED", message)
                .hint("the directory that is there already would come back: remove it in an earlier step"));
        }
        self.place(at, meta, content, link_id)
    }

    /// Whether something that is no directory was put in the place of one.
    fn covers_directory(&self, at: &[u8]) -> bool {
        let file = self.made.get(&Key(at.to_vec())).is_some_and(|made| !made.meta.is_dir());
        file && self.parent.lookup(at).is_some_and(|found| found.target.meta.is_dir())
    }

    /// In the order of a walk it is one run. Nothing else is looked at: an archive may have millions of entries.
    fn remove_below(&mut self, at: &[u8]) {
        let after = (Bound::Excluded(Key(at.to_vec())), Bound::Unbounded);
        let below = self.made.range(after).map(|(key, _)| &key.0);
        let gone: Vec<Vec<u8>> = below.take_while(|path| path::is_below(path, at)).cloned().collect();
        for path in gone {
            self.made.remove(&Key(path));
        }
    }

    fn place(&mut self, at: &[u8], meta: Meta, content: Content, link_id: Option<LinkID>) -> Result<(), Error> {
        self.make_parents(at)?;
        self.saw(&meta);
        self.put(
            at.to_vec(),
            Made {
                meta,
                content,
                link_id,
                implied: false,
            },
        );
        Ok(())
    }

    /// The time of a directory that this layer has made. The root's own is in no layer.
    pub fn set_time(&mut self, at: &[u8], mtime: (i64, u32)) {
        if let Some(made) = self.made.get_mut(&Key(at.to_vec())) {
            made.meta.mtime = mtime;
            made.implied = false;
        }
    }

    /// Another mode for a directory that is there.
    pub fn change_mode(&mut self, at: &[u8], mode: u32) -> Result<(), Error> {
        self.make_parents(at)?;
        let Some(meta) = self.stat(at).cloned() else {
            return Err(Error::internal(format!("\"{}\" is not there", path::show(at))));
        };
        let made = self.made.entry(Key(at.to_vec())).or_insert(Made {
            meta,
            content: Content::None,
            link_id: None,
            implied: false,
        });
        made.meta.mode = mode;
        Ok(())
    }

    /// Whether this layer has made a directory there; then it has made all above it too.
    pub fn has_made_directory(&self, at: &[u8]) -> bool {
        self.made.get(&Key(at.to_vec())).is_some_and(|made| made.meta.is_dir())
    }

    /// The content of a file that this layer has made.
    pub fn made(&self, at: &[u8]) -> Option<Content> {
        self.made
            .get(&Key(at.to_vec()))
            .filter(|made| made.meta.kind == Kind::File)
            .map(|made| made.content.clone())
    }

    /// All names of a made file have new attributes.
    pub fn change_linked(&mut self, id: LinkID, meta: &Meta) {
        self.changed.insert(id, meta.clone());
    }

    /// Gives a made file an identity that other names of it can share.
    pub fn share(&mut self, at: &[u8], id: LinkID) -> Option<LinkID> {
        let made = self.made.get_mut(&Key(at.to_vec()))?;
        Some(*made.link_id.get_or_insert(id))
    }

    /// Times that count for made-up directories but belong to no entry (the top of a copied directory).
    pub fn saw(&mut self, meta: &Meta) {
        self.newest = self.newest.max(Some(meta.mtime.0));
    }

    /// The entries in the order of a walk: the first name of a file holds its bytes, the others are hard links to it.
    pub fn finish(self) -> Vec<Item> {
        let newest = self.newest;
        let mut first: HashMap<LinkID, Vec<u8>> = HashMap::new();
        let changed = self.changed;
        let item = |(Key(path), made): (Key, Made)| {
            let meta = made.link_id.and_then(|id| changed.get(&id)).cloned();
            let mut entry = Entry::new(path, meta.unwrap_or(made.meta));
            // Layers have whole seconds; a snapshot with more would differ from the same layer unpacked.
            entry.meta.mtime = (newest.filter(|_| made.implied).unwrap_or(entry.meta.mtime.0), 0);
            let mut content = made.content;
            if let Some(id) = made.link_id {
                match first.entry(id) {
                    std::collections::hash_map::Entry::Occupied(link) => {
                        entry.meta.kind = Kind::Hardlink;
                        entry.meta.link.clone_from(link.get());
                        entry.meta.size = 0;
                        entry.meta.xattrs.clear();
                        content = Content::None;
                    }
                    std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(entry.path.clone())),
                }
            }
            Item { entry, content }
        };
        self.made.into_iter().map(item).collect()
    }

    fn make_parents(&mut self, at: &[u8]) -> Result<(), Error> {
        let parent = path::split(at).0;
        if parent.is_empty() || self.has_made_directory(parent) {
            return Ok(());
        }
        self.make_directories(
            parent,
            NewParents {
                mode: 0o755,
                owner: (0, 0),
            },
        )
    }

    fn put(&mut self, at: Vec<u8>, made: Made) {
        self.held = self.held.saturating_add(made.meta.weight() + at.len() as u64);
        self.made.insert(Key(at), made);
    }
}
