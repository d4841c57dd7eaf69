//! Messages between the builder and the native worker: the twin of `src/worker/protocol.ts`, where each one is explained. The tests of
//! both decode and encode every message in `fixtures/protocol/`. Fields that neither side knows are refused, so that nothing that was
//! asked for is silently left out.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use crate::digest::{Chain, Descriptor, DiffID, Digest, SnapshotID};

/// Defines the params (or result) of one method: a struct whose JSON names are camelCase.
macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    )*};
}

// Each area is a file; everybody else sees one protocol. Below the macro, which they use.
mod layer;
mod mount;
mod sandbox;
mod session;
mod tree;

pub use layer::*;
pub use mount::*;
pub use sandbox::*;
pub use session::*;
pub use tree::*;

/// Version of the messages; `hello` refuses any other.
pub const PROTOCOL_VERSION: u32 = 1;
/// The longest frame that either side accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// Data that may be sent on a stream before the first credit comes, in bytes.
pub const INITIAL_CREDIT: usize = 1024 * 1024;

/// Payload of a request frame. The params are read by whom the method calls, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request<'a> {
    pub method: String,
    #[serde(borrow)]
    pub params: &'a RawValue,
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

/// Params or result of a request that has none.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}
