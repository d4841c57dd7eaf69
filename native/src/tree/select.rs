//! The files that a COPY, an ADD or a bind mount names.

use super::ignore::Ignore;
use super::parents;
use super::pattern;
use super::similar::similar;
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
    /// A directory that was not selected itself, only something in it: where it lands on another, that one keeps its owner.
    pub carrier: bool,
}

/// What to select: the fields of the protocol's Selection that are no source.
pub struct Patterns<'a> {
    pub sources: &'a [String],
    pub exclude: &'a [String],
    pub parents: bool,
}

/// Selects. A pattern may match nothing; a path without wildcards must be there.
pub fn select(tree: &Tree<'_>, patterns: &Patterns<'_>) -> Result<Vec<Match>, Error> {
    let selector = Selector {
        tree,
        exclude: excludes(patterns.exclude)?,
    };
    let mut matches = Vec::new();
    for (at, source) in patterns.sources.iter().enumerate() {
        if patterns.parents {
            parents::select(&selector, at, source, &mut matches)?;
        } else {
            selector.source(at, source, &mut matches)?;
        }
    }
    Ok(matches)
}

/// Paths here never begin with a `/`, so a pattern that does matches nothing, as in BuildKit.
fn excludes(patterns: &[String]) -> Result<Ignore, Error> {
    let trimmed = patterns.iter().map(|pattern| pattern.trim());
    let kept = trimmed.filter(|pattern| !pattern.is_empty() && !pattern.trim_start_matches('!').starts_with('/'));
    let kept: Vec<String> = kept.map(str::to_owned).collect();
    if kept.iter().any(|pattern| pattern == "!") {
        return Err(Error::user("COPY_FAILED", "\"!\" is no valid exclude pattern")
            .hint("write what is not to be left out after it"));
    }
    Ignore::from_excludes(&kept)
}

pub struct Selector<'a, 's> {
    pub tree: &'a Tree<'s>,
    /// --exclude: it sees paths below what was named, never that itself.
    pub exclude: Ignore,
}

