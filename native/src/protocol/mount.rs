//! Cache mounts, listed, packed, unpacked and pruned.

use serde::{Deserialize, Serialize};

use super::layer::LayerBlob;
use super::sandbox::Sharing;
use super::{Descriptor, DiffID};

messages! {
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
}
