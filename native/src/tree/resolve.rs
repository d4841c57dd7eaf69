//! Symlinks inside a tree, followed as if its root were `/`.

use crate::error::Error;
use crate::index::path;

/// Symlinks that may be met on one path: the kernel's own limit.
const MAX_LINKS: usize = 40;

/// Gives the target of the symlink at a path, or None for anything else (or nothing) there.
pub type Readlink<'a> = dyn FnMut(&[u8]) -> Result<Option<Vec<u8>>, Error> + 'a;

/// Follows symlinks in all components, the last one only if `follow_last`. What does not exist is taken as it is written. The result
/// has no symlink on its way and lies in the root.
pub fn resolve(readlink: &mut Readlink<'_>, given: &[u8], follow_last: bool) -> Result<Vec<u8>, Error> {
    let mut todo: Vec<Vec<u8>> = path::names(given).rev().map(<[u8]>::to_vec).collect();
    let mut done: Vec<u8> = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == b".." {
            done.truncate(path::split(&done).0.len());
            continue;
        }
        let next = path::join(&done, &name);
        let target = if follow_last || !todo.is_empty() {
            readlink(&next)?
        } else {
            None
        };
        let Some(target) = target else {
            done = next;
            continue;
        };
        links += 1;
        if links > MAX_LINKS || target.len() > path::MAX_PATH {
            return Err(Error::user(
                "COPY_FAILED",
                format!("\"{}\" leads through too many symlinks", path::show(given)),
            ));
        }
        if target.first() == Some(&b'/') {
            done.clear();
        }
        todo.extend(path::names(&target).rev().map(<[u8]>::to_vec));
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn links_stay_in_the_root() {
        let links = HashMap::from([
            ("abs", "/etc/x"),
            ("rel", "../../up"),
            ("d/l", "m"),
            ("d/m", "../e"),
            ("last", "gone/away"),
            ("loop", "loop"),
        ]);
        let mut readlink = |at: &[u8]| {
            Ok(links
                .get(path::show(at).as_str())
                .map(|target| target.as_bytes().to_vec()))
        };
        for (given, follow, wanted) in [
            ("abs", true, "etc/x"),
            ("abs", false, "abs"),
            ("abs/y", false, "etc/x/y"),
            ("rel", true, "up"),
            ("d/l/z", true, "e/z"),
            ("last", true, "gone/away"),
            ("/../a/./b", true, "a/b"),
            ("d/l/..", true, ""),
        ] {
            assert_eq!(
                path::show(&resolve(&mut readlink, given.as_bytes(), follow).unwrap()),
                wanted,
                "{given}"
            );
        }
        assert_eq!(resolve(&mut readlink, b"loop", true).unwrap_err().code(), "COPY_FAILED");
    }
}
