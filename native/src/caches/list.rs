//! Which cache mounts there are, and how they go: by id at the beginning of a build without cache, by name when the store is pruned.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, major, minor, statat, unlinkat};
use rustix::io::Errno;

use super::usage;
use super::{facts, memory};
use crate::context::RequestContext;
use crate::error::{Doing, Error};
use crate::lock::{lock_file, try_lock_file};
use crate::protocol::{
    CacheMount, Empty, MountDiscardParams, MountFindParams, MountFindResult, MountListResult, MountPruneParams,
    MountPruneResult, StoreDiscardParams,
};
use crate::session::Session;
use crate::store_requests;

/// `mount.list`.
pub fn list(session: &Session, request: &RequestContext) -> Result<MountListResult, Error> {
    let locked = locked_inodes()?;
    let mut mounts = Vec::new();
    for name in names(session)? {
        request.cancel.check()?;
        let size = usage::measure(&session.store.folder("mounts")?, name.as_bytes(), &request.cancel)?;
        let facts = facts::read(session, &name)?;
        let (id, variant) = facts.clone().map(|facts| (facts.id, facts.variant)).unzip();
        mounts.push(CacheMount {
            id,
            variant: variant.flatten(),
            sharing: facts.as_ref().map(|facts| facts.sharing),
            created_ms: facts.as_ref().map(|facts| facts.created_ms),
            owner: facts.and_then(|facts| facts.owner),
            last_used_ms: facts::last_used(session, &name)?,
            in_use: is_locked(session, &name, &locked)?,
            bytes: size.bytes,
            files: size.files,
            name,
        });
    }
    Ok(MountListResult { mounts })
}

/// `mount.find`: whether there is such a cache.
pub fn find(session: &Session, params: &MountFindParams) -> Result<MountFindResult, Error> {
    let name = facts::name(&params.id, params.variant.as_deref());
    Ok(MountFindResult {
        found: is_there(session, &name)?,
    })
}

pub fn is_there(session: &Session, name: &str) -> Result<bool, Error> {
    match statat(
        session.store.root(),
        format!("mounts/{name}"),
        AtFlags::SYMLINK_NOFOLLOW,
    ) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error).doing(|| "look for a cache mount"),
    }
}

/// `mount.prune`: moves these out of the way. One that a step uses stays.
pub fn prune(session: &Session, params: &MountPruneParams) -> Result<MountPruneResult, Error> {
    let mut pruned = Vec::new();
    for name in &params.names {
        if !facts::is_name(name) {
            return Err(Error::internal(format!("\"{name}\" is no name of a cache mount")));
        }
        if let Some(_held) = try_alone(session, name)? {
            remove(session, name)?;
            pruned.push(name.clone());
        }
    }
    Ok(MountPruneResult { pruned })
}

/// `mount.discard`: moves all caches of these ids, whatever they began with, out of the way. Whoever uses one is waited for.
pub fn discard(session: &Session, params: &MountDiscardParams, request: &RequestContext) -> Result<Empty, Error> {
    let wanted: BTreeSet<String> = params.ids.iter().map(|id| facts::hex(id)).collect();
    for name in names(session)? {
        let of_id = name.split(['.', '-']).next().unwrap_or_default();
        if wanted.contains(of_id) {
            let _held = lock_file(session, &lock_name(&name), true, &request.cancel)?;
            remove(session, &name)?;
        }
    }
    Ok(Empty {})
}

/// The lock of a cache, held by everyone who looks into it.
pub fn lock_name(name: &str) -> String {
    format!("mount-{name}")
}

/// The lock for us alone, if nobody uses the cache.
pub fn try_alone(session: &Session, name: &str) -> Result<Option<OwnedFd>, Error> {
    try_lock_file(session, &lock_name(name))
}

/// Takes a cache away, its lock being held. Killed in between, facts without a mount stay: they say nothing, and the next of its name mends them.
pub fn remove(session: &Session, name: &str) -> Result<(), Error> {
    let paths = vec![format!("mounts/{name}")];
    store_requests::discard(session, StoreDiscardParams { paths, wait: None })?;
    for place in [facts::place(name), memory::place(name)] {
        match unlinkat(session.store.root(), place, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error).doing(|| "remove the facts of a cache mount"),
        }
    }
    Ok(())
}

/// Names of all caches, sorted.
pub fn names(session: &Session) -> Result<Vec<String>, Error> {
    let mut names = session.store.names("mounts")?;
    names.retain(|name| facts::is_name(name));
    names.sort_unstable();
    Ok(names)
}

/// `major:minor:inode` of all files that somebody has locked. Asking by a try would hold each lock for a moment, in the way of others.
fn locked_inodes() -> Result<BTreeSet<String>, Error> {
    let text = std::fs::read_to_string("/proc/locks").doing(|| "read /proc/locks")?;
    let of_line = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip_while(|field| *field != "FLOCK");
        fields.nth(4).map(str::to_owned)
    };
    Ok(text
        .lines()
        .filter(|line| !line.contains("->"))
        .filter_map(of_line)
        .collect())
}

fn is_locked(session: &Session, name: &str, locked: &BTreeSet<String>) -> Result<bool, Error> {
    let place = format!("locks/{}", lock_name(name));
    match statat(session.store.root(), place, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(locked.contains(&format!(
            "{:02x}:{:02x}:{}",
            major(stat.st_dev),
            minor(stat.st_dev),
            stat.st_ino
        ))),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error).doing(|| "stat the lock of a cache mount"),
    }
}
