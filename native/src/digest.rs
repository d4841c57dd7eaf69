//! The names of bytes and filesystems. Each is checked for its form when it is read, so no digest or id can be used to leave a folder.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `sha256:` and 64 lower-case hex digits: the digest of exactly those bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// Digest of a layer's uncompressed tar.
pub type DiffID = Digest;

impl Digest {
    /// Of a finished sha256.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The 64 hex digits: safe as a file name.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let good = text
            .strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        if good {
            Ok(Self(text))
        } else {
            Err(format!("\"{text}\" is no sha256 digest"))
        }
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A snapshot of this session: `snap:7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotID(pub u64);

impl TryFrom<String> for SnapshotID {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.strip_prefix("snap:").and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| format!("\"{text}\" is no snapshot"))
    }
}

impl From<SnapshotID> for String {
    fn from(id: SnapshotID) -> Self {
        format!("snap:{}", id.0)
    }
}

impl fmt::Display for SnapshotID {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "snap:{}", self.0)
    }
}

/// A layer of the store by diffID, or a snapshot of this session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LayerRef {
    Layer(DiffID),
    Snapshot(SnapshotID),
}

impl TryFrom<String> for LayerRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("snap:") {
            SnapshotID::try_from(text).map(Self::Snapshot)
        } else {
            DiffID::try_from(text).map(Self::Layer)
        }
    }
}

impl From<LayerRef> for String {
    fn from(layer: LayerRef) -> Self {
        match layer {
            LayerRef::Layer(diff_id) => diff_id.into(),
            LayerRef::Snapshot(id) => id.into(),
        }
    }
}

/// A filesystem: its layers, base first. Empty is scratch.
pub type Chain = Vec<LayerRef>;

/// Names a blob: what it is, its digest, its length in bytes. Source: OCI image-spec, descriptor.md.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_that_could_leave_a_folder_are_refused() {
        let hex = "a".repeat(64);
        for (text, good) in [
            (format!("sha256:{hex}"), true),
            (format!("sha256:{}", "A".repeat(64)), false),
            (format!("sha512:{hex}"), false),
            ("sha256:../../etc/passwd".to_owned(), false),
            (format!("sha256:{hex}/x"), false),
            (String::new(), false),
        ] {
            assert_eq!(text.parse::<Digest>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_layer_is_named_by_diff_id_or_by_snapshot() {
        let layer: LayerRef = serde_json::from_str("\"snap:7\"").unwrap();
        assert_eq!(layer, LayerRef::Snapshot(SnapshotID(7)));
        assert!(serde_json::from_str::<LayerRef>("\"snap:../x\"").is_err());
    }
}
