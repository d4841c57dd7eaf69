//! Paths inside a tree: relative bytes without `/` at either end; empty is the root.

use std::cmp::Ordering;

use crate::error::Error;

/// Longest path that we handle, in bytes: the kernel's PATH_MAX without its NUL.
pub const MAX_PATH: usize = 4095;
/// Longest name in a directory, in bytes.
pub const MAX_NAME: usize = 255;

/// Refuses what a program made deeper than any path can lead.
pub fn check_length(path: &[u8]) -> Result<(), Error> {
    if path.len() <= MAX_PATH {
        return Ok(());
    }
    let message = format!(
        "\"{}…\" is the beginning of a path of more than {MAX_PATH} bytes",
        show(&path[..BEGINNING])
    );
    Err(Error::user("UNSUPPORTED", message)
        .hint("make fewer directories in each other, or remove them before the step ends"))
}

/// How much of a path is shown that is too long.
const BEGINNING: usize = 60;

/// Orders paths as a walk of sorted directories meets them: a directory, then all that is below it, then its next sibling.
pub fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let common = shared(left, right);
    let differs = left[common..].iter().zip(&right[common..]).position(|(a, b)| a != b);
    let differs = differs.map(|at| common + at);
    match differs {
        None => left.len().cmp(&right.len()),
        Some(at) => match (left[at], right[at]) {
            (b'/', _) => Ordering::Less,
            (_, b'/') => Ordering::Greater,
            (a, b) => a.cmp(&b),
        },
    }
}

/// Bytes at the beginning that two paths surely share: in steps, since those of an archive can share thousands.
fn shared(left: &[u8], right: &[u8]) -> usize {
    let mut common = 0;
    for step in [512, 32] {
        let (left, right) = (&left[common..], &right[common..]);
        let steps = left.chunks_exact(step).zip(right.chunks_exact(step));
        common += steps.take_while(|(left, right)| left == right).count() * step;
    }
    common
}

/// Paths in the order of a walk, so that what is below a directory is one run of a map.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub Vec<u8>);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `parent/name`, or `name` in the root.
pub fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() || name.is_empty() {
        return [parent, name].concat();
    }
    let mut path = Vec::with_capacity(parent.len() + 1 + name.len());
    path.extend_from_slice(parent);
    path.push(b'/');
    path.extend_from_slice(name);
    path
}

/// Directory and last name; the root has neither.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&path[..0], path),
    }
}

/// Names of a path, `.` and empty ones left out. `..` is kept.
pub fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
}

/// Makes any path relative to the root, as if the root were `/`: `..` does not lead out of it.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in names(path) {
        if name == b".." {
            kept.pop();
        } else {
            kept.push(name);
        }
    }
    kept.join(&b'/')
}

/// Whether `path` is below directory `parent` (not the directory itself).
pub fn is_below(path: &[u8], parent: &[u8]) -> bool {
    parent.is_empty() && !path.is_empty()
        || path.len() > parent.len() && path.starts_with(parent) && path[parent.len()] == b'/'
}

/// The directories above a path, the root left out, outermost first.
pub fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| &path[..at])
}

/// For messages.
pub fn show(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
pub mod tests {
    use std::fs::File;
    use std::os::fd::OwnedFd;

    use rustix::fs::{Mode, mkdirat};
    use tempfile::TempDir;

    use super::*;
    use crate::session::DIRECTORY;

    /// A directory with directories in each other as a program makes them that changes into each: no path leads to the last ones.
    pub fn too_deep() -> (TempDir, OwnedFd) {
        let folder = tempfile::tempdir().unwrap();
        let top = OwnedFd::from(File::open(folder.path()).unwrap());
        let (name, mut at) = ("d".repeat(MAX_NAME), top.try_clone().unwrap());
        for _ in 0..=MAX_PATH / MAX_NAME {
            mkdirat(&at, &name, Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, &name, DIRECTORY, Mode::empty()).unwrap();
        }
        (folder, top)
    }

    #[test]
    fn what_is_below_a_directory_follows_it() {
        let mut paths: Vec<&[u8]> = vec![b"a-b", b"a/x", b"a", b"", b"a/x/y", b"a.", b"a/w"];
        paths.sort_by(|a, b| compare(a, b));
        let wanted: Vec<&[u8]> = vec![b"", b"a", b"a/w", b"a/x", b"a/x/y", b"a-b", b"a."];
        assert_eq!(paths, wanted);
    }

    #[test]
    fn long_paths_are_compared_as_short_ones() {
        for length in [0, 30, 31, 32, 33, 63, 64, 100, 511, 512, 513, 1200] {
            let (long, same) = (vec![b'd'; length], vec![b'd'; length]);
            assert_eq!(compare(&long, &same), Ordering::Equal);
            assert_eq!(
                compare(&[&long[..], b"/z"].concat(), &[&long[..], b"-a"].concat()),
                Ordering::Less
            );
            assert_eq!(
                compare(&[&long[..], b"b"].concat(), &[&long[..], b"a"].concat()),
                Ordering::Greater
            );
            assert_eq!(compare(&long, &[&long[..], b"a"].concat()), Ordering::Less);
        }
    }

    #[test]
    fn cleaned_paths_stay_in_the_root() {
        for (given, wanted) in [
            ("/a//b/", "a/b"),
            ("../../x", "x"),
            ("a/../..", ""),
            ("./a/./b", "a/b"),
            ("/", ""),
            ("a/../b", "b"),
        ] {
            assert_eq!(show(&clean(given.as_bytes())), wanted, "{given}");
        }
    }
}
