//! Messages between the builder and the native worker: the twin of `src/worker/protocol.ts`, where each one is explained. The tests of
//! both decode and encode every message in `fixtures/protocol/`. Fields that neither side knows are refused, so that nothing that was
//! asked for is silently left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::digest::{Chain, Descriptor, DiffID, Digest, SnapshotID};

/// Version of the messages; `hello` refuses any other.
pub const PROTOCOL_VERSION: u32 = 1;
/// The longest frame that either side accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// Data that may be sent on a stream before the first credit comes, in bytes.
pub const INITIAL_CREDIT: usize = 1024 * 1024;

/// Payload of a request frame.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub method: String,
    pub params: serde_json::Value,
}

/// Payload of a response frame.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Response {
    Result(serde_json::Value),
    Error(WorkerError),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerError {
    pub code: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored_by: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similar: Option<Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum Event {
    Welcome {
        version: u32,
        build: String,
    },
    Warning {
        message: String,
    },
    Started,
    Connection {
        agent: String,
        connection: u64,
    },
    Published {
        port: u16,
        protocol: PortProtocol,
        at: String,
    },
    Progress {
        current: u64,
        total: u64,
    },
}

/// Where a layer's bytes are, when it has to be unpacked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LayerBlob {
    #[serde(rename = "diffID")]
    pub diff_id: DiffID,
    pub descriptor: Descriptor,
}

/// What is copied or bound from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum Source {
    Handle { handle: String, ignore: Vec<IgnoreRule> },
    Chain { chain: Chain },
    Inline { files: Vec<InlineFile> },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlineFile {
    pub name: String,
    pub text: String,
    pub mode: u32,
}

/// One line of a .dockerignore, cleaned. The last match wins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IgnoreRule {
    pub pattern: String,
    pub negated: bool,
    /// Counts from 1.
    pub line: usize,
}

/// Which files of a source: as COPY and ADD read their sources.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    pub source: Source,
    pub sources: Vec<String>,
    pub exclude: Vec<String>,
    pub parents: bool,
    pub unpack: bool,
}

