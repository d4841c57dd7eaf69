//! Walks a source below a directory, filtered by ignore rules, subdirectories side by side.

use rayon::prelude::*;

use super::ignore::{Ignore, Matched};
use super::source::{Node, Tree};
use crate::error::Error;
use crate::index::path;

/// Rules, and how much of a path (and the `/` after it) they do not see.
pub struct Filter<'a> {
    pub rules: &'a Ignore,
    pub below: usize,
}

/// Ignore rules of the source and exclude patterns, each relative to its own root.
pub struct Walk<'a, 's> {
    pub tree: &'a Tree<'s>,
    pub filters: Vec<Filter<'a>>,
}

/// What has matched in the filters so far, one for each.
type State = Vec<Matched>;

impl<'a, 's> Walk<'a, 's> {
    /// All that is selected below a directory, in the order of a walk; the directory itself left out.
    pub fn below(&self, directory: &[u8]) -> Result<Vec<(Vec<u8>, Node)>, Error> {
        let state = self.state(directory);
        self.walk(directory, &state)
    }

    /// Whether a path itself is selected: for a directory also because of something in it.
    pub fn selects(&self, at: &[u8], node: &Node) -> Result<bool, Error> {
        let state = self.state(at);
        if !self.excluded(&state) {
            return Ok(true);
        }
        let enter = node.meta.is_dir() && self.may_include_below(at, &state);
        Ok(enter && !self.walk(at, &state)?.is_empty())
    }

    fn state(&self, at: &[u8]) -> State {
        self.filters
            .iter()
            .map(|filter| filter.rules.matched_from_root(filter.seen(at)))
            .collect()
    }

    fn walk(&self, directory: &[u8], state: &State) -> Result<Vec<(Vec<u8>, Node)>, Error> {
        let list = match self.tree.list(directory) {
            // It is left out, and was entered only because a rule could have brought something back: what may not be read stays out.
            Err(error) if error.code() == "COPY_FAILED" && self.excluded(state) => return Ok(Vec::new()),
            list => list?,
        };
        let paths = list
            .into_iter()
            .map(|(name, node)| (path::join(directory, &name), node));
        if self.filters.is_empty() {
            return self.gather(paths.map(|(at, node)| (at, node, State::new(), true)).collect());
        }
        let mut entries = Vec::new();
        for (at, node) in paths {
            let next: State = self
                .filters
                .iter()
                .zip(state)
                .map(|(filter, state)| filter.rules.matched(state, filter.seen(&at)))
                .collect();
            let kept = !self.excluded(&next);
            if kept || node.meta.is_dir() && self.may_include_below(&at, &next) {
                entries.push((at, node, next, kept));
            }
        }
        self.gather(entries)
    }

    /// Joins the entries of a directory with what is below them.
    fn gather(&self, entries: Vec<(Vec<u8>, Node, State, bool)>) -> Result<Vec<(Vec<u8>, Node)>, Error> {
        let below = |(at, node, state, _): &(Vec<u8>, Node, State, bool)| {
            if node.meta.is_dir() {
                self.walk(at, state)
            } else {
                Ok(Vec::new())
            }
        };
        let directories = entries.iter().filter(|(_, node, ..)| node.meta.is_dir()).count();
        let subtrees: Vec<_> = if directories > 1 {
            let directories: Vec<_> = entries.iter().filter(|(_, node, ..)| node.meta.is_dir()).collect();
            directories.into_par_iter().map(below).collect::<Result<_, Error>>()?
        } else {
            entries
                .iter()
                .filter(|(_, node, ..)| node.meta.is_dir())
                .map(below)
                .collect::<Result<_, Error>>()?
        };
        let mut subtrees = subtrees.into_iter();
        let mut all = Vec::with_capacity(entries.len());
        for (at, node, _, kept) in entries {
            let below = if node.meta.is_dir() {
                subtrees.next().unwrap_or_default()
            } else {
                Vec::new()
            };
            // An excluded directory is there only for what a later rule has brought back in it.
            if kept || !below.is_empty() {
                all.push((at, node));
                all.extend(below);
            }
        }
        Ok(all)
    }

    fn excluded(&self, state: &State) -> bool {
        self.filters
            .iter()
            .zip(state)
            .any(|(filter, matched)| filter.rules.excludes(matched))
    }

    fn may_include_below(&self, at: &[u8], state: &State) -> bool {
        self.filters.iter().zip(state).all(|(filter, matched)| {
            !filter.rules.excludes(matched) || filter.rules.may_include_below(matched, filter.seen(at))
        })
    }
}

impl Filter<'_> {
    fn seen<'p>(&self, at: &'p [u8]) -> &'p [u8] {
        at.get(self.below..).unwrap_or_default()
    }
}
