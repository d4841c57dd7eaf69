//! What a supervisor is told, and what it answers. Descriptors go beside the JSON (channel.rs). It is told in two parts: what the container is
//! comes first, so that this is made while the worker makes what is to lie in it.

use serde::{Deserialize, Serialize};

use crate::owner::Owners;
use crate::protocol::{Tty, Ulimit, WorkerError};

use super::cgroup::view::Shown;

use super::notify::Service;
use super::security::Security;

/// Places of the first descriptors of a program; `Program.mounts` has the places of the rest.
pub const ROOT: usize = 0;
pub const STDIO: usize = 1;
pub const MOUNTS: usize = STDIO + 3;

/// What a container is, whatever lies in it. Goes to the supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub hostname: String,
    /// An empty directory in the worker's view of the host, to hang mounts on before they have their place.
    pub staging: String,
    /// Place of a network namespace to enter.
    pub network: Option<usize>,
    /// Place of a user namespace to enter (idmap.rs).
    pub ids: Option<usize>,
    /// In a user namespace no device node can be made, and the machine's are bound.
    pub user_namespace: bool,
    /// A procfs is refused: the worker's is bound.
    pub bind_proc: bool,
    /// There is one id: the others are emulated (emulate/).
    pub emulate_ids: bool,
    /// Neither namespaces nor mounts.
    pub chroot: bool,
    /// All capabilities, no filter, nothing masked.
    pub insecure: bool,
    pub security: Security,
    /// Places where the program is put into its cgroup.
    pub cgroup: Vec<usize>,
    /// What /sys/fs/cgroup shows.
    pub cgroups: Vec<Shown>,
    pub shm_bytes: Option<u64>,
    pub ulimits: Vec<Ulimit>,
    pub terminal: Option<Tty>,
    /// System calls that the supervisor answers.
    pub services: Vec<Service>,
}

/// What lies in it, and what runs there. The container's first process takes it from the same socket.
#[derive(Debug, Serialize, Deserialize)]
pub struct Program {
    pub argv: Vec<String>,
    pub env: Vec<String>,
    pub cwd: String,
    pub user: String,
    pub mounts: Vec<Mount>,
    /// It is given a secret, which a core file would have: of such a program there is none.
    pub has_secret: bool,
}

/// One mount of the container, besides those that all have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mount {
    /// Place of the detached mount.
    pub descriptor: usize,
    /// What of it: a path, resolved within it. `None` is all of it.
    pub within: Option<String>,
    pub target: String,
    pub readonly: bool,
    /// A node that can be opened.
    pub device: Option<Device>,
}

/// Whose a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    AsItIs,
    /// The container's user's.
    OfUser,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The program runs; its pidfd goes with it, and its terminal where it has one.
    Started(Stubs),
    /// The container could not be made.
    Failed(WorkerError),
    /// The container is there, but the program is not: exit status (126, 127) and message, as a shell has them.
    NotExecuted { stubs: Stubs, status: i32, message: String },
    /// Everything in it has ended.
    Ended {
        status: i32,
        max_rss_bytes: u64,
        user_ms: u64,
        system_ms: u64,
        /// Where ids are emulated.
        owners: Option<Owners>,
    },
}

/// What was made in the root filesystem only to have a place for mounts. Paths are relative to the root, without symlinks.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Stubs {
    /// In the order of their making.
    pub made: Vec<String>,
    /// Directories that were there and got a stub.
    pub touched: Vec<Touched>,
}

/// A directory as it was before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Touched {
    pub path: String,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, i64),
}
