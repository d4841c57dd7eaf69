use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::{FORM, Scratch, extract, is_root};
use crate::digest::{LayerRef, SnapshotID};
use crate::error::Error;
use crate::index::entry::{Entry, Kind, Meta};
use crate::index::layer::LayerIndex;
use crate::index::path;
use crate::index::view::{Layer, View};
use crate::layer::content::Content;
use crate::layer::extract::Lower;
use crate::layer::tar_write::{Style, put_headers};
use crate::layer::upper::read_upper;

/// An entry as an archive has it: a path as it is written, a kind, and a link target or content.
type Row<'a> = (&'a str, Kind, &'a str);

fn tar(rows: &[Row<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, text) in rows {
        let mode = if *kind == Kind::Directory { 0o755 } else { 0o644 };
        let mut entry = Entry::new(name.as_bytes().to_vec(), Meta::new(*kind, mode));
        if *kind == Kind::File {
            entry.meta.size = text.len() as u64;
        } else {
            entry.meta.link = text.as_bytes().to_vec();
        }
        put_headers(&mut out, &entry, Style::Layer);
        if *kind == Kind::File {
            out.extend_from_slice(text.as_bytes());
            out.resize(out.len().next_multiple_of(512), 0);
        }
    }
    out.extend_from_slice(&[0; 1024]);
    out
}

use Kind::{Char, Directory, File, Hardlink, Symlink};

/// Each attack either fails or stays inside; a file on the host, beside the directory, stays as it is.
#[test]
fn hostile_archives_stay_inside() {
    if !is_root() {
        return;
    }
    let host = tempfile::tempdir().unwrap();
    let canary = host.path().join("canary");
    fs::write(&canary, "safe").unwrap();
    let absolute = host.path().to_str().unwrap();
    let file = canary.to_str().unwrap();
    for (name, rows, refused) in [
        (
            "dots in a path",
            vec![("../canary", File, "evil"), ("x/../../canary", File, "evil")],
            false,
        ),
        ("an absolute path", vec![(file, File, "evil")], false),
        (
            "a file below an absolute link",
            vec![("l", Symlink, absolute), ("l/canary", File, "evil")],
            false,
        ),
        (
            "a file below a relative link",
            vec![("l", Symlink, "../"), ("l/canary", File, "evil")],
            false,
        ),
        (
            "a file through a link",
            vec![("l", Symlink, file), ("l", File, "evil")],
            false,
        ),
        (
            "a mode through a link",
            vec![("l", Symlink, absolute), ("l", Directory, "")],
            false,
        ),
        (
            "a hard link to the host",
            vec![("h", Hardlink, file), ("h", File, "evil")],
            true,
        ),
        ("a hard link with dots", vec![("h", Hardlink, "../canary")], true),
        (
            "a hard link through a link",
            vec![("l", Symlink, absolute), ("h", Hardlink, "l/canary")],
            true,
        ),
        (
            "a hard link to a directory",
            vec![("d", Directory, ""), ("h", Hardlink, "d")],
            true,
        ),
        (
            "a whiteout behind a link",
            vec![("l", Symlink, absolute), ("l/.wh.canary", File, "")],
            true,
        ),
        (
            "an opaque mark behind a link",
            vec![("l", Symlink, absolute), ("l/.wh..wh..opq", File, "")],
            true,
        ),
        ("a whiteout of nothing", vec![(".wh.", File, "")], true),
        ("a whiteout of the directory", vec![(".wh..", File, "")], true),
        ("a whiteout of the parent", vec![(".wh...", File, "")], true),
        (
            "aufs's own names",
            vec![(".wh..wh.plnk", Directory, ""), (".wh..wh.plnk/x", File, "")],
            false,
        ),
        (
            "a root that is a link",
            vec![(".", Symlink, absolute), ("canary", File, "evil")],
            true,
        ),
        ("a root that is a file", vec![("/", File, "evil")], true),
        ("a root that is a hard link", vec![("./", Hardlink, "x")], true),
        ("a device that is a whiteout", vec![("d", Char, "")], true),
        ("a file as a directory", vec![("a", File, ""), ("a/b", File, "")], true),
        (
            "links in a circle",
            vec![("a", Symlink, "b"), ("b", Symlink, "a"), ("a/x", File, "")],
            true,
        ),
    ] {
        let inside = host.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let done = extract(&tar(&rows), &inside, &Scratch);
        assert_eq!(done.is_err(), refused, "{name}: {done:?}");
        if let Err(error) = done {
            assert_eq!(error.code(), "IMAGE_INVALID", "{name}");
        }
        assert_eq!(fs::read_to_string(&canary).unwrap(), "safe", "{name}");
        let mut names: Vec<_> = fs::read_dir(host.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["canary", "inside"], "{name}");
        fs::remove_dir_all(&inside).unwrap();
    }
}

/// What stands on disk at the end, as `path kind`.
fn on_disk(root: &Path) -> Vec<String> {
    let items = read_upper(Arc::new(super::open(root)), None).unwrap();
    let line = |entry: &Entry| {
        let opaque = if entry.opaque { " opaque" } else { "" };
        format!("{} {:?}{opaque}", path::show(&entry.path), entry.meta.kind)
    };
    items.iter().map(|item| line(&item.entry)).collect()
}

