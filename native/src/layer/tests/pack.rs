use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::{Scratch, extract, is_root, open, run};
use crate::digest::Digest;
use crate::index::entry::{Entry, Kind};
use crate::index::path;
use crate::layer::blob::BlobWriter;
use crate::layer::layout::Layout;
use crate::layer::pack::{Packed, pack};
use crate::layer::upper::read_upper;

/// Packs a directory; gives the tar as well.
fn pack_with(upper: &Path, threads: usize) -> (Packed, Vec<u8>, Digest) {
    let layout = Layout::new(read_upper(Arc::new(open(upper)), None).unwrap());
    let tar = layout.fill(0..layout.length).unwrap().bytes;
    let store = tempfile::tempdir().unwrap();
    let mut writer = BlobWriter::create(store.path().join("new")).unwrap();
    let packed = pack(layout, Some(&mut writer), threads, None, &|| false).unwrap();
    let (digest, size) = writer.keep(store.path()).unwrap();
    let blob = store.path().join(digest.hex());
    assert_eq!(fs::metadata(&blob).unwrap().len(), size);
    // What gzip and sha256sum say must be what we say.
    let shell = format!("sha256sum < {0}; gzip -dc < {0} | sha256sum", blob.display());
    let wanted = format!(
        "{}  -\n{}  -\n",
        digest.hex(),
        Digest::from_bytes(&packed.diff_id).hex()
    );
    assert_eq!(run("sh", &["-c", &shell]), wanted);
    (packed, tar, digest)
}

fn shape(entries: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| {
        let meta = &entry.meta;
        let (path, link) = (path::show(&entry.path), path::show(&meta.link));
        let opaque = if entry.opaque { " opaque" } else { "" };
        format!(
            "{path} {:?} {:o} {} {} {} {link}{opaque}",
            meta.kind, meta.mode, meta.uid, meta.size, meta.mtime.0
        )
    };
    entries
        .iter()
        .filter(|entry| !entry.path.is_empty())
        .map(line)
        .collect()
}

fn sample(root: &Path) {
    let long = "n".repeat(120);
    fs::create_dir_all(root.join("a/b").join(&long).join(&long)).unwrap();
    fs::create_dir(root.join("a-b")).unwrap();
    fs::write(root.join("a/b").join(&long).join(&long).join("f"), "long").unwrap();
    fs::write(root.join("a/empty"), "").unwrap();
    fs::write(root.join("a/grün"), "x").unwrap();
    fs::write(root.join("a/script"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("a/script"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(root.join("a/script"), root.join("zlink")).unwrap();
    symlink("../".repeat(40) + "etc", root.join("a/link")).unwrap();
    // Crosses pieces, and ends inside one.
    let big: Vec<u8> = (0..3_500_000u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    fs::write(root.join("big"), big).unwrap();
    for number in 0..2000 {
        fs::write(
            root.join(format!("a-b/{number}")),
            format!("{number}").repeat(number % 300),
        )
        .unwrap();
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let root = tempfile::tempdir().unwrap();
    sample(root.path());
    let (one, _, first) = pack_with(root.path(), 1);
    for threads in [2, 3, 8] {
        let (other, _, digest) = pack_with(root.path(), threads);
        assert_eq!(
            (one.diff_id, &one.entries),
            (other.diff_id, &other.entries),
            "{threads}"
        );
        assert_eq!(first, digest, "{threads}");
    }
}

#[test]
fn gnu_tar_lists_what_it_would_have_packed() {
    let root = tempfile::tempdir().unwrap();
    sample(root.path());
    let (packed, tar, _) = pack_with(root.path(), 2);
    let work = tempfile::tempdir().unwrap();
    let (ours, theirs) = (work.path().join("ours.tar"), work.path().join("theirs.tar"));
    fs::write(&ours, &tar).unwrap();
    let directory = root.path().to_str().unwrap();
    let names = [
        "--sort=name",
        "--format=posix",
        "-cf",
        theirs.to_str().unwrap(),
        "-C",
        directory,
        "a",
        "a-b",
        "big",
        "zlink",
    ];
    run("tar", &names);
    let list = |archive: &Path| {
        let list = run("tar", &["--numeric-owner", "-tvf", archive.to_str().unwrap()]);
        let mut lines: Vec<String> = list
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        lines.sort();
        lines
    };
    for (ours, theirs) in list(&ours).iter().zip(list(&theirs)) {
        assert_eq!(*ours, theirs);
    }
    assert_eq!(list(&ours).len(), list(&theirs).len());
    for entry in packed.entries.iter().filter(|entry| entry.meta.kind == Kind::File) {
        let content = &tar[entry.offset as usize..][..entry.meta.size as usize];
        assert_eq!(
            content,
            fs::read(root.path().join(path::show(&entry.path))).unwrap(),
            "offset of {}",
            path::show(&entry.path)
        );
        assert_eq!(
            entry.sum,
            Some(crate::layer::layout::sum_of(content)),
            "digest of {}",
            path::show(&entry.path)
        );
    }
}

#[test]
fn an_upper_directory_without_a_change_is_the_empty_layer() {
    let root = tempfile::tempdir().unwrap();
    let (packed, tar, _) = pack_with(root.path(), 2);
    assert_eq!((packed.count, tar), (0, vec![0; 1024]));
    // head -c 1024 /dev/zero | sha256sum
    let wanted = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    assert_eq!(Digest::from_bytes(&packed.diff_id).hex(), wanted);
}

#[test]
fn what_is_packed_and_unpacked_is_the_same_upper_directory() {
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    sample(root.path());
    let at = |name: &str| root.path().join(name);
    rustix::fs::mknodat(CWD, at("a/gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    rustix::fs::mknodat(
        CWD,
        at("a/null"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o666),
        rustix::fs::makedev(1, 3),
    )
    .unwrap();
    rustix::fs::mknodat(CWD, at("a/pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    rustix::fs::setxattr(at("a-b"), c"trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    // cap_net_bind_service=ep, as setcap writes it.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    rustix::fs::setxattr(at("a/script"), c"security.capability", &capability, XattrFlags::empty()).unwrap();
    rustix::fs::setxattr(at("a/empty"), c"trusted.overlay.origin", b"x", XattrFlags::empty()).unwrap();
    let (packed, tar, _) = pack_with(root.path(), 2);
    let names: Vec<String> = run_list(&tar);
    for name in ["a/.wh.gone", "a-b/.wh..wh..opq"] {
        assert!(names.iter().any(|other| other == name), "{name}");
    }
    assert!(
        !tar.windows(15).any(|bytes| bytes == b"trusted.overlay"),
        "marks of the host stay on the host"
    );
    let again = tempfile::tempdir().unwrap();
    let entries = extract(&tar, again.path(), &Scratch).unwrap();
    assert_eq!(
        shape(&entries),
        shape(&packed.entries),
        "the index made while unpacking"
    );
    let (repacked, ..) = pack_with(again.path(), 1);
    assert_eq!(shape(&repacked.entries), shape(&packed.entries));
    assert_eq!(repacked.diff_id, packed.diff_id);
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(again.path().join("a/script"), c"security.capability", &mut value).unwrap();
    assert_eq!(&value[..length], capability);
}

fn run_list(tar: &[u8]) -> Vec<String> {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("x.tar");
    fs::write(&file, tar).unwrap();
    run("tar", &["-tf", file.to_str().unwrap()])
        .lines()
        .map(str::to_owned)
        .collect()
}
