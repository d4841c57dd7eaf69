//! A layer must not hold a secret: neither in its files, nor in names, targets of links and attributes.

use super::layout::Layout;
use crate::error::Error;
use crate::index::entry::{Entry, Kind};
use crate::index::path;
use crate::secret::{Candidate, Hit, Search, Trail};

/// Sees the pieces of a tar in order.
pub struct Watch<'a> {
    search: &'a Search,
    layout: &'a Layout,
    trail: Trail,
}

impl<'a> Watch<'a> {
    /// Looks at long paths at once: a header may have them in two parts.
    pub fn new(search: &'a Search, layout: &'a Layout) -> Result<Self, Error> {
        for entry in layout.items.iter().map(|item| &item.entry) {
            if entry.path.len() > LONG
                && let Some(hit) = search.find(&entry.path)?
            {
                return Err(leaked(entry, &hit, false));
            }
        }
        Ok(Self {
            search,
            layout,
            trail: Trail::default(),
        })
    }

    /// `candidates`: what was found in the piece alone.
    pub fn add(&mut self, piece: &[u8], candidates: &[Candidate]) -> Result<(), Error> {
        let layout = self.layout;
        let fetch = |range| Ok(layout.fill(range)?.bytes);
        match self.trail.add(self.search, piece, candidates, layout.length, &fetch)? {
            None => Ok(()),
            Some(hit) => {
                let entry = layout.entry_at(hit.at);
                let inside = entry.meta.kind == Kind::File && hit.at >= entry.offset;
                Err(leaked(entry, &hit, inside))
            }
        }
    }
}

/// What ustar holds in one field.
const LONG: usize = 100;

/// Says where a secret was found. The name may hold it itself: the builder masks what it shows.
pub fn leaked(entry: &Entry, hit: &Hit, inside: bool) -> Error {
    let (shown, id, how) = (path::show(&entry.path), &hit.id, hit.how);
    let place = match (inside, entry.meta.kind) {
        (true, _) => format!("\"/{shown}\" holds"),
        (false, Kind::Symlink) => format!("the name, the target or an attribute of \"/{shown}\" holds"),
        (false, _) => format!("the name or an attribute of \"/{shown}\" holds"),
    };
    Error::user("SECRET_LEAKED", format!("{place} the secret \"{id}\"{how}"))
}
