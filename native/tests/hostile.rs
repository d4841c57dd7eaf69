//! Images that attack whoever runs them, as root.

// A test may end where it meets what it does not expect.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

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
