//! What `hello` opened and all requests share: the store, the lease, and the snapshots of this session.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::fs::{self, Mode as FileMode, OFlags};
use rustix::io::Errno;

use crate::context::lock;
use crate::digest::{DiffID, Digest, LayerRef, SnapshotID};
use crate::error::{Doing, Error};
use crate::handle::Handles;
use crate::index::store::Indexes;
use crate::layer::marks;
use crate::lease::Lease;
use crate::lock::Locks;
use crate::mode::Probed;
use crate::network::Network;
use crate::owner::{Owner, Owners};
use crate::protocol::{Downgrade, Mode, Snapshotter, Userns};
use crate::sandbox::Containers;
use crate::sandbox::idmap::Idmap;
use crate::secret::Secrets;
use crate::snapshots::flatten::Blocks;
use crate::snapshots::root::Roots;
pub use crate::store::DIRECTORY;
use crate::store::{Store, make_directory};
use crate::tree::flat::Trees;

/// Layers that are kept open: chains up to the length from which they are mounted in blocks.
const MOST_OPENED: usize = 256;

/// Where a snapshot of this session is in its life, until it is packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotState {
    /// Being written: only its maker may look into it.
    Active,
    /// Whole, never written again; still in `tmp/<lease>/<name>`.
    Committed,
}

/// A directory in overlay form that this session made: an overlay's upper directory, or a copy.
#[derive(Debug)]
pub struct Snapshot {
    pub id: SnapshotID,
    /// Its folder, relative to `tmp/<lease>`: holds `fs` and (while it is active) `work`.
    pub name: String,
    /// `fs`, open for reading. Stays good when the folder is renamed into the store.
    pub fs: OwnedFd,
    /// Set before it is committed, where ids are kept beside the files.
    pub owners: OnceLock<Arc<Owners>>,
    state: Mutex<SnapshotState>,
}

impl Snapshot {
    pub fn state(&self) -> SnapshotState {
        lock(&self.state).clone()
    }

    pub fn set_state(&self, state: SnapshotState) {
        *lock(&self.state) = state;
    }

    fn whole(&self) -> Result<OwnedFd, Error> {
        match self.state() {
            SnapshotState::Active => Err(Error::internal(format!(
                "snapshot \"{}\" is still being written",
                self.id
            ))),
            SnapshotState::Committed => self.fs.try_clone().doing(|| "duplicate a descriptor"),
        }
    }
}

pub struct Session {
    pub store: Arc<Store>,
    pub lease: Lease,
    pub mode: Mode,
    /// Why not the rung above.
    pub reason: String,
    pub snapshotter: Snapshotter,
    /// Whether containers can have a /proc of their own; otherwise they see ours.
    pub own_proc: bool,
    /// The rungs that were refused, the highest first.
    pub downgrades: Vec<Downgrade>,
    pub handles: Handles,
    pub secrets: Secrets,
    pub locks: Locks,
    pub indexes: Indexes,
    pub containers: Containers,
    pub network: Network,
    pub blocks: Blocks,
    pub roots: Roots,
    pub trees: Trees,
    pub userns: Userns,
    idmap: OnceLock<Result<Idmap, String>>,
    boot_id: String,
    snapshots: Mutex<BTreeMap<SnapshotID, Arc<Snapshot>>>,
    /// Those that are layers: the store's `snapshots/<hex>` is such a one, or an older equal one that stands for it.
    packed: Mutex<HashMap<SnapshotID, DiffID>>,
    /// Directories of the store's layers that steps of this session stand on.
    opened: Mutex<HashMap<DiffID, OwnedFd>>,
    next: AtomicU64,
}

impl Session {
    pub fn new(store: Arc<Store>, lease: Lease, probed: Probed, userns: Userns) -> Result<Self, Error> {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").doing(|| "read the boot id")?;
        Ok(Self {
            store,
            lease,
            mode: probed.mode,
            reason: probed.reason,
            snapshotter: probed.snapshotter,
            own_proc: probed.own_proc,
            downgrades: probed.downgrades,
            handles: Handles::default(),
            secrets: Secrets::default(),
            locks: Locks::default(),
            indexes: Indexes::default(),
            containers: Containers::default(),
            network: Network::default(),
            blocks: Blocks::default(),
            roots: Roots::default(),
            trees: Trees::default(),
            userns,
            idmap: OnceLock::new(),
            boot_id: boot_id.trim().to_owned(),
            snapshots: Mutex::default(),
            packed: Mutex::default(),
            opened: Mutex::default(),
            next: AtomicU64::new(1),
        })
    }

