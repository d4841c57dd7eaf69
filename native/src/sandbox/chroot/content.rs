//! Directories that are given to a program: copies, caches, empty ones.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fchmod, fstat, openat, readlinkat};

use crate::context::RequestContext;
use crate::error::{Doing, Error};
use crate::protocol::{SandboxMount, Sharing};
use crate::resolve::openat2;
use crate::session::Session;
use crate::snapshots::{clone, root as snapshots};

use super::super::cache;
use super::super::mounts::{Prepared, clean};
use super::super::target::find_part;
use super::places::{Home, Kind, Places};

/// An empty directory. Nothing limits its size.
pub fn empty(places: &mut Places<'_>, target: &str, mode: u32) -> Result<(), Error> {
    let (home, directory) = places.new_directory()?;
    fchmod(&directory, Mode::from_raw_mode(mode & 0o7777)).doing(|| "set the mode of a directory")?;
    places.put(target, &home)
}

/// A copy: that nothing be written to a read-only one cannot be enforced, but what is written is thrown away.
pub fn bind(session: &Session, places: &mut Places<'_>, mount: &SandboxMount, target: &str) -> Result<(), Error> {
    let source = mount.source.as_deref().map_or("/".to_owned(), clean);
    let (_held, whole) = match (&mount.chain, &mount.selection) {
        (Some(chain), None) => {
            let view = snapshots::view(session, &snapshots::named(session, chain))?;
            (None, view.try_clone().doing(|| "duplicate a descriptor")?)
        }
        (None, Some(selection)) => {
            let (home, folder) = places.new_directory()?;
            fchmod(&folder, Mode::from_raw_mode(0o755)).doing(|| "set the mode of a folder")?;
            crate::copy::materialize::materialize(session, selection, &folder)?;
            (Some(home), folder)
        }
        _ => return Err(Error::internal("a bind mount needs one of chain and selection")),
    };
    let part = find_part(&whole, &source, target)?;
    let stat = fstat(&part).doing(|| "stat what is bound")?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        let (home, directory) = places.new_directory()?;
        snapshots::copy_tree(&open(&part, OFlags::DIRECTORY)?, &directory)?;
        return places.put(target, &home);
    }
    let copy = |place: &super::places::Place| {
        let (parent, name) = at(&part)?;
        clone::leaf_as(&parent, &name, &place.parent, OsStr::new(&place.name), &stat)
            .doing(|| format!("copy to \"{target}\""))
    };
    places.fill(target, Kind::File, copy)
}

/// The cache's own directory, moved here and back: nobody else can have it meanwhile, however it is shared.
pub fn cache(
    prepared: &mut Prepared<'_>,
    places: &mut Places<'_>,
    mount: &SandboxMount,
    target: &str,
    request: &RequestContext,
) -> Result<(), Error> {
    let sharing = match mount.sharing {
        Some(Sharing::Private) => Sharing::Private,
        _ => Sharing::Locked,
    };
    let mount = SandboxMount {
        sharing: Some(sharing),
        ..mount.clone()
    };
    let (directory, held) = cache::open(prepared.session, &mount, &mut prepared.folders, request)?;
    prepared.held.push(held);
    let source = mount.source.as_deref().map_or("/".to_owned(), clean);
    let (parent, name) = at(&find_part(&directory, &source, target)?)?;
    let name = name
        .into_string()
        .map_err(|_| Error::user("UNSUPPORTED", "a cache's path is not UTF-8"))?;
    places.lend(target, Home { parent, name })
}

/// Opens again what was only found.
fn open(found: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Error> {
    openat(found, ".", OFlags::RDONLY | OFlags::CLOEXEC | flags, Mode::empty()).doing(|| "open a directory")
}

/// The directory that holds an open file of the store, and its name there: the store's own paths have no symlinks.
fn at(found: &OwnedFd) -> Result<(OwnedFd, std::ffi::OsString), Error> {
    use std::os::fd::AsRawFd as _;
    let doing = || "read the name of a file";
    let path = readlinkat(CWD, format!("/proc/self/fd/{}", found.as_raw_fd()), Vec::new()).doing(doing)?;
    let path = std::path::Path::new(OsStr::from_bytes(path.to_bytes()));
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::internal("a file of the store has no name"));
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS;
    let parent = openat2(CWD, parent, flags, Mode::empty(), resolve).doing(|| "open a directory of the store")?;
    Ok((parent, name.to_owned()))
}
