//! Long chains. Layers stand in blocks of 32, and blocks in blocks of blocks: each block becomes one directory in overlay form, whose files are
//! further names of those of its layers. So a chain of any length is a few dozen directories, a step makes none anew most of the time, and each
//! file is linked once for each level. A block is named by its own layers, whatever lies below it: chains with the same layers share it.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use ring::digest::{Context, SHA256};
use rustix::fs::{FlockOperation, flock};

use super::stack::Stack;
use super::write::{self, How};
use crate::context;
use crate::digest::{Digest, LayerRef};
use crate::error::{Doing, Error};
use crate::layer::commit;
use crate::layer::pack::finish;
use crate::lock;
use crate::session::Session;

/// Directories that are mounted as they are. Source: DESIGN; the kernel takes 500, each of which costs every lookup of what is not there.
pub const MOST: usize = 120;
/// Layers in a block, and blocks in a block of blocks.
const RADIX: usize = 32;
/// Version of the blocks: another one has other names.
const VERSION: &[u8] = b"cooper-block-1";

/// Blocks that this session has used.
#[derive(Default)]
pub struct Blocks(Mutex<HashMap<Vec<LayerRef>, Arc<OwnedFd>>>);

/// The directories of a chain, base first; blocks take the place of layers where these are many. Layers without a diffID, which are the last
/// ones, stay what they are.
pub fn directories(session: &Session, chain: &[LayerRef]) -> Result<Vec<OwnedFd>, Error> {
    if chain.len() <= MOST {
        return session.layers(chain);
    }
    let named = chain
        .iter()
        .take_while(|layer| matches!(layer, LayerRef::Layer(_)))
        .count();
    let mut directories = Vec::new();
    let mut at = 0;
    let mut size = RADIX;
    while size * RADIX <= named {
        size *= RADIX;
    }
    while size >= RADIX {
        while at + size <= named {
            let block = block(session, &chain[at..at + size])?;
            directories.push(block.try_clone().doing(|| "duplicate a descriptor")?);
            at += size;
        }
        size /= RADIX;
    }
    directories.extend(session.layers(&chain[at..])?);
    Ok(directories)
}

fn block(session: &Session, layers: &[LayerRef]) -> Result<Arc<OwnedFd>, Error> {
    if let Some(known) = context::lock(&session.blocks.0).get(layers) {
        return Ok(Arc::clone(known));
    }
    let name = name(layers);
    let directory = match session.stored_directory("blocks", &name)? {
        Some(directory) => directory,
        None => make(session, layers, &name)?,
    };
    let directory = Arc::new(directory);
    context::lock(&session.blocks.0).insert(layers.to_vec(), Arc::clone(&directory));
    Ok(directory)
}

/// The digest of the layers' names: no name from outside becomes a path.
fn name(layers: &[LayerRef]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(VERSION);
    for layer in layers {
        if let LayerRef::Layer(diff_id) = layer {
            context.update(b"\n");
            context.update(diff_id.as_str().as_bytes());
        }
    }
    Digest::from_bytes(&finish(context))
}

fn make(session: &Session, layers: &[LayerRef], name: &Digest) -> Result<OwnedFd, Error> {
    let parts = match layers.len() / RADIX {
        1 => session.layers(layers)?,
        size => layers
            .chunks(size)
            .map(|part| block(session, part)?.try_clone().doing(|| "duplicate a descriptor"))
            .collect::<Result<_, Error>>()?,
    };
    // Of two that want the same block one waits, and finds it. Nobody takes a second lock while he holds one.
    let _alone = hold(session, name)?;
    if let Some(directory) = session.stored_directory("blocks", name)? {
        return Ok(directory);
    }
    let (folder, files) = commit::new_folder(session)?;
    let opaque = session.opaque_mark();
    let made = write::write(&Stack(&parts), &files, How::Block { opaque }, None)
        .and_then(|()| commit::place_directory(session, &folder, "blocks", name));
    if made.is_err() {
        // The first error counts; the lease's sweep takes what stays.
        let _ = session.discard_temporary(&folder);
    }
    made.map(|()| files)
}

fn hold(session: &Session, name: &Digest) -> Result<OwnedFd, Error> {
    let file = lock::open(session, &format!("block-{}", &name.hex()[..2]))?;
    flock(&file, FlockOperation::LockExclusive).doing(|| "lock a block")?;
    Ok(file)
}
