//! Copies of selected files, for mounts: a RUN never sees the user's own directory.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::draft::Draft;
use super::place::as_empty_file;
use crate::error::Error;
use crate::index::entry::Kind;
use crate::index::path;
use crate::index::view::View;
use crate::layer::commit;
use crate::layer::content::Content;
use crate::layer::write::write_tree;
use crate::protocol::Selection;
use crate::session::Session;
use crate::tree::source::Tree;
use crate::tree::{digest, open, pattern, resolve};

/// Writes the selected files to an empty directory, each at its path in the source (directories above it included).
pub fn materialize(session: &Session, selection: &Selection, directory: &OwnedFd) -> Result<(), Error> {
    let tree = open::source(session, &selection.source)?;
    let mut matches = open::selected(&tree, selection)?;
    digest::load_xattrs(&tree, &mut matches)?;
    let mut draft = Draft::new(View::default());
    for source in &selection.sources {
        add_links(&mut draft, &tree, source)?;
    }
    for found in matches {
        if found.directory {
            add_directories(&mut draft, &tree, &found.path)?;
        }
        for item in found.items {
            add_directories(&mut draft, &tree, path::split(&item.path).0)?;
            let content = match item.node.meta.kind {
                Kind::Directory => {
                    draft.add_directory(&item.path, item.node.meta)?;
                    continue;
                }
                Kind::File => tree.content(&item.path)?,
                Kind::Socket => {
                    let empty = Content::Bytes(Arc::from([]));
                    draft.add_leaf(&item.path, as_empty_file(item.node.meta), empty, None)?;
                    continue;
                }
                _ => Content::None,
            };
            draft.add_leaf(&item.path, item.node.meta, content, item.node.link_id.map(|id| (0, id)))?;
        }
    }
    write_tree(directory, &draft.finish(), commit::form(session))
}

/// The symlinks on the way to a source: whoever asks for the path as it is written must find it.
fn add_links(draft: &mut Draft, tree: &Tree<'_>, source: &str) -> Result<(), Error> {
    if pattern::has_wildcard(source) {
        return Ok(());
    }
    let mut links = Vec::new();
    let mut readlink = |at: &[u8]| {
        let node = tree.stat(at)?.filter(|node| node.meta.kind == Kind::Symlink);
        Ok(node.map(|node| {
            links.push((at.to_vec(), node.meta.clone()));
            node.meta.link
        }))
    };
    resolve::resolve(&mut readlink, &path::clean(pattern::unescape(source).as_bytes()), true)?;
    for (at, meta) in links {
        add_directories(draft, tree, path::split(&at).0)?;
        draft.add_leaf(&at, meta, Content::None, None)?;
    }
    Ok(())
}

/// The directories down to a path, with the source's attributes.
fn add_directories(draft: &mut Draft, tree: &Tree<'_>, at: &[u8]) -> Result<(), Error> {
    let all: Vec<&[u8]> = path::ancestors(at).chain((!at.is_empty()).then_some(at)).collect();
    for above in all {
        if !draft.is_dir(above)
            && let Some(node) = tree.stat(above)?
        {
            draft.add_directory(above, node.meta)?;
        }
    }
    Ok(())
}