impl<'s> Selector<'_, 's> {
    fn source(&self, at: usize, written: &str, matches: &mut Vec<Match>) -> Result<(), Error> {
        let source = clean_pattern(written);
        if pattern::has_wildcard(&source) {
            for found in self.expand(at, &source)? {
                let resolved = self.tree.resolve(&found, true)?;
                let Some(node) = self.visible(&resolved)? else {
                    return Err(self.missing(at, &path::show(&found), &found));
                };
                matches.push(self.found(at, &found, resolved, node)?);
            }
            return Ok(());
        }
        // A `\` is a plain character where a file has that name, and quotes a wildcard's character elsewhere.
        let unescaped = pattern::unescape(&source);
        for literal in [source.as_bytes(), unescaped.as_bytes()] {
            let resolved = self.tree.resolve(literal, true)?;
            if let Some(node) = self.visible(&resolved)? {
                matches.push(self.found(at, literal, resolved, node)?);
                return Ok(());
            }
        }
        Err(self.missing(at, written, unescaped.as_bytes()))
    }

    /// What a path gives. `resolved` is the same path with its symlinks followed.
    pub fn found(&self, source: usize, named: &[u8], resolved: Vec<u8>, node: Node) -> Result<Match, Error> {
        if node.meta.is_dir() {
            let strip = resolved.len() + usize::from(!resolved.is_empty());
            return Ok(Match {
                source,
                items: self.below(&resolved, strip)?,
                path: resolved,
                directory: true,
                top: Some(node.meta),
            });
        }
        let item = Item {
            path: resolved.clone(),
            to: path::split(named).1.to_vec(),
            node,
            carrier: false,
        };
        Ok(Match {
            source,
            path: resolved,
            directory: false,
            top: None,
            items: vec![item],
        })
    }

    /// All that is selected below a directory; the first `strip` bytes of a path are no part of where it goes.
    pub fn below(&self, directory: &[u8], strip: usize) -> Result<Vec<Item>, Error> {
        let below = self.walk(strip).below(directory)?;
        Ok(below
            .into_iter()
            .map(|(path, node)| Item {
                to: path[strip..].to_vec(),
                carrier: node.meta.is_dir() && self.excluded(&path[strip..]),
                path,
                node,
            })
            .collect())
    }

    /// Whether --exclude leaves out a path, given as it stands below what was named.
    pub fn excluded(&self, below: &[u8]) -> bool {
        !self.exclude.is_empty() && self.exclude.excludes(&self.exclude.matched_from_root(below))
    }

    /// Paths that match a pattern with wildcards, in order. Directories on the way that are symlinks are followed where they stand
    /// before the first wildcard, as Docker does; what stands there must exist, whatever the wildcards match.
    pub fn expand(&self, at: usize, source: &str) -> Result<Vec<Vec<u8>>, Error> {
        let components: Vec<&str> = source.split('/').collect();
        let plain = components
            .iter()
            .take_while(|name| !pattern::has_wildcard(name))
            .count();
        let prefix = pattern::unescape(&components[..plain].join("/"));
        let top = self.tree.resolve(prefix.as_bytes(), true)?;
        if self.visible(&top)?.is_none() {
            return Err(self.missing(at, &prefix, prefix.as_bytes()));
        }
        let mut found = vec![top];
        for component in &components[plain..] {
            found = self.expand_name(&found, source, component)?;
        }
        Ok(found)
    }

    /// What a pattern for one name matches in some directories.
    pub fn expand_name(&self, directories: &[Vec<u8>], source: &str, name: &str) -> Result<Vec<Vec<u8>>, Error> {
        let bad = || Error::user("COPY_FAILED", format!("\"{source}\" is no valid pattern"));
        let matches = pattern::go_match(name)
            .and_then(|text| pattern::compile(&text))
            .ok_or_else(bad)?;
        let mut found = Vec::new();
        for directory in directories {
            if !self.visible(directory)?.is_some_and(|node| node.meta.is_dir()) {
                continue;
            }
            for (name, _) in self.tree.list(directory)? {
                let path = path::join(directory, &name);
                if matches.is_match(&name) && self.visible(&path)?.is_some() {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    /// A walk under the source's ignore rules and --exclude, which does not see the first `strip` bytes of a path.
    pub fn walk(&self, strip: usize) -> Walk<'_, 's> {
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

    /// A walk under the source's ignore rules alone.
    pub fn walk_all(&self) -> Walk<'_, 's> {
        Walk {
            tree: self.tree,
            filters: self.ignore_filter(),
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
    pub fn visible(&self, at: &[u8]) -> Result<Option<Node>, Error> {
        let Some(node) = self.tree.stat(at)? else {
            return Ok(None);
        };
        let walk = self.walk_all();
        Ok((at.is_empty() || walk.filters.is_empty() || walk.selects(at, &node)?).then_some(node))
    }

    /// The error for a source that is not there: with the ignore rule that took it, the symlink that leads nowhere, or what is near.
    pub fn missing(&self, source: usize, written: &str, literal: &[u8]) -> Error {
        let mut missing = SourceMissing {
            message: format!("\"{written}\" is not in {}", self.tree.name()),
            source,
            ..SourceMissing::default()
        };
        let target = self.tree.resolve(literal, true).unwrap_or_else(|_| literal.to_vec());
        if let Tree::Host { ignore, .. } = self.tree
            && matches!(self.tree.stat(&target), Ok(Some(_)))
        {
            missing.ignored_by = ignore.excluding_line(&ignore.matched_from_root(&target));
        } else if let Ok(Some(node)) = self.tree.stat(literal)
            && node.meta.kind == Kind::Symlink
        {
            let link = path::show(&node.meta.link);
            missing.hint = Some(format!("it is a symlink to \"{link}\", which is not there"));
        } else {
            missing.similar = similar(self, literal);
        }
        Error::SourceMissing(Box::new(missing))
    }
}

/// As Go's filepath.Clean does it, before any symlink is looked at: no `.`, no empty names, `..` takes the name before it and stops at
/// the root.
pub fn clean_pattern(pattern: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for name in pattern.split('/').filter(|name| !name.is_empty() && *name != ".") {
        if name == ".." {
            kept.pop();
        } else {
            kept.push(name);
        }
    }
    kept.join("/")
}
