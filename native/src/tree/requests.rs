//! The requests `tree.*`.

use std::time::{SystemTime, UNIX_EPOCH};

use super::digest::{self, FilesystemDigest};
use super::source::{Node, Tree};
use super::stat_cache::StatCache;
use super::{open, user};
use crate::context::RequestContext;
use crate::digest::{Digest, LayerRef};
use crate::error::Error;
use crate::index::entry::Kind;
use crate::index::{path, store};
use crate::layer::layout::sum_of;
use crate::protocol::{
    LayerState, Source, TreeDigestParams, TreeDigestResult, TreeReadParams, TreeReadResult, TreeSelectParams,
    TreeSelectResult, TreeStatParams, TreeStatResult, TreeUserParams, TreeUserResult,
};
use crate::session::Session;

/// `tree.select`.
pub fn select(session: &Session, params: TreeSelectParams) -> Result<TreeSelectResult, Error> {
    let tree = open::source(session, &params.selection.source)?;
    let cache = open_cache(session, &params.selection.source, &tree)?;
    let mut matches = open::selected(&tree, &params.selection)?;
    digest::fill(&tree, &mut matches, cache.as_ref().map(|(_, cache)| cache))?;
    if let Some((name, cache)) = cache
        && let Some(bytes) = cache.encode()
    {
        session.write_file(&name, &bytes)?;
    }
    let items = matches.iter().flat_map(|found| &found.items);
    let (entries, bytes) = items.fold((0, 0), |(entries, bytes), item| {
        (entries + 1, bytes + item.node.meta.size)
    });
    Ok(TreeSelectResult {
        digest: digest::of_selection(&matches),
        entries,
        bytes,
        directories: match &tree {
            Tree::Host { directory, .. } => directory.listed(),
            _ => 0,
        },
    })
}

/// The stat cache of a host directory, and its name in the store.
fn open_cache(session: &Session, source: &Source, tree: &Tree<'_>) -> Result<Option<(String, StatCache)>, Error> {
    let (Source::Handle { .. }, Some(Node { ident: Some(ident), .. })) = (source, tree.stat(b"")?) else {
        return Ok(None);
    };
    let began = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos() as i128);
    let key = [ident.device.to_le_bytes(), ident.inode.to_le_bytes()].concat();
    let name = format!("statcache/{}", Digest::from_bytes(&sum_of(&key)).hex());
    let file = session.read_file(&name)?.unwrap_or_default();
    Ok(Some((name, StatCache::new(file, began))))
}

/// Names that `tree.read` gives for its hints.
const MAX_NAMES: usize = 1000;

/// `tree.read`.
pub fn read(session: &Session, params: TreeReadParams, request: &RequestContext) -> Result<TreeReadResult, Error> {
    let tree = open::source(session, &params.source)?;
    let at = tree.resolve(&path::clean(params.path.as_bytes()), true)?;
    let Some(Node { meta, .. }) = tree.stat(&at)?.filter(|node| node.meta.kind == Kind::File) else {
        let parent = path::split(&at).0;
        let is_directory = tree.stat(parent)?.is_some_and(|node| node.meta.is_dir());
        let list = if is_directory { tree.list(parent)? } else { Vec::new() };
        let names = list.iter().take(MAX_NAMES).map(|(name, _)| path::show(name)).collect();
        return Ok(TreeReadResult { found: false, names });
    };
    if meta.size > params.max_bytes {
        let message = format!("\"{}\" has more than {} bytes", params.path, params.max_bytes);
        return Err(Error::user("CONTEXT_INVALID", message));
    }
    let content = tree.content(&at)?;
    let opened = content.open()?;
    let mut buffer = vec![0; 256 * 1024];
    let mut done = 0;
    while done < meta.size {
        let length = usize::try_from(meta.size - done).map_or(buffer.len(), |left| left.min(buffer.len()));
        opened.read_at(&mut buffer[..length], done)?;
        request.send_data(1, &buffer[..length])?;
        done += length as u64;
    }
    Ok(TreeReadResult {
        found: true,
        names: Vec::new(),
    })
}

/// `tree.digest`.
pub fn digest(session: &Session, params: TreeDigestParams) -> Result<TreeDigestResult, Error> {
    let name = chain_id(&params.chain).map(|id| format!("content/{}", id.hex()));
    if let Some(name) = &name
        && let Some(text) = session.read_file(name)?
        && let Some(digest) = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok())
    {
        return Ok(TreeDigestResult { digest });
    }
    let tree = open::chain(session, &params.chain)?;
    let mut digest = FilesystemDigest::new();
    let mut todo = vec![Vec::new()];
    while let Some(at) = todo.pop() {
        let mut directories = Vec::new();
        for (name, mut node) in tree.list(&at)? {
            let here = path::join(&at, &name);
            if node.meta.kind == Kind::File && node.sum.is_none() {
                node.sum = Some(digest::read_sum(&tree, &here, &node)?);
            }
            digest.add(&here, &node.meta, node.sum);
            if node.meta.is_dir() {
                directories.push(here);
            }
        }
        todo.extend(directories.into_iter().rev());
    }
    let digest = digest.finish();
    if let Some(name) = name {
        session.write_file(&name, digest.as_str().as_bytes())?;
    }
    Ok(TreeDigestResult { digest })
}

/// Names a stack of layers that all have a diffID. Source: OCI image-spec, config.md, "Layer ChainID".
fn chain_id(chain: &[LayerRef]) -> Option<Digest> {
    let mut id: Option<Digest> = None;
    for layer in chain {
        let LayerRef::Layer(diff_id) = layer else { return None };
        id = Some(match id {
            None => diff_id.clone(),
            Some(below) => Digest::from_bytes(&sum_of(format!("{below} {diff_id}").as_bytes())),
        });
    }
    id
}

/// `tree.user`.
pub fn find_user(session: &Session, params: TreeUserParams) -> Result<TreeUserResult, Error> {
    let user::User { uid, gid, groups, home } = user::find_user(&open::chain(session, &params.chain)?, &params.user)?;
    Ok(TreeUserResult { uid, gid, groups, home })
}

/// `tree.stat`.
pub fn stat(session: &Session, params: TreeStatParams) -> Result<TreeStatResult, Error> {
    let state = |layer| {
        Ok(LayerState {
            index: store::is_stored(session, layer)?,
            snapshot: session.stored_snapshot(layer)?.is_some(),
        })
    };
    Ok(TreeStatResult {
        layers: params.layers.iter().map(state).collect::<Result<_, Error>>()?,
    })
}
