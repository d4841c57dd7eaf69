//! Where COPY puts what: rows of (what the parent has, sources, destination, what the layer holds).

use std::sync::Arc;

use super::archive::Archive;
use super::chmod::Chmod;
use super::draft::{Draft, NewParents};
use super::place::{Attributes, Destination, place};
use crate::digest::{LayerRef, SnapshotID};
use crate::error::Error;
use crate::index::entry::{Entry, Kind, Meta};
use crate::index::layer::LayerIndex;
use crate::index::path;
use crate::index::view::{Layer, View};
use crate::layer::content::Content;
use crate::layer::tar_write::{Style, put_headers};
use crate::tree::select::{Patterns, select};
use crate::tree::source::Tree;

use Kind::{Directory, File, Symlink};

type Row<'a> = (&'a str, Kind, u32, &'a str);

fn view(rows: &[Row<'_>]) -> View {
    let entry = |(path, kind, mode, link): &Row<'_>| {
        let mut meta = Meta::new(*kind, *mode);
        meta.link = link.as_bytes().to_vec();
        (meta.uid, meta.gid, meta.mtime) = (1, 2, (77, 5));
        Entry::new(path.as_bytes().to_vec(), meta)
    };
    let index = Arc::new(LayerIndex::new(rows.iter().map(entry).collect()));
    View {
        layers: vec![Layer {
            index,
            name: LayerRef::Snapshot(SnapshotID(0)),
        }],
    }
}

