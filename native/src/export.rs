//! Writes a filesystem to a directory of the host: files, modes, links and times; owners where we are root.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Mode as FileMode, OFlags};
use rustix::io::Errno;

use crate::copy::draft::Draft;
use crate::error::{Doing, Error};
use crate::index::entry::Kind;
use crate::index::path;
use crate::index::view::View;
use crate::layer::content::Content;
use crate::layer::layout::Item;
use crate::layer::write::{Form, Owners, write_tree};
use crate::protocol::{Mode, TreeExportParams, TreeExportResult};
use crate::session::Session;
use crate::tree::host::open_beneath;
use crate::tree::open;
use crate::tree::source::Tree;
use crate::tree::walk::Walk;

/// `tree.export`.
pub fn export(session: &Session, params: TreeExportParams) -> Result<TreeExportResult, Error> {
    let target = open::directory(&session.handles.writable(&params.handle)?.fd)?;
    let items = whole(&open::chain(session, &params.chain)?)?;
    items.iter().try_for_each(|item| make_room(&target, item))?;
    // A directory of the user's is no place for devices.
    let form = Form {
        opaque: None,
        owners: if session.mode == Mode::Root {
            Owners::Real
        } else {
            Owners::Callers
        },
        devices: false,
    };
    write_tree(&target, &items, form)?;
    Ok(TreeExportResult {
        entries: items.len() as u64,
    })
}

/// Everything in a tree, to be written elsewhere.
fn whole(tree: &Tree<'_>) -> Result<Vec<Item>, Error> {
    let walk = Walk {
        tree,
        filters: Vec::new(),
    };
    let mut draft = Draft::new(View::default());
    for (at, node) in walk.below(b"")? {
        if node.meta.is_dir() {
            draft.add_directory(&at, node.meta)?;
        } else {
            let content = match node.meta.kind {
                Kind::File => tree.content(&at)?,
                _ => Content::None,
            };
            draft.add_leaf(&at, node.meta, content, node.link_id.map(|id| (0, id)))?;
        }
    }
    Ok(draft.finish())
}

/// What an earlier export left gives way, but a directory is never taken away for a file.
fn make_room(target: &OwnedFd, item: &Item) -> Result<(), Error> {
    let at = &item.entry.path;
    let (parent, name) = path::split(at);
    let parent = match open_beneath(target, parent, OFlags::PATH | OFlags::DIRECTORY, FileMode::empty()) {
        Ok(parent) => parent,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(in_the_way(at, error)),
    };
    match rustix::fs::unlinkat(&parent, OsStr::from_bytes(name), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) if item.entry.meta.is_dir() => Ok(()),
        Err(error @ Errno::ISDIR) => Err(in_the_way(at, error)),
        Err(error) => Err(error).doing(|| format!("replace \"{}\"", path::show(at))),
    }
}

fn in_the_way(at: &[u8], error: Errno) -> Error {
    let message = format!(
        "\"{}\" cannot be written: what is there is in the way ({error})",
        path::show(at)
    );
    Error::user("EXPORT_FAILED", message).hint("export to an empty directory")
}
