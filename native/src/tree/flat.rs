//! What a chain shows, as one tree in memory. That of the next step is made from it by the entries of one layer more, so what a step costs does not
//! grow with the steps before it. The tree digests itself, folder by folder: a folder that no layer has changed since is not digested again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};

use super::digest::{self, FolderDigest};
use super::source::Tree;
use crate::context::lock;
use crate::digest::Digest;
use crate::error::Error;
use crate::index::entry::{Entry, Kind, Meta, Sum};
use crate::index::layer::LayerIndex;
use crate::index::path;

/// Trees that are remembered: those of the steps that run now, and what the next ones stand on.
const MOST: usize = 16;

/// Trees of this session by the names of their chains, the oldest first.
#[derive(Default)]
pub struct Trees(Mutex<VecDeque<(Digest, Folder)>>);

impl Trees {
    pub fn get(&self, name: &Digest) -> Option<Folder> {
        let trees = lock(&self.0);
        trees
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, tree)| tree.clone())
    }

    pub fn keep(&self, name: &Digest, tree: Folder) {
        let mut trees = lock(&self.0);
        trees.push_back((name.clone(), tree));
        if trees.len() > MOST {
            trees.pop_front();
        }
    }
}

/// A directory. A clone shares what is below it until one of the two is changed.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    names: BTreeMap<Vec<u8>, Arc<Item>>,
    sum: OnceLock<Sum>,
}

#[derive(Debug, Clone)]
struct Item {
    meta: Meta,
    /// Of a file's content.
    sum: Option<Sum>,
    /// Of a directory.
    folder: Folder,
}

impl Item {
    fn new(meta: &Meta, sum: Option<Sum>) -> Self {
        Self {
            meta: meta.clone(),
            sum,
            folder: Folder::default(),
        }
    }
}

impl Folder {
    /// Reads what is below a path of any tree, with the content of files that nobody has digested.
    pub fn read(tree: &Tree<'_>, at: &[u8]) -> Result<Self, Error> {
        let mut folder = Self::default();
        for (name, node) in tree.list(at)? {
            let here = path::join(at, &name);
            let sum = match node.sum {
                None if node.meta.kind == Kind::File => Some(digest::read_sum(tree, &here, &node)?),
                sum => sum,
            };
            let mut item = Item::new(&node.meta, sum);
            if node.meta.is_dir() {
                item.folder = Self::read(tree, &here)?;
            }
            folder.names.insert(name, Arc::new(item));
        }
        Ok(folder)
    }

    /// Puts a layer on the tree. False, and the tree is of no use, where the layer's index does not say all.
    pub fn apply(&mut self, layer: &LayerIndex) -> bool {
        match layer.find(b"") {
            Some(root) if !root.meta.is_dir() => return false,
            Some(root) if root.opaque => *self = Self::default(),
            _ => {}
        }
        self.apply_below(layer, b"")
    }

    fn apply_below(&mut self, layer: &LayerIndex, at: &[u8]) -> bool {
        layer.children(at).all(|entry| {
            self.sum = OnceLock::new();
            let name = path::split(&entry.path).1;
            match entry.meta.kind {
                Kind::Whiteout => {
                    self.names.remove(name);
                    true
                }
                Kind::Directory => self.directory(name, entry).apply_below(layer, &entry.path),
                _ => self.leaf(name, layer, entry),
            }
        })
    }

    /// The directory that a layer shows under a name.
    fn directory(&mut self, name: &[u8], entry: &Entry) -> &mut Self {
        let fresh = || Arc::new(Item::new(&entry.meta, None));
        let item = Arc::make_mut(self.names.entry(name.to_vec()).or_insert_with(fresh));
        if entry.opaque || !item.meta.is_dir() {
            *item = Item::new(&entry.meta, None);
        } else if !entry.implied {
            item.meta = entry.meta.clone();
        }
        &mut item.folder
    }

