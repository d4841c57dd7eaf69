//! Every message of `fixtures/protocol/` is decoded and encoded again without loss. The builder's tests read the same files.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::codec::{read_frame, write_frame};
use crate::protocol::*;

fn fixture(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/protocol")
        .join(name);
    serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()
}

fn same<T: Serialize + DeserializeOwned>(name: &str, value: &Value) {
    let decoded: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(&serde_json::to_value(decoded).unwrap(), value, "{name}");
}

/// Checks each method's file against its types, and that there is a file for each method and no other.
macro_rules! methods {
    ($($method:literal: $params:ty => $result:ty),* $(,)?) => {
        #[test]
        fn messages_survive_decoding_and_encoding() {
            let mut seen = BTreeSet::from(["errors.json".to_owned(), "events.json".to_owned(), "frames.json".to_owned()]);
            $(
                let name = concat!($method, ".json");
                let message = fixture(name);
                assert_eq!(message["method"], $method);
                same::<$params>(name, &message["params"]);
                same::<$result>(name, &message["result"]);
                seen.insert(name.to_owned());
            )*
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/protocol");
            let there: BTreeSet<_> =
                fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            assert_eq!(there, seen);
        }
    };
}

methods! {
    "hello": HelloParams => HelloResult,
    "handle.open": HandleOpenParams => Empty,
    "secret.put": SecretPutParams => SecretPutResult,
    "lock.acquire": LockAcquireParams => LockAcquireResult,
    "lock.release": LockReleaseParams => Empty,
    "store.discard": StoreDiscardParams => Empty,
    "store.exclusive": Empty => StoreExclusiveResult,
    "store.usage": StoreUsageParams => StoreUsageResult,
    "tree.select": TreeSelectParams => TreeSelectResult,
    "tree.read": TreeReadParams => TreeReadResult,
    "tree.digest": TreeDigestParams => TreeDigestResult,
    "tree.user": TreeUserParams => TreeUserResult,
    "tree.stat": TreeStatParams => TreeStatResult,
    "tree.export": TreeExportParams => TreeExportResult,
    "layer.unpack": LayerUnpackParams => Empty,
    "layer.index": LayerIndexParams => Empty,
    "layer.pack": LayerPackParams => LayerPackResult,
    "layer.compress": LayerCompressParams => LayerCompressResult,
    "layer.search": LayerSearchParams => Empty,
    "file.copy": FileCopyParams => FileCopyResult,
    "file.mkdir": FileMkdirParams => PackedLayer,
    "sandbox.run": SandboxParams => SandboxResult,
    "sandbox.signal": SandboxSignalParams => Empty,
    "sandbox.resize": SandboxResizeParams => Empty,
    "sandbox.connect": SandboxConnectParams => Empty,
    "mount.discard": MountDiscardParams => Empty,
    "mount.list": Empty => MountListResult,
    "mount.find": MountFindParams => MountFindResult,
    "mount.pack": MountPackParams => MountPackResult,
    "mount.unpack": MountUnpackParams => MountUnpackResult,
    "mount.prune": MountPruneParams => MountPruneResult,
    "doctor": Empty => DoctorResult,
}

#[test]
fn events_and_errors_survive_too() {
    for event in fixture("events.json").as_array().unwrap() {
        same::<Event>("events.json", event);
    }
    for error in fixture("errors.json").as_array().unwrap() {
        same::<WorkerError>("errors.json", error);
    }
}

#[test]
fn frames_have_the_bytes_of_the_fixture() {
    for frame in fixture("frames.json").as_array().unwrap() {
        let hex = frame["hex"].as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let read = read_frame(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(
            (read.kind as u64, u64::from(read.stream)),
            (frame["kind"].as_u64().unwrap(), frame["stream"].as_u64().unwrap())
        );
        assert_eq!(
            read.payload,
            frame["payload"].as_str().unwrap().as_bytes(),
            "{}",
            frame["name"]
        );
        let mut written = Vec::new();
        write_frame(&mut written, read.kind, read.stream, &[&read.payload]).unwrap();
        assert_eq!(written, bytes, "{}", frame["name"]);
    }
}

#[test]
fn fields_that_nobody_knows_are_refused() {
    let mut params = fixture("sandbox.run.json")["params"].clone();
    params["privileged"] = Value::Bool(true);
    assert!(serde_json::from_value::<SandboxParams>(params).is_err());
}
