//! The index of one layer in memory: entries in the order of a walk, so that a directory's content is one run of them.

use super::entry::{Entry, Kind, Meta};
use super::path;

/// All that one layer says of its paths. Every entry's parent is there, made up (`implied`) where the layer has none.
#[derive(Debug, Default)]
pub struct LayerIndex {
    entries: Vec<Entry>,
    /// Of each entry.
    places: Vec<Place>,
}

/// Where an entry stands among the others.
#[derive(Debug)]
struct Place {
    /// The place after the last entry below it.
    end: u32,
    /// The place of its directory; the root's is its own.
    parent: u32,
    /// Whether what lower layers have below it is hidden: here, or by a directory above it.
    hides: bool,
    /// Whether it stands in something that is no directory: then it is not there. Layers that are read in have no such entries.
    covered: bool,
}

impl LayerIndex {
    /// Sorts, drops earlier entries of the same path, adds missing parents.
    pub fn new(mut entries: Vec<Entry>) -> Self {
        if is_whole(&entries) {
            let places = places(&entries);
            return Self { entries, places };
        }
        entries.sort_by(|a, b| path::compare(&a.path, &b.path));
        let mut whole: Vec<Entry> = Vec::with_capacity(entries.len() + 1);
        // The root stands for itself in no layer that we pack; it is the place where the children of the root hang.
        if entries.first().is_none_or(|first| !first.path.is_empty()) {
            whole.push(implied(Vec::new()));
        }
        for entry in entries {
            if whole.last().is_some_and(|last| last.path == entry.path) {
                whole.pop();
            } else {
                add_parents(&mut whole, &entry.path);
            }
            whole.push(entry);
        }
        let places = places(&whole);
        Self { entries: whole, places }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn find(&self, wanted: &[u8]) -> Option<&Entry> {
        self.place(wanted).map(|at| &self.entries[at])
    }

    /// The entry of a path or else of the nearest directory above it, and whether what lower layers have below that is hidden.
    /// `None` where there is not even a root. One search, however deep the path is.
    pub fn nearest(&self, wanted: &[u8]) -> Option<(&Entry, bool)> {
        let at = match self.search(wanted) {
            Ok(at) => self.uncovered(at),
            // What comes before it in a walk is that directory, or is below it.
            Err(after) => self.uncovered(self.directory_above(after.checked_sub(1)?, wanted)),
        };
        Some((&self.entries[at], self.places[at].hides))
    }

    fn uncovered(&self, mut at: usize) -> usize {
        while self.places[at].covered {
            at = self.places[at].parent as usize;
        }
        at
    }

    fn directory_above(&self, mut at: usize, wanted: &[u8]) -> usize {
        while !path::is_below(wanted, &self.entries[at].path) {
            at = self.places[at].parent as usize;
        }
        at
    }

    /// The entry that has the content of a path: for a hard link that of the file it names.
    pub fn find_file(&self, wanted: &[u8]) -> Option<&Entry> {
        let entry = self.find(wanted)?;
        if entry.meta.kind == Kind::Hardlink {
            self.find(&entry.meta.link)
        } else {
            Some(entry)
        }
    }

    /// Entries directly in a directory, in order of their names.
    pub fn children(&self, directory: &[u8]) -> impl Iterator<Item = &Entry> {
        let place = self.place(directory);
        let end = place.map_or(0, |at| self.places[at].end as usize);
        let mut next = place.map_or(0, |at| at + 1);
        std::iter::from_fn(move || {
            let at = next;
            (at < end).then(|| {
                next = self.places[at].end as usize;
                &self.entries[at]
            })
        })
    }

    fn place(&self, wanted: &[u8]) -> Option<usize> {
        self.search(wanted).ok()
    }

    /// Its place, or that at which it would stand.
    fn search(&self, wanted: &[u8]) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| path::compare(&entry.path, wanted))
    }
}

/// Nearly always whoever made them has them so already; then millions of them need no second place.
fn is_whole(entries: &[Entry]) -> bool {
    let follows = |pair: &[Entry]| {
        let (before, next) = (&pair[0].path, &pair[1].path);
        let parent = path::split(next).0;
        path::compare(before, next).is_lt() && (before == parent || path::is_below(before, parent))
    };
    entries.first().is_some_and(|root| root.path.is_empty()) && entries.windows(2).all(follows)
}

fn implied(path: Vec<u8>) -> Entry {
    let mut entry = Entry::new(path, Meta::new(Kind::Directory, 0o755));
    entry.implied = true;
    entry
}

fn add_parents(entries: &mut Vec<Entry>, child: &[u8]) {
    for parent in path::ancestors(child) {
        let stands = entries
            .last()
            .is_some_and(|last| last.path == parent || path::is_below(&last.path, parent));
        if !stands {
            entries.push(implied(parent.to_vec()));
        }
    }
}

fn places(entries: &[Entry]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(entries.len());
    let mut open: Vec<usize> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        while let Some(&last) = open.last() {
            if path::is_below(&entry.path, &entries[last].path) {
                break;
            }
            places[last].end = at as u32;
            open.pop();
        }
        let above = open.last().copied();
        let (hidden, covered) = above.map_or((false, false), |above| {
            let Place { hides, covered, .. } = places[above];
            (hides, covered || !entries[above].meta.is_dir())
        });
        places.push(Place {
            end: entries.len() as u32,
            parent: above.unwrap_or(at) as u32,
            hides: entry.opaque || !entry.meta.is_dir() || hidden,
            covered,
        });
        open.push(at);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_made_up_and_children_found() {
        let paths = ["a/b/c", "a/b-", "z", "a/b/c/d/e"];
        let entries = paths.map(|path| Entry::new(path.as_bytes().to_vec(), Meta::new(Kind::Directory, 0o700)));
        let index = LayerIndex::new(entries.to_vec());
        let list = |directory: &str| -> Vec<String> {
            index
                .children(directory.as_bytes())
                .map(|entry| path::show(&entry.path))
                .collect()
        };
        assert_eq!(list(""), ["a", "z"]);
        assert_eq!(list("a"), ["a/b", "a/b-"]);
        assert_eq!(list("a/b/c"), ["a/b/c/d"]);
        assert_eq!(list("nothing"), [""; 0]);
        assert!(index.find(b"a/b").unwrap().implied);
        assert!(!index.find(b"a/b/c").unwrap().implied);
    }
}
