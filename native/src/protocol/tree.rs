//! What is read of trees: of a context, of images, of steps.

use serde::{Deserialize, Serialize};

use super::{Chain, DiffID, Digest};

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

messages! {
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
}