    fn leaf(&mut self, name: &[u8], layer: &LayerIndex, entry: &Entry) -> bool {
        let file = layer.find_file(&entry.path).unwrap_or(entry);
        self.names
            .insert(name.to_vec(), Arc::new(Item::new(&file.meta, file.sum)));
        match file.meta.kind {
            Kind::File => file.sum.is_some(),
            // A link to one, which no filesystem has: such a layer counts as the view of the chain shows it.
            kind => kind != Kind::Directory,
        }
    }

    /// The digest of all that is below it.
    pub fn sum(&self) -> Sum {
        *self.sum.get_or_init(|| {
            let mut digest = FolderDigest::new();
            for (name, item) in &self.names {
                let sum = if item.meta.is_dir() {
                    Some(item.folder.sum())
                } else {
                    item.sum
                };
                digest.add(name, &item.meta, sum);
            }
            digest.finish()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{LayerRef, SnapshotID};
    use crate::index::view::{Layer, View};

    /// The sum of a chain by the view of all its layers, which knows nothing of trees that are changed.
    fn by_view(layers: &[Vec<Entry>]) -> Sum {
        let layer = |entries: &Vec<Entry>| Layer {
            index: Arc::new(LayerIndex::new(entries.clone())),
            name: LayerRef::Snapshot(SnapshotID(0)),
        };
        let view = View {
            layers: layers.iter().map(layer).collect(),
        };
        let tree = Tree::view(view, Box::new(|_| Err(Error::internal("all sums are known"))));
        Folder::read(&tree, b"").unwrap().sum()
    }

    fn random(state: &mut u64, below: u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below
    }

    fn entry(state: &mut u64) -> Entry {
        let depth = 1 + random(state, 3);
        let names: Vec<&[u8]> = (0..depth)
            .map(|_| [b"a".as_slice(), b"b", b"c-"][random(state, 3) as usize])
            .collect();
        let kind = match random(state, 8) {
            0 | 1 => Kind::Whiteout,
            2..=4 => Kind::Directory,
            5 => Kind::Hardlink,
            6 => Kind::Symlink,
            _ => Kind::File,
        };
        let mut entry = Entry::new(names.join(&b'/'), Meta::new(kind, random(state, 4) as u32));
        entry.opaque = kind == Kind::Directory && random(state, 4) == 0;
        entry.sum = (kind == Kind::File).then_some([random(state, 250) as u8; 32]);
        if matches!(kind, Kind::Hardlink | Kind::Symlink) {
            entry.meta.link = b"a/b".to_vec();
        }
        entry
    }

    #[test]
    fn layer_by_layer_and_all_at_once_are_the_same() {
        let state = &mut 7;
        let mut sums = std::collections::HashSet::new();
        for _ in 0..300 {
            let mut layers = Vec::new();
            let mut tree = Folder::default();
            for _ in 0..5 {
                let count = random(state, 6);
                layers.push((0..count).map(|_| entry(state)).collect::<Vec<_>>());
                let index = LayerIndex::new(layers.last().cloned().unwrap_or_default());
                let before = (tree.clone(), tree.sum());
                if !tree.apply(&index) {
                    break;
                }
                let short =
                    |entry: &Entry| format!("{} {:?} {}", path::show(&entry.path), entry.meta.kind, entry.opaque);
                let shown: Vec<Vec<String>> = layers.iter().map(|layer| layer.iter().map(short).collect()).collect();
                assert_eq!(tree.sum(), by_view(&layers), "{shown:#?}");
                assert_eq!(before.0.sum(), before.1, "the tree below has not changed");
                sums.insert(tree.sum());
            }
        }
        assert!(sums.len() > 500, "only {} different trees", sums.len());
    }

    #[test]
    fn a_file_that_nobody_has_digested_is_told() {
        let file = Entry::new(b"f".to_vec(), Meta::new(Kind::File, 0o644));
        assert!(!Folder::default().apply(&LayerIndex::new(vec![file])));
    }
}
