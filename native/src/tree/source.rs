//! What COPY, ADD and bind mounts read from: a directory of the host, a chain of layers, or files that stand in the Dockerfile.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use super::host::{HostDir, Ident};
use super::ignore::Ignore;
use super::resolve;
use crate::digest::LayerRef;
use crate::error::Error;
use crate::index::entry::{Kind, Meta, Sum};
use crate::index::path;
use crate::index::view::{Found, View};
use crate::layer::content::Content;

/// Opens the files of a layer, which must be unpacked by then.
pub type OpenLayer<'s> = dyn Fn(&LayerRef) -> Result<OwnedFd, Error> + Send + Sync + 's;

/// A source, by its root.
pub enum Tree<'s> {
    Host {
        directory: HostDir,
        ignore: Ignore,
    },
    View {
        view: View,
        roots: Vec<OnceLock<Arc<OwnedFd>>>,
        open: Box<OpenLayer<'s>>,
    },
    Inline {
        files: BTreeMap<Vec<u8>, (Arc<[u8]>, u32)>,
    },
}

/// What stands at a path of a source.
#[derive(Debug, Clone)]
pub struct Node {
    /// Without xattrs while `ident` is there and nobody has asked for them.
    pub meta: Meta,
    pub sum: Option<Sum>,
    pub ident: Option<Ident>,
    /// Equal for all names of one file, where it can have several.
    pub link_id: Option<(u64, u64)>,
}

impl<'s> Tree<'s> {
    pub fn host(root: OwnedFd, ignore: Ignore) -> Self {
        Self::Host {
            directory: HostDir::new(root),
            ignore,
        }
    }

    pub fn view(view: View, open: Box<OpenLayer<'s>>) -> Self {
        let roots = view.layers.iter().map(|_| OnceLock::new()).collect();
        Self::View { view, roots, open }
    }

    pub fn inline(files: impl IntoIterator<Item = (String, String, u32)>) -> Self {
        let file = |(name, text, mode): (String, String, u32)| {
            (path::clean(name.as_bytes()), (Arc::from(text.into_bytes()), mode))
        };
        Self::Inline {
            files: files.into_iter().map(file).collect(),
        }
    }

    /// For messages: "the build context".
    pub fn name(&self) -> &'static str {
        match self {
            Self::Host { .. } => "the build context",
            Self::View { .. } => "the filesystem that is copied from",
            Self::Inline { .. } => "the Dockerfile",
        }
    }

    /// What stands at a path, symlinks not followed, ignore rules not asked.
    pub fn stat(&self, at: &[u8]) -> Result<Option<Node>, Error> {
        match self {
            Self::Host { directory, .. } => Ok(directory.stat(at)?.map(host_node)),
            Self::View { view, .. } if at.is_empty() => {
                Ok(Some(view.lookup(at).map_or_else(root_node, |found| view_node(&found))))
            }
            Self::View { view, .. } => Ok(view.lookup(at).map(|found| view_node(&found))),
            Self::Inline { .. } if at.is_empty() => Ok(Some(root_node())),
            Self::Inline { files } => Ok(files.get(at).map(inline_node)),
        }
    }

    /// What is in a directory, sorted by name, ignore rules not asked.
    pub fn list(&self, at: &[u8]) -> Result<Vec<(Vec<u8>, Node)>, Error> {
        match self {
            Self::Host { directory, .. } => {
                let list = directory.list(at)?;
                Ok(list
                    .into_iter()
                    .map(|(name, meta, ident)| (name, host_node((meta, ident))))
                    .collect())
            }
            Self::View { view, .. } => {
                let list = view.list(at).into_iter();
                Ok(list
                    .map(|found| (path::split(&found.entry.path).1.to_vec(), view_node(&found)))
                    .collect())
            }
            Self::Inline { files } if at.is_empty() => Ok(files
                .iter()
                .map(|(name, file)| (name.clone(), inline_node(file)))
                .collect()),
            Self::Inline { .. } => Ok(Vec::new()),
        }
    }

    /// Follows symlinks inside the source.
    pub fn resolve(&self, at: &[u8], follow_last: bool) -> Result<Vec<u8>, Error> {
        let mut readlink = |at: &[u8]| {
            let link = self.stat(at)?.filter(|node| node.meta.kind == Kind::Symlink);
            Ok(link.map(|node| node.meta.link))
        };
        resolve::resolve(&mut readlink, at, follow_last)
    }

    /// Where the bytes of a file are, to be read later.
    pub fn content(&self, at: &[u8]) -> Result<Content, Error> {
        match self {
            Self::Host { directory, .. } => Ok(Content::Live {
                directory: directory.clone(),
                path: at.to_vec(),
            }),
            Self::View { view, roots, open } => {
                let found = view
                    .lookup(at)
                    .ok_or_else(|| Error::internal(format!("\"{}\" has gone", path::show(at))))?;
                let root = match roots[found.layer].get() {
                    Some(root) => root.clone(),
                    None => {
                        let root = Arc::new(open(&view.layers[found.layer].name)?);
                        // Another thread may have been first: both descriptors are of the same directory.
                        roots[found.layer].get_or_init(|| root).clone()
                    }
                };
                Ok(Content::Snapshot {
                    root,
                    path: found.entry.path.clone(),
                })
            }
            Self::Inline { files } => {
                let file = files
                    .get(at)
                    .ok_or_else(|| Error::internal(format!("\"{}\" has gone", path::show(at))))?;
                Ok(Content::Bytes(file.0.clone()))
            }
        }
    }

    /// Fills in the xattrs of a file or directory of the host; elsewhere they are known.
    pub fn load_xattrs(&self, at: &[u8], node: &mut Node) -> Result<(), Error> {
        if let Self::Host { directory, .. } = self
            && matches!(node.meta.kind, Kind::File | Kind::Directory)
        {
            node.meta.xattrs = directory.xattrs(at)?;
        }
        Ok(())
    }
}

fn root_node() -> Node {
    Node {
        meta: Meta::new(Kind::Directory, 0o755),
        sum: None,
        ident: None,
        link_id: None,
    }
}

/// Files of a context belong to root, whoever owns them on the host.
fn host_node((mut meta, ident): (Meta, Ident)) -> Node {
    (meta.uid, meta.gid) = (0, 0);
    let several = meta.kind == Kind::File && ident.links > 1;
    Node {
        meta,
        sum: None,
        ident: Some(ident),
        link_id: several.then_some((ident.device, ident.inode)),
    }
}

fn view_node(found: &Found<'_>) -> Node {
    // The address of the entry names the file: it stays as long as the view does.
    let address = std::ptr::from_ref(found.target).addr() as u64;
    let link_id = (found.meta().kind == Kind::File).then_some((found.layer as u64, address));
    Node {
        meta: found.meta().clone(),
        sum: found.target.sum,
        ident: None,
        link_id,
    }
}

fn inline_node((text, mode): &(Arc<[u8]>, u32)) -> Node {
    let mut meta = Meta::made_now(Kind::File, *mode & 0o7777);
    meta.size = text.len() as u64;
    Node {
        meta,
        sum: None,
        ident: None,
        link_id: None,
    }
}
