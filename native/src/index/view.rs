//! What a chain of layers shows, answered from their indexes: whiteouts, opaque directories and replaced types as overlayfs reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::{Entry, Kind, Meta};
use super::layer::LayerIndex;
use super::path;
use crate::digest::LayerRef;

/// One layer of a chain. Its files need not be on disk until one is read.
#[derive(Debug, Clone)]
pub struct Layer {
    pub index: Arc<LayerIndex>,
    pub name: LayerRef,
}

/// A filesystem made of layers, base first.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub layers: Vec<Layer>,
}

/// A path of a view.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Under its own path; for a hard link that is not the path of `target`.
    pub entry: &'a Entry,
    /// The entry that has the metadata and content: the file itself where `entry` is a hard link.
    pub target: &'a Entry,
    /// The place in `layers` of the one that holds it.
    pub layer: usize,
}

impl Found<'_> {
    pub fn meta(&self) -> &Meta {
        &self.target.meta
    }
}

/// What one layer says about a path.
enum Says<'a> {
    /// Nothing: look in the next layer below.
    Nothing,
    /// There is no such path, whatever is below.
    Gone,
    /// It is here; `hides`: lower layers do not count for it.
    Here { entry: &'a Entry, hides: bool },
}

impl View {
    /// What stands at a path; symlinks are not followed, neither at the end nor on the way.
    pub fn lookup(&self, wanted: &[u8]) -> Option<Found<'_>> {
        let mut made_up = None;
        for (layer, Layer { index, .. }) in self.layers.iter().enumerate().rev() {
            match says(index, wanted) {
                Says::Nothing => {}
                Says::Gone => break,
                Says::Here { entry, hides } if entry.implied => {
                    made_up = made_up.or(Some(found(index, entry, layer)));
                    if hides {
                        break;
                    }
                }
                // A made-up directory covers whatever is no directory below it.
                Says::Here { entry, .. } if made_up.is_some() && !entry.meta.is_dir() => break,
                Says::Here { entry, .. } => return Some(found(index, entry, layer)),
            }
        }
        made_up
    }

    /// What is directly in a directory, in order of the names.
    pub fn list(&self, directory: &[u8]) -> Vec<Found<'_>> {
        let mut names: BTreeMap<&[u8], Option<Found<'_>>> = BTreeMap::new();
        for (layer, Layer { index, .. }) in self.layers.iter().enumerate().rev() {
            let hides = match says(index, directory) {
                Says::Nothing => continue,
                Says::Gone => break,
                Says::Here { entry, .. } if !entry.meta.is_dir() => break,
                Says::Here { hides, .. } => hides,
            };
            for entry in index.children(directory) {
                let shown = (entry.meta.kind != Kind::Whiteout).then(|| found(index, entry, layer));
                names.entry(path::split(&entry.path).1).or_insert(shown);
            }
            if hides {
                break;
            }
        }
        let shown = names.into_values().flatten();
        shown
            .filter_map(|found| {
                if found.entry.implied {
                    self.lookup(&found.entry.path)
                } else {
                    Some(found)
                }
            })
            .collect()
    }
}

fn found<'a>(index: &'a LayerIndex, entry: &'a Entry, layer: usize) -> Found<'a> {
    let linked = (entry.meta.kind == Kind::Hardlink)
        .then(|| index.find(&entry.meta.link))
        .flatten();
    Found {
        entry,
        target: linked.unwrap_or(entry),
        layer,
    }
}

