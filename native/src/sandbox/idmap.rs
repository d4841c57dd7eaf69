//! Containers of root in a user namespace. Their ids, 0 to 2^31 - 1, are others on the machine: nothing that runs there is the machine's root or
//! any user of it. On disk and in layers the ids stay the image's own, as what a container sees is mounted with its ids shifted (idmapped mounts):
//! nothing needs chown.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chownat, fstat, mkdirat, openat, readlinkat, statat,
    unlinkat,
};
use rustix::mount::{UnmountFlags, unmount};
use rustix::thread::{CapabilitySets, capabilities, set_capabilities};

use crate::error::{Doing, Error};
use crate::overlay::{self, Parts};
use crate::protocol::{Mode as Rung, SandboxMount, SandboxParams, Snapshotter, Userns};
use crate::resolve::openat2;
use crate::session::{DIRECTORY, Session};
use crate::store::make_directory;
use crate::syscalls;

use super::keeper::Keeper;
use super::root::{copy, hang};
use super::security::Security;

/// What the image's root is. The range ends below 2^32 - 1, which is no id, and begins where the ids of users end.
pub const FIRST: u32 = 0x7FFF_FFFF;
/// As many as an image may use: USER takes no higher one either.
pub const COUNT: u32 = 0x8000_0000;

/// Whether an id of the machine is one of a container's.
pub fn is_mapped(id: u32) -> bool {
    (FIRST..=FIRST + (COUNT - 1)).contains(&id)
}

/// An id of the image, as the machine has it.
pub fn shifted(id: u32) -> u32 {
    FIRST + id.min(COUNT - 1)
}

/// The user namespace of all containers of a session, and how mounts get its ids.
pub struct Idmap {
    pub keeper: Arc<Keeper>,
    way: Way,
}

/// How a directory of the store becomes a layer with other ids.
enum Way {
    /// The whole store has them on one mount, in which its directories are found again: a mount for each layer would have to be taken down
    /// again, and the kernel lets all processors pass by for that.
    Store(StoreMount),
    /// Where the kernel takes no detached mounts as layers (before 6.15): a mount for each, in a place to hang it on.
    Hung(String),
}

/// A detached mount of the store.
struct StoreMount {
    mount: OwnedFd,
    path: PathBuf,
}

impl Idmap {
    /// Found by trying: `Err` says what is in the way.
    pub fn find(session: &Session, wanted: Userns) -> Result<Self, String> {
        match (wanted, session.mode, session.snapshotter) {
            (Userns::Host, ..) => return Err("--userns=host asks for the machine's ids".to_owned()),
            (_, Rung::Root, Snapshotter::Overlay) => {}
            (_, Rung::Root, _) => return Err("snapshots are not overlays of the kernel".to_owned()),
            _ => return Err("cooper itself has no other ids to give".to_owned()),
        }
        let keeper = Arc::new(Keeper::start().map_err(|error| error.to_string())?);
        let tried = |way: Result<Way, Error>| {
            let keeper = Arc::clone(&keeper);
            let idmap = Self { keeper, way: way? };
            idmap.try_overlay(session).map(|()| idmap)
        };
        tried(StoreMount::new(session, &keeper).map(Way::Store)).or_else(|detached| {
            tried(session.staging().map(Way::Hung))
                .map_err(|_| format!("overlays with other ids do not work: {detached}"))
        })
    }

    /// Gives a detached mount (or a tree of them) the ids of containers.
    pub fn apply(&self, mount: BorrowedFd<'_>, recursive: bool) -> std::io::Result<()> {
        syscalls::set_idmap(mount, self.keeper.namespace(), recursive)
    }

    /// A detached copy of an open place with the ids of containers.
    pub fn copy(&self, place: BorrowedFd<'_>, recursive: bool) -> std::io::Result<OwnedFd> {
        let own = copy(place, recursive)?;
        self.apply(own.as_fd(), recursive)?;
        Ok(own)
    }

