//! The session, what the machine allows it, and the store's locks and files.

use serde::{Deserialize, Serialize};

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
    DoctorResult { checks: Vec<DoctorCheck> }
    DoctorCheck {
        name: String,
        state: CheckState,
        detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    }
}