fn says<'a>(index: &'a LayerIndex, wanted: &[u8]) -> Says<'a> {
    match index.nearest(wanted) {
        Some((entry, _)) if entry.path == wanted && entry.meta.kind == Kind::Whiteout => Says::Gone,
        Some((entry, hides)) if entry.path == wanted => Says::Here { entry, hides },
        Some((_, true)) => Says::Gone,
        Some((_, false)) | None => Says::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::SnapshotID;

    fn entry(path: &str, kind: Kind, mode: u32) -> Entry {
        Entry::new(path.as_bytes().to_vec(), Meta::new(kind, mode))
    }

    fn opaque(path: &str) -> Entry {
        Entry {
            opaque: true,
            ..entry(path, Kind::Directory, 0o755)
        }
    }

    fn view(layers: Vec<Vec<Entry>>) -> View {
        let layer = |entries| Layer {
            index: Arc::new(LayerIndex::new(entries)),
            name: LayerRef::Snapshot(SnapshotID(0)),
        };
        View {
            layers: layers.into_iter().map(layer).collect(),
        }
    }

    fn all(view: &View) -> Vec<String> {
        let mut paths = Vec::new();
        let mut todo = vec![Vec::new()];
        while let Some(directory) = todo.pop() {
            for found in view.list(&directory) {
                paths.push(path::show(&found.entry.path));
                if found.meta().is_dir() {
                    todo.push(found.entry.path.clone());
                }
            }
        }
        paths.sort();
        paths
    }

    #[test]
    fn a_chain_shows_what_overlayfs_shows() {
        use Kind::{Directory, File, Whiteout};
        let base = || {
            vec![
                entry("d", Directory, 0o700),
                entry("d/a", File, 0o600),
                entry("d/s/b", File, 0o644),
                entry("f", File, 0o644),
            ]
        };
        for (name, upper, wanted) in [
            ("nothing above", vec![], vec!["d", "d/a", "d/s", "d/s/b", "f"]),
            (
                "a whiteout takes a file",
                vec![entry("d/a", Whiteout, 0)],
                vec!["d", "d/s", "d/s/b", "f"],
            ),
            ("a whiteout takes a tree", vec![entry("d", Whiteout, 0)], vec!["f"]),
            (
                "an opaque directory hides",
                vec![opaque("d"), entry("d/n", File, 0)],
                vec!["d", "d/n", "f"],
            ),
            ("a file covers a directory", vec![entry("d", File, 0)], vec!["d", "f"]),
            (
                "a directory covers a file",
                vec![entry("f/x", File, 0)],
                vec!["d", "d/a", "d/s", "d/s/b", "f", "f/x"],
            ),
            (
                "an opaque root hides all",
                vec![opaque(""), entry("n", File, 0)],
                vec!["n"],
            ),
        ] {
            let view = view(vec![base(), upper]);
            assert_eq!(all(&view), wanted, "{name}");
            for path in ["d", "d/a", "d/s", "d/s/b", "f", "f/x", "n", "d/n"] {
                assert_eq!(
                    view.lookup(path.as_bytes()).is_some(),
                    wanted.contains(&path),
                    "{name}: {path}"
                );
            }
        }
    }

    /// As it is told one directory after the other: the definition, which takes a search for each.
    fn told(index: &LayerIndex, wanted: &[u8]) -> (Option<bool>, bool) {
        let mut hides = index.find(b"").is_some_and(|root| root.opaque);
        for above in path::ancestors(wanted) {
            match index.find(above) {
                None => return (None, hides),
                Some(entry) if !entry.meta.is_dir() => return (None, true),
                Some(entry) => hides |= entry.opaque,
            }
        }
        match index.find(wanted) {
            None => (None, hides),
            Some(entry) if entry.meta.kind == Kind::Whiteout => (None, true),
            Some(entry) if entry.meta.is_dir() => (Some(true), hides || entry.opaque),
            Some(_) => (Some(false), true),
        }
    }

    #[test]
    fn a_layer_says_of_each_path_what_its_directories_say() {
        const PATHS: [&str; 5] = ["a", "a/b", "a/b/c", "a-", "b"];
        const ASKED: [&str; 12] = [
            "", "a", "a/b", "a/b/c", "a/b/c/d", "a/a", "a/b-", "a/c", "a-", "a-/x", "b/x/y", "z",
        ];
        for number in 0..2 * 5usize.pow(5) {
            let kinds = (0..5).map(|place| number / 2 / 5usize.pow(place) % 5);
            let made = |(path, kind): (&&str, usize)| match kind {
                0 => None,
                1 => Some(entry(path, Kind::Directory, 0o755)),
                2 => Some(opaque(path)),
                3 => Some(entry(path, Kind::File, 0o644)),
                _ => Some(entry(path, Kind::Whiteout, 0)),
            };
            let root = (number % 2 == 0).then(|| opaque(""));
            let entries: Vec<Entry> = PATHS.iter().zip(kinds).filter_map(made).chain(root).collect();
            let index = LayerIndex::new(entries);
            for asked in ASKED {
                let said = match says(&index, asked.as_bytes()) {
                    Says::Nothing => (None, false),
                    Says::Gone => (None, true),
                    Says::Here { entry, hides } => (Some(entry.meta.is_dir()), hides),
                };
                assert_eq!(said, told(&index, asked.as_bytes()), "{asked:?} of {index:?}");
            }
        }
    }

    #[test]
    fn a_made_up_directory_has_the_attributes_of_the_one_below() {
        let view = view(vec![
            vec![entry("d", Kind::Directory, 0o700)],
            vec![entry("d/x", Kind::File, 0o644)],
        ]);
        assert_eq!(view.lookup(b"d").unwrap().meta().mode, 0o700);
        assert_eq!(view.list(b"")[0].meta().mode, 0o700);
    }
}