    /// An overlay whose layers have the ids of containers. `upper` is a folder with `fs` and `work`. The kernel writes to the layers as who made
    /// the mount, so that is the containers' root, with the rights of the machine's: else the mount is silently read-only.
    pub fn mount_overlay(
        &self,
        snapshotter: Snapshotter,
        lowers: &[OwnedFd],
        upper: Option<BorrowedFd<'_>>,
        temporary: BorrowedFd<'_>,
    ) -> Result<OwnedFd, Error> {
        let lowers = lowers
            .iter()
            .map(|lower| self.layer(lower.as_fd()))
            .collect::<Result<Vec<_>, _>>()?;
        let upper = upper.map(|folder| self.layer(folder)).transpose()?;
        let open = |folder: &Layer, name: &str| {
            openat(&folder.mount, name, DIRECTORY, Mode::empty()).doing(|| "open a snapshot with other ids")
        };
        let directories = upper
            .as_ref()
            .map(|folder| Ok::<_, Error>((open(folder, "fs")?, open(folder, "work")?)))
            .transpose()?;
        let plain = lowers.iter().map(|layer| layer.mount.try_clone());
        let plain = plain
            .collect::<Result<Vec<_>, _>>()
            .doing(|| "duplicate a descriptor")?;
        as_their_root(|| {
            overlay::mount(&Parts {
                snapshotter,
                lowers: &plain,
                upper: directories.as_ref().map(|(files, work)| (files.as_fd(), work.as_fd())),
                temporary,
            })
        })
    }

    fn layer(&self, directory: BorrowedFd<'_>) -> Result<Layer, Error> {
        let doing = || "give a layer other ids";
        let staging = match &self.way {
            Way::Store(store) => match store.find(directory)? {
                Some(mount) => return Ok(Layer { mount, hangs: false }),
                None => None,
            },
            Way::Hung(staging) => Some(staging),
        };
        let mount = self.copy(directory, false).doing(doing)?;
        if let Some(staging) = staging {
            hang(mount.as_fd(), staging).doing(doing)?;
        }
        let hangs = staging.is_some();
        Ok(Layer { mount, hangs })
    }

    /// By writing: a mount that shows the files may still refuse, or write with other ids than the image's.
    fn try_overlay(&self, session: &Session) -> Result<(), Error> {
        let name = session.temporary_name("ids");
        let tried = self.try_overlay_in(session, &name);
        session.discard_temporary(&name)?;
        tried
    }

    fn try_overlay_in(&self, session: &Session, name: &str) -> Result<(), Error> {
        let doing = || "try an overlay with other ids";
        let open = |name: &str| -> Result<OwnedFd, Error> {
            make_directory(session.temporary(), name)?;
            openat(session.temporary(), name, DIRECTORY, Mode::empty()).doing(doing)
        };
        let folder = open(name)?;
        let [files, _, base, middle] = ["fs", "work", "base", "middle"].map(|part| open(&format!("{name}/{part}")));
        let (files, lowers) = (files?, [base?, middle?]);
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(&lowers[0], "old", new, Mode::RUSR).doing(doing)?;
        mkdirat(&lowers[0], "changed", Mode::RWXU).doing(doing)?;
        let temporary = session.temporary();
        let mount = self.mount_overlay(session.snapshotter, &lowers, Some(folder.as_fd()), temporary)?;
        as_their_root(|| {
            openat(&mount, "new", new, Mode::RUSR).doing(doing)?;
            unlinkat(&mount, "old", AtFlags::empty()).doing(doing)?;
            let (uid, gid) = (Uid::from_raw(shifted(5)), Gid::from_raw(shifted(COUNT - 1)));
            chownat(&mount, "changed", Some(uid), Some(gid), AtFlags::empty()).doing(doing)
        })?;
        let owner = |directory: &OwnedFd, name: &str| {
            let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).doing(doing)?;
            Ok::<_, Error>((FileType::from_raw_mode(stat.st_mode), stat.st_uid, stat.st_gid))
        };
        let found = [
            owner(&files, "new")?,
            owner(&files, "old")?,
            owner(&files, "changed")?,
            owner(&mount, "new")?,
        ];
        let want = [
            (FileType::RegularFile, 0, 0),
            (FileType::CharacterDevice, 0, 0),
            (FileType::Directory, 5, COUNT - 1),
            (FileType::RegularFile, FIRST, FIRST),
        ];
        // A whiteout may be a link to one that was made before: its owner is nobody's business.
        let same = |(found, want): (&(FileType, u32, u32), &(FileType, u32, u32))| {
            found == want || found.0 == FileType::CharacterDevice && found.0 == want.0
        };
        if found.iter().zip(&want).all(same) {
            Ok(())
        } else {
            Err(Error::internal("what is written gets other ids than the image's"))
        }
    }
}

