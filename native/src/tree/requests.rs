//! The requests `tree.*`.

use std::time::{SystemTime, UNIX_EPOCH};

use super::digest;
use super::flat::Folder;
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
    let TreeDigestParams { chain, below } = params;
    let name = chain_id(below.as_ref(), &chain);
    if let Some(name) = &name
        && let Some(text) = session.read_file(&place(name))?
        && let Some(text) = std::str::from_utf8(&text).ok().and_then(|text| text.strip_prefix(FORM))
        && let Ok(digest) = text.parse()
    {
        return Ok(TreeDigestResult { digest: Some(digest) });
    }
    let tree = match &below {
        None => Some(Folder::read(&open::chain(session, &chain)?, b"")?),
        Some(below) => match session.trees.get(below) {
            None => None,
            Some(tree) => with_layers(session, tree, &chain)?,
        },
    };
    let Some(tree) = tree else {
        return Ok(TreeDigestResult { digest: None });
    };
    let digest = Digest::from_bytes(&tree.sum());
    if let Some(name) = name {
        session.write_file(&place(&name), format!("{FORM}{digest}").as_bytes())?;
        session.trees.keep(&name, tree);
    }
    Ok(TreeDigestResult { digest: Some(digest) })
}

/// Of the files of `content/`: what has another one is made again.
const FORM: &str = "folder ";

fn place(name: &Digest) -> String {
    format!("content/{}", name.hex())
}

/// `None` where the layers must be looked at with all that they stand on.
fn with_layers(session: &Session, mut tree: Folder, layers: &[LayerRef]) -> Result<Option<Folder>, Error> {
    for layer in layers {
        if !tree.apply(&*store::index(session, layer)?) {
            return Ok(None);
        }
    }
    Ok(Some(tree))
}

/// Names a stack of layers that all have a diffID, on a stack that has a name. Source: OCI image-spec, config.md, "Layer ChainID".
fn chain_id(below: Option<&Digest>, chain: &[LayerRef]) -> Option<Digest> {
    let mut id = below.cloned();
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