fn copy(
    parent: &[Row<'_>],
    sources: &[&str],
    destination: &str,
    attributes: &Attributes,
) -> Result<Vec<String>, Error> {
    let rows = [
        ("f", File, 0o640, ""),
        ("g", File, 0o644, ""),
        ("d", Directory, 0o700, ""),
        ("d/x", File, 0o600, ""),
        ("d/sub", Directory, 0o750, ""),
        ("d/sub/y", File, 0o600, ""),
        ("d/link", Symlink, 0o777, "x"),
    ];
    let tree = Tree::view(view(&rows), Box::new(|_| Err(Error::internal("not read"))));
    let tree = match tree {
        Tree::View { view, roots, .. } => {
            let open = Box::new(|_: &LayerRef| Ok(std::fs::File::open("/").unwrap().into()));
            Tree::View { view, roots, open }
        }
        other => other,
    };
    let sources: Vec<String> = sources.iter().map(|&source| source.to_owned()).collect();
    let matches = select(
        &tree,
        &Patterns {
            sources: &sources,
            exclude: &[],
            parents: false,
        },
    )?;
    let mut draft = Draft::new(view(parent));
    let to = Destination::new(destination);
    for (number, found) in matches.iter().enumerate() {
        place(&mut draft, &tree, (number, found), &to, attributes, &mut |_, _| {})?;
    }
    Ok(show(draft))
}

fn show(draft: Draft) -> Vec<String> {
    let line = |entry: &Entry| {
        let meta = &entry.meta;
        format!("{} {:o} {}:{}", path::show(&entry.path), meta.mode, meta.uid, meta.gid)
    };
    draft.finish().iter().map(|item| line(&item.entry)).collect()
}

#[test]
fn destinations_are_read_as_docker_reads_them() {
    let dir = || ("dst", Directory, 0o711, "");
    for (name, parent, sources, destination, wanted) in [
        ("a file to a new name", vec![], vec!["f"], "/new", vec!["new 640 1:2"]),
        (
            "a file into a new directory",
            vec![],
            vec!["f"],
            "/new/",
            vec!["new 755 0:0", "new/f 640 1:2"],
        ),
        (
            "a file into a directory that is there",
            vec![dir()],
            vec!["f"],
            "/dst",
            vec!["dst 711 1:2", "dst/f 640 1:2"],
        ),
        (
            "a file onto a file",
            vec![("dst", File, 0o600, "")],
            vec!["f"],
            "/dst",
            vec!["dst 640 1:2"],
        ),
        (
            "parents that are missing",
            vec![],
            vec!["f"],
            "/a/b/c",
            vec!["a 755 0:0", "a/b 755 0:0", "a/b/c 640 1:2"],
        ),
        (
            "the last of several files to a new name",
            vec![],
            vec!["f", "g"],
            "/new",
            vec!["new 644 1:2"],
        ),
        (
            "the last match of a wildcard to a new name",
            vec![],
            vec!["[fg]"],
            "/new",
            vec!["new 644 1:2"],
        ),
        (
            "a directory to a new name, a file into it",
            vec![],
            vec!["d/sub", "f"],
            "/new",
            vec!["new 755 0:0", "new/f 640 1:2", "new/y 600 1:2"],
        ),
        (
            "several files onto a file",
            vec![("dst", File, 0o644, "")],
            vec!["g", "f"],
            "/dst",
            vec!["dst 640 1:2"],
        ),
        (
            "a directory gives its contents",
            vec![],
            vec!["d"],
            "/new",
            vec![
                "new 755 0:0",
                "new/link 777 1:2",
                "new/sub 750 1:2",
                "new/sub/y 600 1:2",
                "new/x 600 1:2",
            ],
        ),
        (
            "the top keeps its mode, what is nested takes the source's",
            vec![dir(), ("dst/sub", Directory, 0o777, "")],
            vec!["d/"],
            "/dst",
            vec![
                "dst 711 1:2",
                "dst/link 777 1:2",
                "dst/sub 750 1:2",
                "dst/sub/y 600 1:2",
                "dst/x 600 1:2",
            ],
        ),
        ("to the root", vec![], vec!["d/sub"], "/", vec!["y 600 1:2"]),
        (
            "a link as destination is followed",
            vec![("l", Symlink, 0o777, "dst"), dir()],
            vec!["f"],
            "/l/x",
            vec!["dst 711 1:2", "dst/x 640 1:2"],
        ),
        (
            "a link to a file as destination is followed",
            vec![("l", Symlink, 0o777, "/e/x")],
            vec!["f"],
            "/l",
            vec!["e 755 0:0", "e/x 640 1:2"],
        ),
        (
            "a link inside is replaced",
            vec![dir(), ("dst/f", Symlink, 0o777, "/etc/passwd")],
            vec!["f"],
            "/dst/",
            vec!["dst 711 1:2", "dst/f 640 1:2"],
        ),
        ("dots stay inside", vec![], vec!["f"], "/../../x", vec!["x 640 1:2"]),
    ] {
        assert_eq!(
            copy(&parent, &sources, destination, &Attributes::default()).unwrap(),
            wanted,
            "{name}"
        );
    }
}

#[test]
fn what_stands_in_the_way_is_an_error() {
    for (name, parent, sources, destination) in [
        (
            "a directory onto a file",
            vec![("dst", File, 0o644, "")],
            vec!["d"],
            "/dst",
        ),
        (
            "a file below a file",
            vec![("dst", File, 0o644, "")],
            vec!["f"],
            "/dst/x",
        ),
        ("a directory onto the file before it", vec![], vec!["f", "d"], "/dst"),
        (
            "a nested file onto a directory",
            vec![("x", Directory, 0o755, "")],
            vec!["d"],
            "/",
        ),
        (
            "a nested directory onto a link",
            vec![("sub", Symlink, 0o777, "/")],
            vec!["d"],
            "/",
        ),
        ("links in a circle", vec![("l", Symlink, 0o777, "l")], vec!["f"], "/l"),
    ] {
        let error = copy(&parent, &sources, destination, &Attributes::default()).unwrap_err();
        assert_eq!(error.code(), "COPY_FAILED", "{name}");
    }
}

#[test]
fn owners_and_modes_apply_to_what_is_copied_and_to_new_parents() {
    let octal = Attributes {
        owner: Some((5, 6)),
        chmod: Some(Chmod::parse("0741").unwrap()),
    };
    let wanted = [
        "dst 711 1:2",
        "dst/new 741 5:6",
        "dst/new/link 777 5:6",
        "dst/new/sub 741 5:6",
        "dst/new/sub/y 741 5:6",
        "dst/new/x 741 5:6",
    ];
    assert_eq!(
        copy(&[("dst", Directory, 0o711, "")], &["d"], "/dst/new/", &octal).unwrap(),
        wanted
    );
    let symbolic = Attributes {
        owner: None,
        chmod: Some(Chmod::parse("go=rX").unwrap()),
    };
    assert_eq!(
        copy(&[], &["d/sub"], "/n", &symbolic).unwrap(),
        ["n 755 0:0", "n/y 644 1:2"]
    );
}

#[test]
fn times_depend_on_nothing_but_the_sources() {
    let parent = [("there", Directory, 0o755, "")];
    let mut draft = Draft::new(view(&parent));
    let new = NewParents {
        mode: 0o755,
        owner: (0, 0),
    };
    draft.make_directories(b"there/new/deep", new).unwrap();
    let mut meta = Meta::new(File, 0o644);
    meta.mtime = (500, 999);
    draft
        .add_leaf(b"there/new/deep/f", meta, crate::layer::content::Content::None, None)
        .unwrap();
    let times: Vec<_> = draft.finish().iter().map(|item| item.entry.meta.mtime).collect();
    assert_eq!(
        times,
        [(77, 0), (500, 0), (500, 0), (500, 0)],
        "what was there keeps its time, new parents get the newest"
    );
    let mut draft = Draft::new(view(&parent));
    draft.make_directories(b"there/new", new).unwrap();
    let (seconds, _) = draft.finish()[1].entry.meta.mtime;
    assert!(seconds > 1_700_000_000, "with nothing copied it is made now: {seconds}");
}

/// As an archive with many files has them: what is looked at for each is what is below it, not all that there is.
#[test]
fn replacing_takes_what_is_below_and_nothing_else() {
    let mut draft = Draft::new(view(&[]));
    let none = || Content::None;
    for path in ["a/x", "a/y/z", "a-b", "b", "ab/c"] {
        draft
            .replace(path.as_bytes(), Meta::new(Kind::File, 0o644), none(), None)
            .unwrap();
    }
    draft
        .replace(b"a", Meta::new(Kind::Symlink, 0o777), none(), None)
        .unwrap();
    let paths: Vec<String> = draft.finish().iter().map(|item| path::show(&item.entry.path)).collect();
    assert_eq!(paths, ["a", "a-b", "ab", "ab/c", "b"]);
}

/// A file in place of a directory of the parent hides what is in that, and nothing beside it.
#[test]
fn what_a_new_file_covers_is_gone() {
    let rows = ["a", "d", "d/s", "d/s/x", "d-", "e"].map(|path| (path, Directory, 0o700, ""));
    let mut draft = Draft::new(view(&rows));
    draft
        .replace(b"d", Meta::new(File, 0o644), Content::None, None)
        .unwrap();
    let shown = |path: &&str| draft.stat(path.as_bytes()).is_some();
    let asked = ["a", "d", "d/s", "d/s/x", "d/n", "d-", "d-/n", "e"];
    let found: Vec<&str> = asked.into_iter().filter(shown).collect();
    assert_eq!(found, ["a", "d", "d-", "e"]);
    let mut put = |path: &str, kind| draft.replace(path.as_bytes(), Meta::new(kind, 0o755), Content::None, None);
    assert!(put("d", Directory).is_err(), "what was there would come back");
    put("new", File).unwrap();
    put("new", Directory).unwrap();
    put("e", Directory).unwrap();
}

/// Behind a symlink to a deep directory a short name is a path that is too long for any.
#[test]
fn paths_behind_symlinks_have_a_limit() {
    let deep = ["d"; 1500].join("/");
    let mut tar = Vec::new();
    for (at, kind, link) in [
        (deep.clone(), Directory, ""),
        ("l".to_owned(), Symlink, deep.as_str()),
        (format!("l/{}", &deep[..900]), Directory, ""),
        (format!("l/{deep}"), Directory, ""),
    ] {
        let mut entry = Entry::new(at.into_bytes(), Meta::new(kind, 0o755));
        entry.meta.link = link.as_bytes().to_vec();
        put_headers(&mut tar, &entry, Style::Layer);
    }
    tar.resize(tar.len() + 1024, 0);
    let folder = tempfile::tempdir().unwrap();
    let size = tar.len() as u64;
    let archive = Archive {
        name: b"a.tar",
        content: &Content::Bytes(tar.into()),
        size,
        number: 0,
        spool: folder.path().join("spool"),
        below: &|_| Err(Error::internal("not read")),
    };
    let mut draft = Draft::new(view(&[]));
    let unpacked = archive.unpack(&mut draft, b"", &Attributes::default());
    assert!(unpacked.unwrap_err().to_string().ends_with("it has too long a path"));
    assert_eq!(draft.weight().entries, 1500 + 1 + 450);
}

#[test]
fn names_of_one_file_change_together() {
    let mut draft = Draft::new(view(&[]));
    let id = (7, (1, 1));
    for path in ["a", "b"] {
        draft
            .replace(path.as_bytes(), Meta::new(Kind::File, 0o644), Content::None, Some(id))
            .unwrap();
    }
    draft.change_linked(id, &Meta::new(Kind::File, 0o600));
    assert_eq!(draft.stat(b"a").map(|meta| meta.mode), Some(0o600));
    let modes: Vec<u32> = draft.finish().iter().map(|item| item.entry.meta.mode).collect();
    assert_eq!(modes, [0o600, 0o600]);
}
