//! Writes what a step changed in its own directory as a snapshot, in the form that an overlay's upper directory has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, XattrFlags, linkat, mkdirat, statat};

use super::clone;
use super::state::Change;
use crate::error::{Doing, Error};
use crate::index::path;
use crate::layer::marks;
use crate::tree::host::open_beneath;

/// What stands in the snapshot: the changes, and the directories above them.
pub fn paths(changes: &BTreeMap<Vec<u8>, Change>) -> BTreeSet<&[u8]> {
    changes
        .keys()
        .flat_map(|at| path::ancestors(at).chain([at.as_slice()]))
        .collect()
}

/// Files are copied, as the next step goes on in the same directory.
pub fn write(
    root: &OwnedFd,
    changes: &BTreeMap<Vec<u8>, Change>,
    upper: &OwnedFd,
    mark: &'static [u8],
) -> Result<(), Error> {
    let writer = Writer { root, upper, mark };
    let mut directories = Vec::new();
    let (mut single, mut linked) = (Vec::new(), Vec::new());
    for at in paths(changes) {
        if changes.get(at) == Some(&Change::Gone) {
            writer.whiteout(at)?;
            continue;
        }
        let stat = writer.stat(at)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                writer.make_directory(at)?;
                let opaque = changes.get(at) == Some(&Change::There { opaque: true });
                directories.push((at, stat, opaque));
            }
            _ if stat.st_nlink > 1 => linked.push((at, stat)),
            _ => single.push((at, stat)),
        }
    }
    single
        .par_iter()
        .with_min_len(16)
        .try_for_each(|(at, stat)| writer.leaf(at, stat))?;
    writer.linked(&linked)?;
    // A directory's time changes with every child, so the deepest come first and the children are all there.
    let mut deepest_first = directories.iter().rev();
    deepest_first.try_for_each(|(at, stat, opaque)| writer.finish(at, stat, *opaque))
}

struct Writer<'a> {
    root: &'a OwnedFd,
    upper: &'a OwnedFd,
    mark: &'static [u8],
}

impl Writer<'_> {
    fn stat(&self, at: &[u8]) -> Result<Stat, Error> {
        let (parent, name) = path::split(at);
        let parent = open(self.root, parent)?;
        statat(parent, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW).doing(|| doing("stat", at))
    }

    fn whiteout(&self, at: &[u8]) -> Result<(), Error> {
        let (parent, name) = path::split(at);
        marks::make_whiteout(open(self.upper, parent)?, name, self.mark).doing(|| doing("make a whiteout of", at))
    }

    fn make_directory(&self, at: &[u8]) -> Result<(), Error> {
        let (parent, name) = path::split(at);
        let parent = open(self.upper, parent)?;
        mkdirat(parent, OsStr::from_bytes(name), Mode::RWXU).doing(|| doing("make", at))
    }

    fn leaf(&self, at: &[u8], stat: &Stat) -> Result<(), Error> {
        let (parent, name) = path::split(at);
        let (from, to) = (open(self.root, parent)?, open(self.upper, parent)?);
        clone::leaf(&from, &to, OsStr::from_bytes(name), stat).doing(|| doing("copy", at))
    }

    fn linked(&self, files: &[(&[u8], Stat)]) -> Result<(), Error> {
        let mut first: HashMap<(u64, u64), &[u8]> = HashMap::new();
        for &(at, ref stat) in files {
            let Some(other) = first.get(&(stat.st_dev, stat.st_ino)) else {
                self.leaf(at, stat)?;
                first.insert((stat.st_dev, stat.st_ino), at);
                continue;
            };
            let ((from_parent, from), (to_parent, to)) = (path::split(other), path::split(at));
            let (from_parent, to_parent) = (open(self.upper, from_parent)?, open(self.upper, to_parent)?);
            let (from, to) = (OsStr::from_bytes(from), OsStr::from_bytes(to));
            linkat(from_parent, from, to_parent, to, AtFlags::empty()).doing(|| doing("link", at))?;
        }
        Ok(())
    }

    fn finish(&self, at: &[u8], stat: &Stat, opaque: bool) -> Result<(), Error> {
        let (from, to) = (open(self.root, at)?, open(self.upper, at)?);
        if opaque {
            rustix::fs::fsetxattr(&to, self.mark, b"y", XattrFlags::empty()).doing(|| doing("mark", at))?;
        }
        clone::attributes(&from, &to, stat).doing(|| doing("set the attributes of", at))
    }
}

fn open(root: &OwnedFd, at: &[u8]) -> Result<OwnedFd, Error> {
    open_beneath(root, at, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).doing(|| doing("open", at))
}

fn doing(what: &str, at: &[u8]) -> String {
    format!("{what} \"{}\" of a step", path::show(at))
}
