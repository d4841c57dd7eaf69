//! Named locks between the processes that share a store: flocks on `locks/<name>`, freed by release or by our death.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use crate::context::{CancelToken, RequestContext, lock};
use crate::error::{Doing, Error};
use crate::protocol::{Empty, LockAcquireParams, LockAcquireResult, LockReleaseParams};
use crate::session::Session;

#[derive(Default)]
pub struct Locks {
    held: Mutex<BTreeMap<u64, OwnedFd>>,
    next: AtomicU64,
}

/// `lock.acquire`: waits until it is free, or the request is cancelled.
pub fn acquire(
    session: &Session,
    params: LockAcquireParams,
    request: &RequestContext,
) -> Result<LockAcquireResult, Error> {
    let file = lock_file(session, &params.name, params.exclusive, &request.cancel)?;
    let number = session.locks.next.fetch_add(1, Ordering::Relaxed) + 1;
    lock(&session.locks.held).insert(number, file);
    Ok(LockAcquireResult { lock: number })
}

/// `lock.release`.
pub fn release(session: &Session, params: LockReleaseParams) -> Result<Empty, Error> {
    let held = lock(&session.locks.held).remove(&params.lock);
    held.map(|_| Empty {})
        .ok_or_else(|| Error::internal(format!("lock {} is not held", params.lock)))
}

/// Holds `locks/<name>` as long as the descriptor lives. For use within the worker too.
pub fn lock_file(session: &Session, name: &str, exclusive: bool, cancel: &CancelToken) -> Result<OwnedFd, Error> {
    let file = open(session, name)?;
    wait(&file, exclusive, cancel).map(|()| file)
}

/// Holds it alone, if nobody else holds it now.
pub fn try_lock_file(session: &Session, name: &str) -> Result<Option<OwnedFd>, Error> {
    let file = open(session, name)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error).doing(|| format!("lock \"{name}\"")),
    }
}

/// The file of a lock, which nobody holds by that.
pub fn open(session: &Session, name: &str) -> Result<OwnedFd, Error> {
    check_name(name)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let place = format!("locks/{name}");
    openat(session.store.root(), place, flags, Mode::RUSR | Mode::WUSR).doing(|| format!("open lock \"{name}\""))
}

/// flock has no deadline and a cancel cannot interrupt it, so the wait is by trying: quickly at first, then ten times a second.
fn wait(file: &OwnedFd, exclusive: bool, cancel: &CancelToken) -> Result<(), Error> {
    let operation = if exclusive {
        FlockOperation::NonBlockingLockExclusive
    } else {
        FlockOperation::NonBlockingLockShared
    };
    let mut pause_ms = 1;
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(error).doing(|| "lock a file"),
        }
        cancel.check()?;
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        pause_ms = (pause_ms * 2).min(100);
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let good = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if good {
        Ok(())
    } else {
        Err(Error::internal(format!("\"{name}\" is no name of a lock")))
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        for (name, good) in [
            ("index", true),
            ("prune-1.x", true),
            ("", false),
            ("..", false),
            ("a/b", false),
            ("a\0", false),
        ] {
            assert_eq!(check_name(name).is_ok(), good, "{name:?}");
        }
    }
}
