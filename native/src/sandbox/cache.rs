//! Cache mounts: directories of the store that outlive the build. Their names are digests: no id leads out of `mounts/`.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, RenameFlags, fchmod, openat, renameat_with};
use rustix::io::Errno;

use crate::caches::facts::{self, Facts};
use crate::caches::list;
use crate::context::RequestContext;
use crate::error::{Doing, Error};
use crate::lock::lock_file;
use crate::owner;
use crate::protocol::{SandboxMount, Sharing};
use crate::session::{DIRECTORY, Session};
use crate::store::make_directory;

/// How many containers may have a private one of the same name.
const MOST_PRIVATE: u32 = 1024;

/// The directory of a mount, made where it is missing, and its lock. `folders` gets those that are to go if something fails.
pub fn open(
    session: &Session,
    mount: &SandboxMount,
    folders: &mut Vec<String>,
    request: &RequestContext,
) -> Result<(OwnedFd, OwnedFd), Error> {
    let name = facts::name(mount.id.as_deref().unwrap_or(&mount.target), mount.variant.as_deref());
    let (name, held) = match mount.sharing.unwrap_or(Sharing::Shared) {
        // Held shared, so that a locked one waits for us too.
        sharing @ (Sharing::Shared | Sharing::Locked) => {
            let alone = sharing == Sharing::Locked;
            let held = lock_file(session, &list::lock_name(&name), alone, &request.cancel)?;
            (name, held)
        }
        Sharing::Private => private(session, &name)?,
    };
    let path = format!("mounts/{name}");
    let directory = match openat(session.store.root(), &path, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => {
            make(session, mount, &path, folders)?;
            openat(session.store.root(), &path, DIRECTORY, Mode::empty())
        }
        other => other,
    };
    let directory = directory.doing(|| "open a cache mount")?;
    facts::note(session, &name, Facts::of(mount))?;
    Ok((directory, held))
}

/// Made aside, so that nobody sees it half filled. Where another was faster, its one is taken.
fn make(session: &Session, mount: &SandboxMount, path: &str, folders: &mut Vec<String>) -> Result<(), Error> {
    let aside = session.temporary_name("cache");
    make_directory(session.temporary(), &aside)?;
    folders.push(aside.clone());
    let doing = || "make a cache mount";
    let directory = openat(session.temporary(), &aside, DIRECTORY, Mode::empty()).doing(doing)?;
    fchmod(&directory, Mode::from_raw_mode(0o755)).doing(doing)?;
    if let Some(seed) = &mount.seed {
        crate::copy::materialize::materialize(session, seed, &directory)?;
    }
    if mount.uid.is_some() || mount.gid.is_some() || mount.mode.is_some() {
        let owner = (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0));
        owner::give(&directory, owner, session.mode.emulates_ids()).doing(|| "give a cache mount its owner")?;
        fchmod(&directory, Mode::from_raw_mode(mount.mode.unwrap_or(0o755)))
            .doing(|| "set the mode of a cache mount")?;
    }
    let root = session.store.root();
    match renameat_with(session.temporary(), &aside, root, path, RenameFlags::NOREPLACE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).doing(doing),
    }
}

/// The first of the numbered ones that nobody uses.
fn private(session: &Session, name: &str) -> Result<(String, OwnedFd), Error> {
    for number in 0..MOST_PRIVATE {
        let numbered = if number == 0 {
            name.to_owned()
        } else {
            format!("{name}-{number}")
        };
        if let Some(held) = list::try_alone(session, &numbered)? {
            return Ok((numbered, held));
        }
    }
    Err(Error::user(
        "CACHE_MOUNT_INVALID",
        "all private copies of a cache mount are in use",
    ))
}
