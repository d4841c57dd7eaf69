//! Layers by the real worker: against umoci as a reader, and from one store to another.

// A test may end where it meets what it does not expect.
#![allow(clippy::unwrap_used)]
// Each test program uses its own part of the harness.
#![allow(dead_code)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::{Store, Worker, is_root};

/// Writes an OCI layout of two layers, the second of which leans on the first in every way: parents that it does not hold, a path across a
/// symlink below, a hard link into the lower layer, a whiteout, an opaque directory. Prints the layers as `layer.unpack` takes them.
const TWO_LAYERS: &str = r#"
import gzip, hashlib, io, json, os, sys, tarfile
root = sys.argv[1]
os.makedirs(root + "/blobs/sha256")
def put(data):
    name = hashlib.sha256(data).hexdigest()
    open(f"{root}/blobs/sha256/{name}", "wb").write(data)
    return {"digest": "sha256:" + name, "size": len(data)}
def layer(rows):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, mode, text in rows:
            entry = tarfile.TarInfo(name); entry.type = kind; entry.mode = mode; entry.mtime = 1000
            if kind == tarfile.REGTYPE: entry.size = len(text)
            else: entry.linkname = text
            tar.addfile(entry, io.BytesIO(text.encode()))
    plain = out.getvalue()
    media = "application/vnd.oci.image.layer.v1.tar+gzip"
    return {"diffID": "sha256:" + hashlib.sha256(plain).hexdigest(), "descriptor": {"mediaType": media, **put(gzip.compress(plain))}}
F, D, S, H = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
layers = [
    layer([("usr/lib", D, 0o711, ""), ("usr/lib/a", F, 0o600, "A"), ("lib", S, 0o777, "usr/lib"), ("etc", D, 0o711, ""),
           ("etc/x", F, 0o644, "x"), ("opt/d/e", F, 0o644, "e")]),
    layer([("etc/conf", F, 0o644, "c"), ("lib/b", F, 0o644, "B"), ("copy", H, 0o644, "lib/a"), ("new/x", F, 0o644, "y"),
           ("opt/d/.wh..wh..opq", F, 0o644, ""), ("opt/d/f", F, 0o4755, "f"), ("etc/.wh.x", F, 0o644, "")]),
]
rootfs = {"type": "layers", "diff_ids": [l["diffID"] for l in layers]}
config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs, "history": [{}, {}]}).encode())
manifest = put(json.dumps({"schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
                           "layers": [l["descriptor"] for l in layers]}).encode())
name = {"org.opencontainers.image.ref.name": "t"}
index = {"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest, "annotations": name}]}
open(root + "/index.json", "w").write(json.dumps(index))
open(root + "/oci-layout", "w").write('{"imageLayoutVersion":"1.0.0"}')
print(json.dumps(layers))
"#;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn result(response: Value) -> Value {
    assert!(response["error"].is_null(), "{response}");
    response["result"].clone()
}

