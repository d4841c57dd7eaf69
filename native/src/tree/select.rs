//! The files that a COPY, an ADD or a bind mount names.

use super::ignore::Ignore;
use super::pattern;
use super::source::{Node, Tree};
use super::walk::{Filter, Walk};
use crate::error::{Error, SourceMissing};
use crate::index::entry::{Kind, Meta};
use crate::index::path;

/// What one path that matched a source gives.
pub struct Match {
    /// The place of the pattern in `sources`.
    pub source: usize,
    /// In the source, symlinks followed; of the pivot with --parents.
    pub path: Vec<u8>,
    /// A directory gives its contents, everything else itself.
    pub directory: bool,
    /// Of the directory itself.
    pub top: Option<Meta>,
    /// In the order of a walk.
    pub items: Vec<Item>,
}

/// A selected file or directory.
pub struct Item {
    /// In the source.
    pub path: Vec<u8>,
    /// Below the destination.
    pub to: Vec<u8>,
    pub node: Node,
}

/// What to select: the fields of the protocol's Selection that are no source.
pub struct Patterns<'a> {
    pub sources: &'a [String],
    pub exclude: &'a [String],
    pub parents: bool,
}

/// Selects. A pattern without a match is fine as long as another source has one; a literal path must be there.
pub fn select(tree: &Tree<'_>, patterns: &Patterns<'_>) -> Result<Vec<Match>, Error> {
    let selector = Selector {
        tree,
        exclude: Ignore::from_excludes(patterns.exclude)?,
    };
    let mut matches = Vec::new();
    for (at, source) in patterns.sources.iter().enumerate() {
        if patterns.parents {
            selector.with_parents(at, source, &mut matches)?;
        } else {
            selector.source(at, source, &mut matches)?;
        }
    }
    if matches.is_empty()
        && let Some(source) = patterns.sources.first()
    {
        return Err(Error::SourceMissing(Box::new(SourceMissing {
            message: format!("nothing in {} matches \"{source}\"", tree.name()),
            ..SourceMissing::default()
        })));
    }
    Ok(matches)
}

struct Selector<'a, 's> {
    tree: &'a Tree<'s>,
    exclude: Ignore,
}