impl StoreMount {
    fn new(session: &Session, keeper: &Keeper) -> Result<Self, Error> {
        let doing = || "give the store other ids";
        let path = session.store.path().to_owned();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let store = openat(CWD, &path, flags, Mode::empty()).doing(doing)?;
        let mount = copy(store.as_fd(), false).doing(doing)?;
        syscalls::set_idmap(mount.as_fd(), keeper.namespace(), false).doing(doing)?;
        Ok(Self { mount, path })
    }

    /// The same directory by this mount; `None` for what lies elsewhere, or on a filesystem that is mounted within the store.
    fn find(&self, directory: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Error> {
        let doing = || "find a layer in the store";
        let name = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let place = readlinkat(CWD, name, Vec::new()).doing(doing)?;
        let place = Path::new(OsStr::from_bytes(place.to_bytes()));
        let Ok(within) = place.strip_prefix(&self.path) else {
            return Ok(None);
        };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let found = match openat2(&self.mount, within, DIRECTORY, Mode::empty(), resolve) {
            Ok(found) => found,
            // Moved or removed meanwhile: its descriptor is good all the same.
            Err(_) => return Ok(None),
        };
        let (asked, there) = (fstat(directory).doing(doing)?, fstat(&found).doing(doing)?);
        let same = (asked.st_dev, asked.st_ino) == (there.st_dev, there.st_ino);
        Ok(same.then_some(found))
    }
}

/// A layer's directory on a mount with other ids. The overlay has a copy of that mount: one that hangs goes.
struct Layer {
    mount: OwnedFd,
    hangs: bool,
}

impl Drop for Layer {
    fn drop(&mut self) {
        if self.hangs {
            let place = format!("/proc/self/fd/{}", self.mount.as_raw_fd());
            if let Err(error) = unmount(place, UnmountFlags::DETACH) {
                eprintln!("cooper-worker: unmount a layer: {error}");
            }
        }
    }
}

/// On a thread that lives only for that: its files are the containers' root's.
fn as_their_root<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let doing = || "take the ids of containers";
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("ids".to_owned())
            .spawn_scoped(scope, move || {
                syscalls::set_fs_ids(FIRST, FIRST).doing(doing)?;
                // The change took those rights away that root has to files.
                let sets = capabilities(None).doing(doing)?;
                let effective = sets.permitted;
                set_capabilities(None, CapabilitySets { effective, ..sets }).doing(doing)?;
                work()
            });
        let thread = thread.doing(|| "start a thread")?;
        thread
            .join()
            .map_err(|_| Error::internal("a thread with the ids of containers panicked"))?
    })
}

/// The ids for one container; `None` is the machine's. Who was given rights or devices of the machine has its ids, for else they would be worth
/// nothing; so has one with a directory of the user's that cannot be mounted with others, which is said.
pub fn of_container<'a>(
    session: &'a Session,
    params: &SandboxParams,
    warn: impl Fn(String) -> Result<(), Error>,
) -> Result<Option<&'a Idmap>, Error> {
    if params.insecure.unwrap_or(false) || params.devices.is_some() || Security::is_opened(params)? {
        return Ok(None);
    }
    let Some(idmap) = session.idmap() else {
        return Ok(None);
    };
    for mount in &params.mounts {
        if let Some(reason) = refusal(session, idmap, mount)? {
            warn(format!(
                "the container has the machine's ids: \"{}\" can't be mounted with others: {reason}",
                mount.target
            ))?;
            return Ok(None);
        }
    }
    Ok(Some(idmap))
}

fn refusal(session: &Session, idmap: &Idmap, mount: &SandboxMount) -> Result<Option<std::io::Error>, Error> {
    let Some(handle) = &mount.handle else {
        return Ok(None);
    };
    let handle = session.handles.get(handle)?;
    Ok(idmap.copy(handle.fd.as_fd(), true).err())
}