    /// The ids of containers; `None` where they are the machine's. Found when the first one wants to know.
    pub fn idmap(&self) -> Option<&Idmap> {
        self.try_idmap().ok()
    }

    /// `Err` says why they are the machine's.
    pub fn try_idmap(&self) -> Result<&Idmap, &str> {
        let found = self.idmap.get_or_init(|| Idmap::find(self, self.userns));
        found.as_ref().map_err(String::as_str)
    }

    /// `tmp/<lease>`, open.
    pub fn temporary(&self) -> BorrowedFd<'_> {
        self.lease.temporary.as_fd()
    }

    /// `tmp/<lease>` as an absolute path.
    pub fn temporary_path(&self) -> PathBuf {
        self.store.path().join("tmp").join(&self.lease.name)
    }

    /// An empty directory to hang mounts on for a moment, as an absolute path.
    pub fn staging(&self) -> Result<String, Error> {
        make_directory(self.temporary(), "staging")?;
        let path = self.temporary_path().join("staging");
        path.into_os_string()
            .into_string()
            .map_err(|_| Error::user("STORE_FAILED", "the store's path is not UTF-8"))
    }

    /// A name for a new file or folder in `tmp/<lease>` that nobody has had before.
    pub fn temporary_name(&self, what: &str) -> String {
        format!("{what}-{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// `trusted.overlay.` as root, `user.overlay.` where the kernel wants `userxattr` (in a user namespace).
    pub fn overlay_xattr_prefix(&self) -> &'static str {
        match self.snapshotter {
            Snapshotter::OverlayUserxattr => "user.overlay.",
            Snapshotter::FuseOverlayfs => "user.fuseoverlayfs.",
            Snapshotter::Copy => "user.cooper.",
            Snapshotter::Overlay | Snapshotter::None => "trusted.overlay.",
        }
    }

    /// The mark of an opaque directory.
    pub fn opaque_mark(&self) -> &'static [u8] {
        match self.snapshotter {
            Snapshotter::OverlayUserxattr => b"user.overlay.opaque",
            Snapshotter::FuseOverlayfs => b"user.fuseoverlayfs.opaque",
            Snapshotter::Copy => marks::OWN_OPAQUE,
            Snapshotter::Overlay | Snapshotter::None => b"trusted.overlay.opaque",
        }
    }

    /// What `snapshots/<hex>/boot` must say for the snapshot to be trusted: this boot, the form of its xattrs, and of its owners.
    pub fn boot_stamp(&self) -> String {
        let owners = if self.mode.emulates_ids() { " owners beside" } else { "" };
        format!("{} {}{owners}\n", self.boot_id, self.overlay_xattr_prefix())
    }

    /// A new, active snapshot: an empty `tmp/<lease>/<name>/fs` (0755, root's).
    pub fn new_snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("snapshot-{number}");
        make_directory(self.temporary(), &name)?;
        let path = format!("{name}/fs");
        make_directory(self.temporary(), &path)?;
        let directory =
            fs::openat(self.temporary(), &path, DIRECTORY, FileMode::empty()).doing(|| "open a new snapshot")?;
        fs::fchmod(&directory, FileMode::from_raw_mode(0o755)).doing(|| "set the mode of a new snapshot")?;
        let id = SnapshotID(number);
        let snapshot = Arc::new(Snapshot {
            id,
            name,
            fs: directory,
            owners: OnceLock::new(),
            state: Mutex::new(SnapshotState::Active),
        });
        lock(&self.snapshots).insert(id, Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// A snapshot has become a layer of the store. Its directory is closed: each one that is open makes the start of every process slower.
    pub fn set_packed(&self, snapshot: &Snapshot, diff_id: &DiffID) {
        lock(&self.packed).insert(snapshot.id, diff_id.clone());
        // Where ids are kept beside the files, the snapshot has them.
        if !self.mode.emulates_ids() {
            lock(&self.snapshots).remove(&snapshot.id);
        }
    }

    /// The layer that a snapshot has become.
    pub fn packed(&self, id: SnapshotID) -> Option<DiffID> {
        lock(&self.packed).get(&id).cloned()
    }

    /// Forgets a snapshot that came to nothing and moves its folder away.
    pub fn discard_snapshot(&self, snapshot: &Snapshot) -> Result<(), Error> {
        lock(&self.snapshots).remove(&snapshot.id);
        self.discard_temporary(&snapshot.name)
    }

    /// Moves `tmp/<lease>/<name>` away; the trash collector deletes it.
    pub fn discard_temporary(&self, name: &str) -> Result<(), Error> {
        self.store.discard(&format!("tmp/{}/{name}", self.lease.name)).map(drop)
    }

    pub fn snapshot(&self, id: SnapshotID) -> Result<Arc<Snapshot>, Error> {
        let found = lock(&self.snapshots).get(&id).map(Arc::clone);
        found.ok_or_else(|| Error::internal(format!("snapshot \"{id}\" is not of this session")))
    }

    /// The directory of a layer's snapshot in the store, when it is there and can be trusted.
    pub fn stored_snapshot(&self, diff_id: &DiffID) -> Result<Option<OwnedFd>, Error> {
        self.stored_directory("snapshots", diff_id)
    }

    /// The same for any folder of directories that are caches of a boot.
    pub fn stored_directory(&self, folder: &str, digest: &Digest) -> Result<Option<OwnedFd>, Error> {
        let folder = format!("{folder}/{}", digest.hex());
        let boot = match self.read_file(&format!("{folder}/boot"))? {
            Some(text) => text,
            None => return Ok(None),
        };
        if boot != self.boot_stamp().as_bytes() {
            return Ok(None);
        }
        match fs::openat(self.store.root(), format!("{folder}/fs"), DIRECTORY, FileMode::empty()) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).doing(|| format!("open \"{folder}\" of the store")),
        }
    }

    /// A file of the store, by a name of ours; None where it is missing.
    pub fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut file = match fs::openat(self.store.root(), name, flags, FileMode::empty()) {
            Ok(file) => std::fs::File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error).doing(|| format!("open \"{name}\" of the store")),
        };
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).doing(|| format!("read \"{name}\" of the store"))?;
        Ok(Some(bytes))
    }

    /// Writes a file of the store whole, by rename. It is not synced: what is written so is a cache and checks itself when it is read.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let temporary = self.temporary_name("file");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = fs::openat(self.temporary(), &temporary, flags, FileMode::RUSR | FileMode::WUSR);
        let mut file = std::fs::File::from(file.doing(|| "create a temporary file")?);
        std::io::Write::write_all(&mut file, bytes).doing(|| format!("write \"{name}\" of the store"))?;
        fs::renameat(self.temporary(), &temporary, self.store.root(), name)
            .doing(|| format!("rename a file to \"{name}\""))
    }

    /// Whose the files of a layer are that have no mark; `None` where the kernel knows it.
    pub fn owners(&self, layer: &LayerRef) -> Result<Option<Arc<Owners>>, Error> {
        if !self.mode.emulates_ids() {
            return Ok(None);
        }
        let noted = match layer {
            LayerRef::Snapshot(id) => self.snapshot(*id)?.owners.get().map(Arc::clone),
            LayerRef::Layer(_) => None,
        };
        Ok(Some(noted.unwrap_or_default()))
    }

    /// Whom the kernel is told that a file of the container's own is for.
    pub fn kernel_owner(&self, owner: Owner) -> Owner {
        if self.mode.emulates_ids() { (0, 0) } else { owner }
    }

    /// The directories of a chain's layers, base first, in overlay form.
    pub fn layers(&self, chain: &[LayerRef]) -> Result<Vec<OwnedFd>, Error> {
        chain.iter().map(|layer| self.layer(layer)).collect()
    }

    /// The directory of one layer, in overlay form.
    pub fn layer(&self, layer: &LayerRef) -> Result<OwnedFd, Error> {
        match layer {
            LayerRef::Layer(diff_id) => self.opened_layer(diff_id),
            LayerRef::Snapshot(id) => {
                // In this order: it may be packed while we look.
                let snapshot = lock(&self.snapshots).get(id).map(Arc::clone);
                match (self.packed(*id), snapshot) {
                    (Some(diff_id), _) => self.opened_layer(&diff_id),
                    (None, Some(snapshot)) => snapshot.whole(),
                    (None, None) => self.snapshot(*id)?.whole(),
                }
            }
        }
    }

    /// Each step stands on the layers of the one before it.
    fn opened_layer(&self, diff_id: &DiffID) -> Result<OwnedFd, Error> {
        let mut opened = lock(&self.opened);
        if let Some(directory) = opened.get(diff_id) {
            return directory.try_clone().doing(|| "duplicate a descriptor");
        }
        let directory = self
            .stored_snapshot(diff_id)?
            .ok_or_else(|| Error::internal(format!("the store has no snapshot of layer \"{diff_id}\"")))?;
        let clone = directory.try_clone().doing(|| "duplicate a descriptor")?;
        if opened.len() >= MOST_OPENED {
            opened.clear();
        }
        opened.insert(diff_id.clone(), directory);
        Ok(clone)
    }
}