impl<'s> Selector<'_, 's> {
    fn source(&self, at: usize, source: &str, matches: &mut Vec<Match>) -> Result<(), Error> {
        if pattern::has_wildcard(source) {
            for found in self.expand(source, false)? {
                self.add(at, &found, matches)?;
            }
            return Ok(());
        }
        let literal = path::clean(pattern::unescape(source).as_bytes());
        let resolved = self.tree.resolve(&literal, true)?;
        if self.visible(&resolved)?.is_none() {
            return Err(self.missing(at, source, &literal));
        }
        self.add(at, &literal, matches)
    }

    /// Adds what a path gives. A symlink there is followed, within the source; one that leads nowhere gives nothing to a wildcard.
    fn add(&self, source: usize, found: &[u8], matches: &mut Vec<Match>) -> Result<(), Error> {
        let resolved = self.tree.resolve(found, true)?;
        let Some(node) = self.visible(&resolved)? else {
            return Ok(());
        };
        let name = path::split(found).1.to_vec();
        if node.meta.is_dir() {
            let below = self
                .walk(resolved.len() + usize::from(!resolved.is_empty()))
                .below(&resolved)?;
            let strip = resolved.len() + usize::from(!resolved.is_empty());
            let items = below
                .into_iter()
                .map(|(path, node)| Item {
                    to: path[strip..].to_vec(),
                    path,
                    node,
                })
                .collect();
            matches.push(Match {
                source,
                path: resolved,
                directory: true,
                top: Some(node.meta),
                items,
            });
        } else if !self.exclude.excludes(&self.exclude.matched_from_root(&name)) && node.meta.kind != Kind::Socket {
            let item = Item {
                path: resolved.clone(),
                to: name,
                node,
            };
            matches.push(Match {
                source,
                path: resolved,
                directory: false,
                top: None,
                items: vec![item],
            });
        } else {
            matches.push(Match {
                source,
                path: resolved,
                directory: false,
                top: None,
                items: Vec::new(),
            });
        }
        Ok(())
    }

    /// --parents: paths keep their directories, from the `/./` in the pattern on (else from the root).
    fn with_parents(&self, at: usize, source: &str, matches: &mut Vec<Match>) -> Result<(), Error> {
        let (pivot, rest) = source.split_once("/./").unwrap_or(("", source));
        let pivot = self
            .tree
            .resolve(&path::clean(pattern::unescape(pivot).as_bytes()), true)?;
        let strip = pivot.len() + usize::from(!pivot.is_empty());
        let found = if pattern::has_wildcard(rest) {
            self.expand_below(&pivot, rest, true)?
        } else {
            let literal = path::join(&pivot, &path::clean(pattern::unescape(rest).as_bytes()));
            if self.visible(&literal)?.is_none() {
                return Err(self.missing(at, source, &literal));
            }
            vec![literal]
        };
        let mut items: Vec<Item> = Vec::new();
        for path in found {
            self.add_with_parents(&path, strip, &mut items)?;
        }
        items.sort_by(|a, b| path::compare(&a.to, &b.to));
        items.dedup_by(|a, b| a.to == b.to);
        if !items.is_empty() {
            matches.push(Match {
                source: at,
                path: pivot,
                directory: true,
                top: None,
                items,
            });
        }
        Ok(())
    }

    fn add_with_parents(&self, found: &[u8], strip: usize, items: &mut Vec<Item>) -> Result<(), Error> {
        let Some(node) = self.visible(found)? else {
            return Ok(());
        };
        let parents = path::ancestors(found).filter(|parent| parent.len() > strip || strip == 0 && !parent.is_empty());
        for parent in parents {
            if let Some(node) = self.tree.stat(parent)? {
                items.push(Item {
                    path: parent.to_vec(),
                    to: parent[strip..].to_vec(),
                    node,
                });
            }
        }
        let walk = self.walk(strip);
        if !walk.selects(found, &node)? {
            return Ok(());
        }
        if node.meta.is_dir() {
            for (path, node) in walk.below(found)? {
                items.push(Item {
                    to: path[strip..].to_vec(),
                    path,
                    node,
                });
            }
        }
        if found.len() > strip || strip == 0 && !found.is_empty() {
            items.push(Item {
                path: found.to_vec(),
                to: found[strip..].to_vec(),
                node,
            });
        }
        Ok(())
    }

    /// Paths that match a pattern with wildcards, in order. Directories on the way that are symlinks are followed where they stand
    /// before the first wildcard, as Docker does.
    fn expand(&self, source: &str, deep: bool) -> Result<Vec<Vec<u8>>, Error> {
        let components: Vec<&str> = source
            .split('/')
            .filter(|name| !name.is_empty() && *name != ".")
            .collect();
        let plain = components
            .iter()
            .take_while(|name| !pattern::has_wildcard(name))
            .count();
        let prefix = pattern::unescape(&components[..plain].join("/"));
        let prefix = self.tree.resolve(&path::clean(prefix.as_bytes()), true)?;
        self.expand_below(&prefix, &components[plain..].join("/"), deep)
    }

    fn expand_below(&self, prefix: &[u8], source: &str, deep: bool) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = vec![prefix.to_vec()];
        let components: Vec<&str> = source
            .split('/')
            .filter(|name| !name.is_empty() && *name != ".")
            .collect();
        for (at, component) in components.iter().enumerate() {
            if deep && component.contains("**") {
                return self.expand_deep(found, &components[at..].join("/"));
            }
            let bad = || Error::user("COPY_FAILED", format!("\"{source}\" is no valid pattern"));
            let name_matches = pattern::go_match(component)
                .and_then(|text| pattern::compile(&text))
                .ok_or_else(bad)?;
            let mut next = Vec::new();
            for directory in found {
                if !self.visible(&directory)?.is_some_and(|node| node.meta.is_dir()) {
                    continue;
                }
                for (name, _) in self.tree.list(&directory)? {
                    let path = path::join(&directory, &name);
                    if name_matches.is_match(&name) && self.visible(&path)?.is_some() {
                        next.push(path);
                    }
                }
            }
            found = next;
        }
        Ok(found)
    }

    fn expand_deep(&self, directories: Vec<Vec<u8>>, rest: &str) -> Result<Vec<Vec<u8>>, Error> {
        let bad = || Error::user("COPY_FAILED", format!("\"{rest}\" is no valid pattern"));
        let matches = pattern::ignore_match(rest)
            .and_then(|text| pattern::compile(&text))
            .ok_or_else(bad)?;
        let mut found = Vec::new();
        for directory in directories {
            if !self.visible(&directory)?.is_some_and(|node| node.meta.is_dir()) {
                continue;
            }
            let strip = directory.len() + usize::from(!directory.is_empty());
            let below = self.walk(0).below(&directory)?.into_iter().map(|(path, _)| path);
            found.extend(below.filter(|path| matches.is_match(&path[strip..])));
        }
        Ok(found)
    }

    /// A walk under the source's ignore rules and --exclude, which does not see the first `strip` bytes of a path.
    fn walk(&self, strip: usize) -> Walk<'_, 's> {
        let mut filters = self.ignore_filter();
        if !self.exclude.is_empty() {
            filters.push(Filter {
                rules: &self.exclude,
                below: strip,
            });
        }
        Walk {
            tree: self.tree,
            filters,
        }
    }

    fn ignore_filter(&self) -> Vec<Filter<'_>> {
        match self.tree {
            Tree::Host { ignore, .. } if !ignore.is_empty() => vec![Filter {
                rules: ignore,
                below: 0,
            }],
            _ => Vec::new(),
        }
    }

    /// What stands at a path, unless the ignore rules take it. The root always stands.
    fn visible(&self, at: &[u8]) -> Result<Option<Node>, Error> {
        let Some(node) = self.tree.stat(at)? else {
            return Ok(None);
        };
        let walk = Walk {
            tree: self.tree,
            filters: self.ignore_filter(),
        };
        Ok((at.is_empty() || walk.filters.is_empty() || walk.selects(at, &node)?).then_some(node))
    }

    fn missing(&self, source: usize, written: &str, literal: &[u8]) -> Error {
        let ignored_by = match self.tree {
            Tree::Host { ignore, .. } if matches!(self.tree.stat(literal), Ok(Some(_))) => {
                ignore.excluding_line(&ignore.matched_from_root(literal))
            }
            _ => None,
        };
        let similar = if ignored_by.is_some() {
            Vec::new()
        } else {
            self.similar(literal)
        };
        let hint = similar.first().map(|name| format!("did you mean \"{name}\"?"));
        let message = format!("\"{written}\" is not in {}", self.tree.name());
        Error::SourceMissing(Box::new(SourceMissing {
            message,
            hint,
            source,
            ignored_by,
            similar,
        }))
    }

    /// Up to three names of the same directory that are nearly the missing one. Only a help: what cannot be listed gives none.
    fn similar(&self, literal: &[u8]) -> Vec<String> {
        let (parent, wanted) = path::split(literal);
        let wanted = path::show(wanted).to_lowercase();
        let mut near: Vec<(usize, String)> = Vec::new();
        for (name, _) in self.tree.list(parent).unwrap_or_default() {
            let path = path::join(parent, &name);
            let distance = distance(&wanted, &path::show(&name).to_lowercase());
            if distance <= 2.max(wanted.len() / 3) && matches!(self.visible(&path), Ok(Some(_))) {
                near.push((distance, path::show(&path)));
            }
        }
        near.sort();
        near.into_iter().take(3).map(|(_, name)| name).collect()
    }
}

/// Edits (insert, delete, replace a character) between two names; names are short, so the plain method does.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(path::MAX_NAME).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.chars().take(path::MAX_NAME).enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[right.len()]
}
