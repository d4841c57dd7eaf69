//! What a directory tree looked like at a moment, and what is not the same at a later one. A change of mode, owner or attributes shows in ctime,
//! another file under the same name in its inode and its birth.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags, statx};
use rustix::time::{ClockId, clock_gettime};

use crate::error::{Doing, Error};
use crate::index::path;
use crate::tree::host::{names, open_beneath};

/// Seconds and nanoseconds.
type Time = (i64, u32);

/// One file, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ident {
    device: (u32, u32),
    inode: u64,
    /// Inodes are used again at once: the birth tells.
    born: Time,
    /// Of the mode.
    kind: u32,
}

/// A path as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub ident: Ident,
    pub links: u32,
    changed: Time,
    /// What is left when only names came or went.
    rest: (Time, u64, u16, u32, u32),
}

impl Seen {
    pub fn is_directory(&self) -> bool {
        FileType::from_raw_mode(self.ident.kind) == FileType::Directory
    }
}

/// All paths of a tree, its root left out.
#[derive(Debug, Default)]
pub struct State(BTreeMap<Vec<u8>, Seen>);

/// What has become of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is there, other than before; for a directory that took the place of something `opaque`.
    There {
        opaque: bool,
    },
    Gone,
}

impl State {
    pub fn read(root: &OwnedFd) -> Result<Self, Error> {
        Ok(Self(walk(root, b"")?.into_iter().collect()))
    }

    /// All but the first name of each file that has several.
    pub fn further_names(&self) -> Vec<&[u8]> {
        let mut files = HashSet::new();
        let several = self.0.iter().filter(|(_, seen)| seen.links > 1);
        several
            .filter(|(_, seen)| !files.insert(seen.ident))
            .map(|(at, _)| at.as_slice())
            .collect()
    }

    /// Takes a path as it is now for what it was before: where we changed it and put it back. Nothing where it is not the same otherwise.
    pub fn refresh(&mut self, root: &OwnedFd, at: &[u8]) -> Result<(), Error> {
        let Some(was) = self.0.get_mut(at) else {
            return Ok(());
        };
        let (parent, name) = path::split(at);
        let Ok(parent) = open_beneath(root, parent, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) else {
            return Ok(());
        };
        let Ok(stat) = look(&parent, name) else {
            return Ok(());
        };
        let now = seen(&stat);
        if now.ident == was.ident && now.rest == was.rest {
            *was = now;
        }
        Ok(())
    }

    /// Waits until the clock of the filesystem has gone on since the newest change: what changes now gets another time.
    pub fn wait_for_the_clock(&self) {
        let newest = self.0.values().map(|seen| seen.changed).max().unwrap_or_default();
        // Ticks have 10 ms at most. A clock that was set back is not waited for.
        for _ in 0..40 {
            let now = clock_gettime(ClockId::RealtimeCoarse);
            if (now.tv_sec, now.tv_nsec as u32) > newest {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What a later state has other. Directories above a change are not in it.
    pub fn changes(&self, after: &Self) -> BTreeMap<Vec<u8>, Change> {
        let mut fresh: HashSet<&[u8]> = HashSet::new();
        let mut changes = BTreeMap::new();
        for (at, now) in &after.0 {
            let was = self.0.get(at);
            let same = was.is_some_and(|was| was.ident == now.ident);
            let in_fresh = fresh.contains(path::split(at).0);
            if now.is_directory() && (in_fresh || !same) {
                fresh.insert(at);
            }
            let is_unchanged = was == Some(now);
            if in_fresh || !is_unchanged {
                let opaque = now.is_directory() && was.is_some() && !same && !in_fresh;
                changes.insert(at.clone(), Change::There { opaque });
            }
        }
        for at in self.0.keys().filter(|at| !after.0.contains_key(*at)) {
            let parent = path::split(at).0;
            let is_there = parent.is_empty() || after.0.get(parent).is_some_and(Seen::is_directory);
            if is_there && !fresh.contains(parent) {
                changes.insert(at.clone(), Change::Gone);
            }
        }
        changes
    }
}

fn walk(root: &OwnedFd, at: &[u8]) -> Result<Vec<(Vec<u8>, Seen)>, Error> {
    let doing = || format!("list \"{}\" of a step", path::show(at));
    let directory = open_beneath(root, at, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).doing(doing)?;
    let names = names(&directory).doing(doing)?;
    let below = |name: &Vec<u8>| -> Result<Vec<(Vec<u8>, Seen)>, Error> {
        let here = path::join(at, name);
        path::check_length(&here)?;
        let stat = look(&directory, name).doing(|| format!("stat \"{}\" of a step", path::show(&here)))?;
        let found = seen(&stat);
        let mut all = if found.is_directory() {
            walk(root, &here)?
        } else {
            Vec::new()
        };
        all.push((here, found));
        Ok(all)
    };
    // Few names are quicker done than handed out.
    let parts: Vec<Vec<(Vec<u8>, Seen)>> = if names.len() < 16 {
        names.iter().map(below).collect::<Result<_, Error>>()?
    } else {
        names
            .par_iter()
            .with_min_len(8)
            .map(below)
            .collect::<Result<_, Error>>()?
    };
    Ok(parts.into_iter().flatten().collect())
}

fn look(directory: &OwnedFd, name: &[u8]) -> rustix::io::Result<Statx> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    statx(directory, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW, wanted)
}

fn seen(stat: &Statx) -> Seen {
    let time = |time: &rustix::fs::StatxTimestamp| (time.tv_sec, time.tv_nsec);
    let kind = FileType::from_raw_mode(stat.stx_mode.into());
    Seen {
        ident: Ident {
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            born: time(&stat.stx_btime),
            kind: kind.as_raw_mode(),
        },
        links: if kind == FileType::Directory { 1 } else { stat.stx_nlink },
        changed: time(&stat.stx_ctime),
        rest: (
            time(&stat.stx_mtime),
            if kind == FileType::Directory { 0 } else { stat.stx_size },
            stat.stx_mode,
            stat.stx_uid,
            stat.stx_gid,
        ),
    }
}