/// Everything below a directory: files with all that a layer says of them, directories with their modes.
fn listing(root: &Path) -> Vec<String> {
    let root = root.to_str().unwrap();
    let files = ["-mindepth", "1", "!", "-type", "d", "-printf", "%P %y %m %U:%G %s %l\n"];
    let directories = ["-mindepth", "1", "-type", "d", "-printf", "%P %y %m %U:%G\n"];
    let mut lines: Vec<String> = [&files[..], &directories]
        .iter()
        .flat_map(|what| {
            let list = run("find", &[&[root], *what].concat());
            list.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    lines.sort();
    lines
}

fn copy_blobs(from: &Path, to: &Path) {
    for entry in fs::read_dir(from.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join("blobs/sha256").join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_chain_is_unpacked_as_umoci_unpacks_it() {
    if !is_root() {
        return;
    }
    if Command::new("umoci").arg("--version").output().is_err() {
        eprintln!("skipped: needs umoci");
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let (layout, bundle, target) = (
        work.path().join("oci"),
        work.path().join("bundle"),
        work.path().join("out"),
    );
    fs::create_dir(&target).unwrap();
    let layers = run("python3", &["-c", TWO_LAYERS, layout.to_str().unwrap()]);
    let layers: Vec<Value> = serde_json::from_str(&layers).unwrap();
    let image = format!("{}:t", layout.display());
    run("umoci", &["unpack", "--image", &image, bundle.to_str().unwrap()]);

    let store = Store::new();
    let mut worker = Worker::start(&store);
    copy_blobs(&layout, store.path());
    // The index alone must say the same as the index that unpacking makes.
    let chain: Vec<&Value> = layers.iter().map(|layer| &layer["diffID"]).collect();
    result(worker.call("layer.index", json!({"layers": layers})));
    let indexed = result(worker.call("tree.digest", json!({"chain": chain})));
    result(worker.call("layer.unpack", json!({"layers": layers})));
    fs::remove_dir_all(store.path().join("content")).unwrap();
    fs::create_dir(store.path().join("content")).unwrap();
    assert_eq!(result(worker.call("tree.digest", json!({"chain": chain}))), indexed);
    let handle = json!({"handle": "out", "path": target, "access": "write"});
    result(worker.call("handle.open", handle));
    result(worker.call("tree.export", json!({"chain": chain, "handle": "out"})));
    assert_eq!(listing(&target), listing(&bundle.join("rootfs")));
    assert!(worker.end());
}

#[test]
fn a_blob_that_is_not_what_it_says_leaves_nothing_behind() {
    if !is_root() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let layout = work.path().join("oci");
    let layers = run("python3", &["-c", TWO_LAYERS, layout.to_str().unwrap()]);
    let layers: Vec<Value> = serde_json::from_str(&layers).unwrap();
    let zeros = format!("sha256:{}", "0".repeat(64));
    for (name, change) in [
        (
            "another diffID",
            Box::new(|layer: &mut Value, _: &Path| layer["diffID"] = json!(zeros)) as Box<dyn Fn(&mut Value, &Path)>,
        ),
        (
            "another size",
            Box::new(|layer, _| layer["descriptor"]["size"] = json!(7)),
        ),
        (
            "a byte",
            Box::new(|_, blob| {
                let mut bytes = fs::read(blob).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(blob, bytes).unwrap();
            }),
        ),
        (
            "half of it",
            Box::new(|_, blob| {
                let bytes = fs::read(blob).unwrap();
                fs::write(blob, &bytes[..bytes.len() / 2]).unwrap();
            }),
        ),
        (
            "something after it",
            Box::new(|_, blob| fs::write(blob, [fs::read(blob).unwrap(), vec![0; 9]].concat()).unwrap()),
        ),
    ] {
        let store = Store::new();
        let mut worker = Worker::start(&store);
        copy_blobs(&layout, store.path());
        let mut layer = layers[0].clone();
        let digest = layer["descriptor"]["digest"].as_str().unwrap().replace("sha256:", "");
        change(&mut layer, &store.path().join("blobs/sha256").join(digest));
        let before = fs::read_dir(store.path().join("snapshots")).unwrap().count();
        let response = worker.call("layer.unpack", json!({"layers": [layer]}));
        assert_eq!(response["error"]["code"], "IMAGE_INVALID", "{name}: {response}");
        assert_eq!(
            fs::read_dir(store.path().join("snapshots")).unwrap().count(),
            before,
            "{name}"
        );
        assert_eq!(fs::read_dir(store.path().join("indexes")).unwrap().count(), 0, "{name}");
        assert!(worker.end());
    }
}

#[test]
fn a_copy_is_the_same_layer_with_and_without_a_snapshot() {
    if !is_root() {
        return;
    }
    let context = tempfile::tempdir().unwrap();
    fs::create_dir_all(context.path().join("d/e")).unwrap();
    for (name, length) in [("a", 0), ("d/b", 3), ("d/e/big", 2_500_000)] {
        fs::write(context.path().join(name), vec![b'x'; length]).unwrap();
    }
    fs::hard_link(context.path().join("d/b"), context.path().join("link")).unwrap();
    let store = Store::new();
    let mut worker = Worker::start(&store);
    result(worker.call(
        "handle.open",
        json!({"handle": "context", "path": context.path(), "access": "read"}),
    ));
    let selection = json!({"source": {"kind": "handle", "handle": "context", "ignore": []}, "sources": ["."], "exclude": [],
        "parents": false, "unpack": false});
    let mut copy = |form: &str, snapshot: bool| {
        let params = json!({"parent": [], "selections": [selection], "destination": "/srv/", "attributes": {}, "link": false,
            "form": form, "snapshot": snapshot});
        result(worker.call("file.copy", params))
    };
    let (plain, gzip, kept) = (copy("none", false), copy("gzip", false), copy("gzip", true));
    assert_eq!(gzip, kept);
    assert!(plain["blob"].is_null());
    for field in ["diffID", "size", "entries", "selected"] {
        assert_eq!(plain[field], gzip[field], "{field}");
    }
    let selected = result(worker.call("tree.select", json!({"selection": selection})));
    assert_eq!(selected["digest"], gzip["selected"][0]);
    let compressed = result(worker.call("layer.compress", json!({"diffID": plain["diffID"], "form": "gzip"})));
    assert_eq!(compressed["blob"], gzip["blob"]);
    assert!(worker.end());
}

#[test]
fn a_run_that_makes_the_same_again_gives_the_older_layer() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    let own = format!("sha256:{}", "1".repeat(64));
    let mut packed = |script: &str| {
        let run = worker.shell(script, json!({}));
        assert_eq!(run.exit(), 0);
        let ran = &run.response["result"];
        let stable = json!({"own": own, "parent": "p", "startedNs": ran["startedNs"], "endedNs": ran["endedNs"]});
        let params = json!({"snapshot": ran["snapshot"], "form": "gzip", "stable": stable});
        result(worker.call("layer.pack", params))
    };
    let first = packed("echo 1 > /new; rm /seed/inner/file");
    // Another second, so that a layer made from the times of this run would be another one.
    let second = packed("sleep 1.1; echo 1 > /new; rm /seed/inner/file");
    let third = packed("echo 2 > /new; rm /seed/inner/file");
    assert_eq!(
        (first["reused"].as_bool(), second["reused"].as_bool()),
        (Some(false), Some(true))
    );
    assert_eq!((&first["diffID"], &first["blob"]), (&second["diffID"], &second["blob"]));
    assert_ne!(first["diffID"], third["diffID"]);
    assert!(worker.end());
}

/// The same step at the same time: its files have other times in each, within the run, so the layer of one is not that of the other.
#[test]
fn two_workers_that_make_one_layer_at_once_give_it_one_name() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut workers = [Worker::start(&store), Worker::start(&store)];
    for round in 0..12 {
        let mut params = Vec::new();
        for (minute, worker) in workers.iter_mut().enumerate() {
            let run = worker.shell(&format!("touch -t 20200101000{minute} /f"), json!({}));
            let snapshot = run.response["result"]["snapshot"].clone();
            let own = format!("sha256:{}", format!("{round:x}").repeat(64));
            let stable = json!({"own": own, "parent": "p", "startedNs": "0", "endedNs": i64::MAX.to_string()});
            params.push(json!({"snapshot": snapshot, "form": "none", "stable": stable}));
        }
        let sent: Vec<u32> = workers
            .iter_mut()
            .zip(params)
            .map(|(worker, params)| worker.request("layer.pack", params))
            .collect();
        let made: Vec<Value> = workers
            .iter_mut()
            .zip(sent)
            .map(|(worker, stream)| worker.finish(stream).response["result"]["diffID"].clone())
            .collect();
        assert!(made[0].is_string(), "{made:?}");
        assert_eq!(made[0], made[1], "round {round}");
    }
    for worker in workers {
        assert!(worker.end());
    }
}
