//! --parents: paths keep their directories, from the `/./` in the source on, else from the root.

use super::pattern;
use super::select::{Item, Match, Selector, clean_pattern};
use super::source::Tree;
use crate::error::Error;
use crate::index::path;

/// Selects what one source names. Source: BuildKit, `dispatchCopy`: before the pivot stands a pattern as without --parents, behind it
/// one of the language of .dockerignore, in which `**` crosses directories.
pub fn select(
    selector: &Selector<'_, '_>,
    source: usize,
    written: &str,
    matches: &mut Vec<Match>,
) -> Result<(), Error> {
    let (before, rest) = written.split_once("/./").unwrap_or(("", written));
    let (before, rest) = (clean_pattern(before), clean_pattern(rest));
    let wild = pattern::has_wildcard(&before) || pattern::has_wildcard(&rest);
    let pivots = if pattern::has_wildcard(&before) {
        selector.expand(source, &before)?
    } else {
        vec![pattern::unescape(&before).into_bytes()]
    };
    for pivot in pivots {
        let resolved = selector.tree.resolve(&pivot, true)?;
        let Some(node) = selector.visible(&resolved)? else {
            return Err(selector.missing(
                source,
                written,
                &path::join(&pivot, pattern::unescape(&rest).as_bytes()),
            ));
        };
        if !node.meta.is_dir() {
            // BuildKit looks for the rest in directories only, and takes a file that a wildcard gave as it stands. Of a context it is not
            // sent such a file, as nothing names it.
            if pattern::has_wildcard(&before) && !matches!(selector.tree, Tree::Host { .. }) {
                matches.push(selector.found(source, &pivot, resolved, node)?);
            }
            continue;
        }
        let items = items(selector, &resolved, &rest)?;
        if items.is_empty() && !wild && !rest.is_empty() {
            return Err(not_selected(
                selector,
                source,
                written,
                &path::join(&resolved, pattern::unescape(&rest).as_bytes()),
            ));
        }
        matches.push(Match {
            source,
            path: resolved,
            directory: true,
            top: Some(node.meta),
            items,
        });
    }
    Ok(())
}

fn not_selected(selector: &Selector<'_, '_>, source: usize, written: &str, literal: &[u8]) -> Error {
    match selector.visible(literal) {
        Ok(Some(_)) => Error::user("COPY_FAILED", format!("\"{written}\" is left out by --exclude"))
            .hint("paths of --exclude are relative to the source, or to what stands before its \"/./\""),
        _ => selector.missing(source, written, literal),
    }
}

/// All that a pattern selects below a pivot, each path with the directories above it, in the order of a walk.
fn items(selector: &Selector<'_, '_>, pivot: &[u8], rest: &str) -> Result<Vec<Item>, Error> {
    let strip = pivot.len() + usize::from(!pivot.is_empty());
    let mut items = Vec::new();
    for found in expand(selector, pivot, rest)? {
        if found.len() <= strip {
            items.extend(selector.below(&found, strip)?);
        } else {
            add(selector, &found, strip, &mut items)?;
        }
    }
    // What was selected itself counts more than the same directory on the way to something else.
    items.sort_by(|a, b| path::compare(&a.to, &b.to).then(a.carrier.cmp(&b.carrier)));
    items.dedup_by(|a, b| a.to == b.to);
    Ok(items)
}

fn add(selector: &Selector<'_, '_>, found: &[u8], strip: usize, items: &mut Vec<Item>) -> Result<(), Error> {
    let Some(node) = selector.visible(found)? else {
        return Ok(());
    };
    if !selector.walk(strip).selects(found, &node)? {
        return Ok(());
    }
    for parent in path::ancestors(found).filter(|parent| parent.len() > strip) {
        if let Some(node) = selector.tree.stat(parent)? {
            items.push(Item {
                path: parent.to_vec(),
                to: parent[strip..].to_vec(),
                node,
                carrier: true,
            });
        }
    }
    if node.meta.is_dir() {
        items.extend(selector.below(found, strip)?);
    }
    items.push(Item {
        path: found.to_vec(),
        to: found[strip..].to_vec(),
        carrier: node.meta.is_dir() && selector.excluded(&found[strip..]),
        node,
    });
    Ok(())
}

/// The paths that match; nothing below one that does.
fn expand(selector: &Selector<'_, '_>, pivot: &[u8], rest: &str) -> Result<Vec<Vec<u8>>, Error> {
    let components: Vec<&str> = rest.split('/').collect();
    let plain = components
        .iter()
        .take_while(|name| !pattern::has_wildcard(name))
        .count();
    let prefix = pattern::unescape(&components[..plain].join("/"));
    let mut found = vec![path::join(pivot, prefix.as_bytes())];
    for (at, component) in components.iter().enumerate().skip(plain) {
        if component.contains("**") {
            return expand_deep(selector, &found, &components[at..].join("/"));
        }
        found = selector.expand_name(&found, rest, component)?;
    }
    Ok(found)
}

fn expand_deep(selector: &Selector<'_, '_>, directories: &[Vec<u8>], rest: &str) -> Result<Vec<Vec<u8>>, Error> {
    let bad = || Error::user("COPY_FAILED", format!("\"{rest}\" is no valid pattern"));
    let matches = pattern::ignore_match(rest)
        .and_then(|text| pattern::compile(&text))
        .ok_or_else(bad)?;
    let mut found: Vec<Vec<u8>> = Vec::new();
    for directory in directories {
        if !selector.visible(directory)?.is_some_and(|node| node.meta.is_dir()) {
            continue;
        }
        let strip = directory.len() + usize::from(!directory.is_empty());
        for (path, _) in selector.walk_all().below(directory)? {
            let inside = found.last().is_some_and(|last| path::is_below(&path, last));
            if !inside && matches.is_match(&path[strip..]) {
                found.push(path);
            }
        }
    }
    Ok(found)
}
