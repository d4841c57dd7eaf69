//! Images that attack whoever runs them, as root.

// A test may end where it meets what it does not expect.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde_json::json;
use support::{Store, Worker, is_root, names};

/// Images that put something of theirs where the container's own mounts go. The canary stands for the host's files.
#[test]
fn images_that_would_lead_us_out_of_their_root() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let canary = tempfile::tempdir().unwrap();
    let hostile = store.add_layer('c');
    let out = format!("../../../../../../../../..{}", canary.path().display());
    for (digit, name, absolute) in [('d', "dev", true), ('e', "proc", false), ('f', "sys", true)] {
        let layer = store.add_layer(digit);
        let target = if absolute {
            canary.path().to_owned()
        } else {
            (&out).into()
        };
        std::os::unix::fs::symlink(target, layer.1.join(name)).unwrap();
        let mut worker = Worker::start(&store);
        let run = worker.shell("true", json!({"root": [support::LAYER, layer.0]}));
        assert_eq!(run.code(), "IMAGE_INVALID", "{name}");
        assert!(worker.end());
        fs::remove_file(layer.1.join(name)).unwrap();
    }
    // Files and parents of mounts may be symlinks; they lead within the image.
    for (link, target) in [("etc-link", canary.path().to_owned()), ("up", (&out).into())] {
        std::os::unix::fs::symlink(target, hostile.1.join(link)).unwrap();
    }
    fs::create_dir(hostile.1.join("etc")).unwrap();
    std::os::unix::fs::symlink(canary.path().join("resolv.conf"), hostile.1.join("etc/resolv.conf")).unwrap();
    let mut worker = Worker::start(&store);
    let mounts = json!([
        {"type": "tmpfs", "target": "/etc-link/a", "readonly": false},
        {"type": "tmpfs", "target": "/up/b", "readonly": false},
    ]);
    let script = "touch /etc-link/a/x /up/b/x; cat /etc/resolv.conf > /dev/null";
    let run = worker.shell(script, json!({"root": [support::LAYER, hostile.0], "mounts": mounts}));
    assert_eq!((run.exit(), run.stderr.as_str()), (0, ""));
    assert_eq!(names(&worker.upper(&run)), Vec::<String>::new());
    assert_eq!(names(canary.path()), Vec::<String>::new(), "the host was touched");
    assert!(worker.end());
}

/// Directories in each other all the way down. Beside the upper ones are some more: what lies side by side is walked side by side.
fn nest(root: &Path, depth: usize) {
    let mut at = openat(CWD, root, OFlags::PATH, Mode::empty()).unwrap();
    for level in 0..depth {
        for number in 0..if level < 40 { 9 } else { 1 } {
            mkdirat(&at, number.to_string(), Mode::RWXU).unwrap();
        }
        at = openat(&at, "0", OFlags::PATH, Mode::empty()).unwrap();
    }
}

/// A path may have 2048 names, and who makes directories step by step makes deeper ones: what cannot be read is an error, not our end.
#[test]
fn trees_as_deep_as_paths_go_and_deeper() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let (deep, deeper) = (store.add_layer('c'), store.add_layer('d'));
    nest(&deep.1, 2040);
    nest(&deeper.1, 3000);
    let mut worker = Worker::start(&store);
    for (layer, is_read) in [(&deeper.0, false), (&deep.0, true)] {
        // The names of users: the index of the layer is made for them, by a walk.
        let response = worker.call("tree.user", json!({"chain": [layer], "user": "5"}));
        assert_eq!(response["error"].is_null(), is_read, "{response}");
    }
    assert!(worker.end());
}