/// What is known of one layer, once it is packed or unpacked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedLayer {
    #[serde(rename = "diffID")]
    pub diff_id: DiffID,
    pub size: u64,
    pub entries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<Descriptor>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerForm {
    Gzip,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountType {
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
    Volume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    Shared,
    Private,
    Locked,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxMount {
    #[serde(rename = "type")]
    pub kind: MountType,
    pub target: String,
    pub readonly: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<Selection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    Default,
    None,
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortProtocol {
    Tcp,
    Udp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    #[serde(rename = "hostIP")]
    pub host_ip: String,
    pub host_port: u16,
    pub port: u16,
    pub protocol: PortProtocol,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxSecurity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privileges: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_paths: Option<SystemPaths>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxDevice {
    pub handle: String,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_user: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seccomp {
    Unconfined(bool),
    Profile(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemPaths {
    Unconfined,
}

/// Certificates of authorities, PEM.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificates {
    pub added: String,
    pub usual: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxParams {
    pub root: Chain,
    pub argv: Vec<String>,
    pub env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<BTreeMap<String, String>>,
    pub cwd: String,
    pub user: String,
    pub mounts: Vec<SandboxMount>,
    pub network: Network,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<SandboxSecurity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<SandboxDevice>>,
    pub hostname: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<Port>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Certificates>,
    pub commit: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch_seconds: Option<i64>,
    pub stdin: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ulimits: Option<Vec<Ulimit>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tty: Option<Tty>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tty {
    pub rows: u16,
    pub columns: u16,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap_bytes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_cpus: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ulimit {
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxResult {
    pub exit_code: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    pub oom: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    pub max_rss_bytes: u64,
    pub user_ms: u64,
    pub system_ms: u64,
    pub started_ns: String,
    pub ended_ns: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotID>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAttributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chown: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chmod: Option<String>,
}

/// Params or result of a request that has none.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// The rung of the ladder that this machine allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Root,
    /// Root of a user namespace with a range of ids, made by somebody else or (nested, as it is) by us.
    Pod,
    Rootless,
    /// A user namespace with one id: the others are emulated.
    SingleId,
    /// Root without namespaces and mounts.
    Chroot,
    Unprivileged,
}

impl Mode {
    /// Where no device can be made, sysfs may be refused, and overlays need `userxattr`.
    pub fn in_user_namespace(self) -> bool {
        matches!(self, Self::Pod | Self::Rootless | Self::SingleId)
    }

    /// Ids besides root's are kept beside the files, not by the kernel.
    pub fn emulates_ids(self) -> bool {
        self == Self::SingleId
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Snapshotter {
    Overlay,
    OverlayUserxattr,
    FuseOverlayfs,
    /// No overlay: a step has a directory of its own, and what changed is found by comparing.
    Copy,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    Read,
    Write,
}

/// Defines the params (or result) of one method: a struct whose JSON names are camelCase.
macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    )*};
}

messages! {
    HelloParams {
        version: u32,
        root: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        userns: Option<Userns>,
    }
    HelloResult {
        lease: String,
        temporary: String,
        mode: Mode,
        reason: String,
        snapshotter: Snapshotter,
        downgrades: Vec<Downgrade>,
    }
    Downgrade {
        rung: String,
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    }
    HandleOpenParams { handle: String, path: String, access: Access }
    SecretPutParams {
        id: String,
        base64: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        scan: Option<bool>,
    }
    SecretPutResult { forms: Vec<String>, lines: Vec<String> }
    LockAcquireParams { name: String, exclusive: bool }
    LockAcquireResult { lock: u64 }
    LockReleaseParams { lock: u64 }
    StoreDiscardParams {
        paths: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        wait: Option<bool>,
    }
    StoreExclusiveResult { exclusive: bool }
    StoreUsageParams { folder: String }
    StoreUsageResult { entries: Vec<StoreUsage> }
    StoreUsage { name: String, bytes: u64, files: u64, modified_ms: u64 }

    TreeSelectParams { selection: Selection }
    TreeSelectResult { digest: Digest, entries: u64, bytes: u64, directories: u64 }
    TreeReadParams { source: Source, path: String, max_bytes: u64 }
    TreeReadResult { found: bool, names: Vec<String> }
    TreeDigestParams {
        chain: Chain,
        #[serde(skip_serializing_if = "Option::is_none")]
        below: Option<Digest>,
    }
    TreeDigestResult {
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
    }
    TreeUserParams { chain: Chain, user: String }
    TreeUserResult { uid: u32, gid: u32, groups: Vec<u32>, home: String }
    TreeStatParams { layers: Vec<DiffID> }
    TreeStatResult { layers: Vec<LayerState> }
    LayerState { index: bool, snapshot: bool }
    TreeExportParams { chain: Chain, handle: String }
    TreeExportResult { entries: u64 }

    LayerUnpackParams { layers: Vec<LayerBlob> }
    LayerIndexParams { layers: Vec<LayerBlob> }
    LayerPackParams {
        snapshot: SnapshotID,
        form: LayerForm,
        #[serde(skip_serializing_if = "Option::is_none")]
        stable: Option<StableName>,
    }
    /// What a content-stable name covers besides the entries.
    StableName { own: Digest, parent: String, started_ns: String, ended_ns: String }
    LayerPackResult {
        #[serde(rename = "diffID")]
        diff_id: DiffID,
        size: u64,
        entries: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        blob: Option<Descriptor>,
        reused: bool,
    }
    LayerCompressParams {
        #[serde(rename = "diffID")]
        diff_id: DiffID,
        form: LayerForm,
    }
    LayerCompressResult { blob: Descriptor }
    LayerSearchParams { layer: LayerBlob }

    FileCopyParams {
        parent: Chain,
        selections: Vec<Selection>,
        destination: String,
        attributes: FileAttributes,
        link: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch_seconds: Option<i64>,
        form: LayerForm,
        snapshot: bool,
    }
    FileCopyResult {
        #[serde(rename = "diffID")]
        diff_id: DiffID,
        size: u64,
        entries: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        blob: Option<Descriptor>,
        selected: Vec<Digest>,
    }
    FileMkdirParams {
        parent: Chain,
        path: String,
        user: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch_seconds: Option<i64>,
        form: LayerForm,
        snapshot: bool,
    }

    SandboxSignalParams { stream: u32, signal: i32 }
    SandboxResizeParams { stream: u32, rows: u16, columns: u16 }
    SandboxConnectParams { connection: u64 }
    MountDiscardParams { ids: Vec<String> }
    MountListResult { mounts: Vec<CacheMount> }
    CacheMount {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        variant: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sharing: Option<Sharing>,
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<MountOwner>,
        #[serde(skip_serializing_if = "Option::is_none")]
        created_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_used_ms: Option<u64>,
        in_use: bool,
        bytes: u64,
        files: u64,
    }
    #[derive(PartialEq, Eq)]
    MountOwner { uid: u32, gid: u32, mode: u32 }
    MountFindParams {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        variant: Option<String>,
    }
    MountFindResult { found: bool }
    MountPackParams { name: String, known: Vec<LayerBlob> }
    MountPackResult { in_use: bool, layers: Vec<MountLayer> }
    MountLayer {
        #[serde(rename = "diffID")]
        diff_id: DiffID,
        descriptor: Descriptor,
        made: bool,
    }
    MountUnpackParams {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        variant: Option<String>,
        sharing: Sharing,
        layers: Vec<LayerBlob>,
        replace: bool,
    }
    MountUnpackResult { unpacked: bool }
    MountPruneParams { names: Vec<String> }
    MountPruneResult { pruned: Vec<String> }
    DoctorResult { checks: Vec<DoctorCheck> }
    DoctorCheck {
        name: String,
        state: CheckState,
        detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    }
}

/// Which ids containers of root have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Userns {
    Auto,
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    Ok,
    Degraded,
    Missing,
}
