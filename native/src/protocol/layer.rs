//! Layers packed and unpacked, and layers made of copied files.

use serde::{Deserialize, Serialize};

use super::tree::Selection;
use super::{Chain, Descriptor, DiffID, Digest, SnapshotID};

/// Where a layer's bytes are, when it has to be unpacked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LayerBlob {
    #[serde(rename = "diffID")]
    pub diff_id: DiffID,
    pub descriptor: Descriptor,
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

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAttributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chown: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chmod: Option<String>,
}

messages! {
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
}