#[test]
fn later_entries_replace_earlier_ones() {
    if !is_root() {
        return;
    }
    for (name, rows, wanted) in [
        (
            "a link by a file",
            vec![("x", Symlink, "y"), ("x", File, "1")],
            vec!["x File"],
        ),
        (
            "a file by a directory",
            vec![("x", File, "1"), ("x", Directory, ""), ("x/y", File, "")],
            vec!["x Directory", "x/y File"],
        ),
        (
            "a tree by a file",
            vec![("x", Directory, ""), ("x/y/z", File, ""), ("x", File, "1")],
            vec!["x File"],
        ),
        (
            "a directory by itself",
            vec![("x", Directory, ""), ("x/y", File, ""), ("x", Directory, "")],
            vec!["x Directory", "x/y File"],
        ),
        (
            "a file whose links stay",
            vec![
                ("a", File, "1"),
                ("b", Hardlink, "a"),
                ("c", Hardlink, "b"),
                ("a", Symlink, "z"),
            ],
            vec!["a Symlink", "b File", "c Hardlink"],
        ),
        (
            "a whiteout keeps this layer's file",
            vec![("x", File, "1"), (".wh.x", File, "")],
            vec!["x File"],
        ),
        (
            "a whiteout hides below this layer's directory",
            vec![("x", Directory, ""), (".wh.x", File, "")],
            vec!["x Directory opaque"],
        ),
        (
            "a directory over a whiteout",
            vec![(".wh.x", File, ""), ("x", Directory, "")],
            vec!["x Directory opaque"],
        ),
        (
            "a file below a whiteout",
            vec![(".wh.x", File, ""), ("x/y", File, "")],
            vec!["x Directory opaque", "x/y File"],
        ),
        (
            "an opaque directory, told late",
            vec![("d/x", File, ""), ("d/.wh..wh..opq", File, "")],
            vec!["d Directory opaque", "d/x File"],
        ),
        (
            "through a link of the layer",
            vec![
                ("usr/lib", Directory, ""),
                ("lib", Symlink, "usr/lib"),
                ("lib/x", File, ""),
            ],
            vec!["lib Symlink", "usr Directory", "usr/lib Directory", "usr/lib/x File"],
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        let entries = extract(&tar(&rows), root.path(), &Scratch).unwrap();
        assert_eq!(on_disk(root.path()), wanted, "{name}");
        let indexed = LayerIndex::new(entries);
        for line in wanted {
            let (at, kind) = line.split_once(' ').unwrap();
            let kind = kind.trim_end_matches(" opaque");
            let found = indexed.find(at.as_bytes()).unwrap();
            assert_eq!(format!("{:?}", found.meta.kind), kind, "{name}: index of {at}");
        }
    }
}

/// A base on disk with its index.
struct Base {
    view: View,
    root: Arc<std::os::fd::OwnedFd>,
}

impl Lower for Base {
    fn stat(&self, at: &[u8]) -> Result<Option<Entry>, Error> {
        Ok(self.view.lookup(at).map(|found| Entry {
            path: at.to_vec(),
            ..found.target.clone()
        }))
    }

    fn content(&self, at: &[u8]) -> Result<Content, Error> {
        Ok(Content::Snapshot {
            root: Arc::clone(&self.root),
            path: at.to_vec(),
        })
    }
}

/// The three kinds of layers that need those below them; wanted is what `umoci unpack` makes of the two layers in order.
#[test]
fn layers_that_lean_on_lower_ones_are_unpacked_as_in_order() {
    if !is_root() {
        return;
    }
    let below = tempfile::tempdir().unwrap();
    let rows = [
        ("usr/lib", Directory, ""),
        ("usr/lib/a", File, "A"),
        ("lib", Symlink, "usr/lib"),
        ("etc", Directory, ""),
    ];
    let entries = extract(&tar(&rows), below.path(), &Scratch).unwrap();
    fs::set_permissions(
        below.path().join("etc"),
        std::os::unix::fs::PermissionsExt::from_mode(0o711),
    )
    .unwrap();
    let mut index = entries;
    index
        .iter_mut()
        .filter(|entry| entry.path == b"etc")
        .for_each(|entry| entry.meta.mode = 0o711);
    let name = LayerRef::Snapshot(SnapshotID(0));
    let layer = Layer {
        index: Arc::new(LayerIndex::new(index)),
        name,
    };
    let base = Base {
        view: View { layers: vec![layer] },
        root: Arc::new(super::open(below.path())),
    };

    let root = tempfile::tempdir().unwrap();
    let rows = [
        ("etc/conf", File, "c"),
        ("lib/b", File, "B"),
        ("copy", Hardlink, "lib/a"),
        ("new/x", File, ""),
    ];
    let entries = extract(&tar(&rows), root.path(), &base).unwrap();
    let wanted = [
        "copy File",
        "etc Directory",
        "etc/conf File",
        "new Directory",
        "new/x File",
        "usr Directory",
        "usr/lib Directory",
        "usr/lib/b File",
    ];
    assert_eq!(on_disk(root.path()), wanted);
    assert_eq!(
        fs::metadata(root.path().join("etc")).unwrap().mode() & 0o7777,
        0o711,
        "a parent below keeps its mode"
    );
    assert_eq!(fs::read_to_string(root.path().join("copy")).unwrap(), "A");
    let copied = entries.iter().find(|entry| entry.path == b"copy").unwrap();
    assert_eq!(copied.sum, Some(crate::layer::layout::sum_of(b"A")));
    assert!(entries.iter().find(|entry| entry.path == b"usr/lib").unwrap().implied);
    assert_eq!(FORM.opaque, Some(b"trusted.overlay.opaque".as_slice()));
}
