//! Packing a directory that holds a secret.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::{is_root, open};
use crate::error::Error;
use crate::layer::blob::BlobWriter;
use crate::layer::layout::Layout;
use crate::layer::pack::{MEMBER, pack};
use crate::layer::upper::read_upper;
use crate::secret::Search;

const SECRET: &str = "dir-one/dir-two-s3cr3t";

/// What packing says, and whether it left a blob.
fn pack_with(upper: &Path, threads: usize) -> Result<(), Error> {
    let search = Search::of("id", SECRET.as_bytes());
    let layout = Layout::new(read_upper(Arc::new(open(upper)), None).unwrap());
    let store = tempfile::tempdir().unwrap();
    let mut writer = BlobWriter::create(store.path().join("new")).unwrap();
    let packed = pack(layout, Some(&mut writer), threads, Some(&search), &|| false);
    drop(writer);
    assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);
    packed.map(drop)
}

fn refused(upper: &Path, threads: usize, want: &str, what: &str) {
    let error = pack_with(upper, threads).expect_err(what);
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("SECRET_LEAKED", want),
        "{what}"
    );
}

#[test]
fn a_secret_in_a_file_is_found_wherever_it_lies() {
    let upper = tempfile::tempdir().unwrap();
    let file = upper.path().join("file");
    // Its content begins after its header.
    let border = MEMBER as usize - 512;
    let length = SECRET.len();
    for threads in [2] {
        for at in (border - length - 1..border + 2).chain([0, border * 2 + 100]) {
            let content = [vec![b'.'; at], SECRET.as_bytes().to_vec(), vec![b'.'; 700]].concat();
            fs::write(&file, content).unwrap();
            let what = format!("at {at}, {threads} threads");
            refused(upper.path(), threads, "\"/file\" holds the secret \"id\"", &what);
        }
    }
    fs::write(&file, [vec![b'.'; border], SECRET.as_bytes()[1..].to_vec()].concat()).unwrap();
    pack_with(upper.path(), 2).unwrap();
}

#[test]
fn a_secret_in_a_header_is_found() {
    let long = "n".repeat(110);
    type Make<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Make<'_>, &str); 5] = [
        (
            "a path",
            &|root| {
                fs::create_dir_all(root.join("dir-one")).unwrap();
                fs::write(root.join(SECRET), "").unwrap();
            },
            "the name or an attribute of \"/dir-one/dir-two-s3cr3t\" holds the secret \"id\"",
        ),
        (
            // The header has the directory in one field and the name in another.
            "a path that is split",
            &|root| {
                let parent = root.join(&long[..90]).join("dir-one");
                fs::create_dir_all(&parent).unwrap();
                fs::write(parent.join("dir-two-s3cr3t"), "").unwrap();
            },
            &format!(
                "the name or an attribute of \"/{}/dir-one/dir-two-s3cr3t\" holds the secret \"id\"",
                &long[..90]
            ),
        ),
        (
            "a target",
            &|root| symlink(format!("/x/{SECRET}"), root.join("link")).unwrap(),
            "the name, the target or an attribute of \"/link\" holds the secret \"id\"",
        ),
        (
            "a long target",
            &|root| symlink(format!("/{long}/{SECRET}"), root.join("link")).unwrap(),
            "the name, the target or an attribute of \"/link\" holds the secret \"id\"",
        ),
        (
            "an attribute",
            &|root| {
                fs::write(root.join("file"), "").unwrap();
                let file = fs::File::open(root.join("file")).unwrap();
                rustix::fs::fsetxattr(&file, "user.token", SECRET.as_bytes(), XattrFlags::empty()).unwrap();
            },
            "the name or an attribute of \"/file\" holds the secret \"id\"",
        ),
    ];
    for (what, make, want) in cases {
        let upper = tempfile::tempdir().unwrap();
        make(upper.path());
        refused(upper.path(), 2, want, what);
    }
}

#[test]
fn a_secret_in_the_name_of_a_whiteout_is_found() {
    if !is_root() {
        return;
    }
    let upper = tempfile::tempdir().unwrap();
    fs::create_dir(upper.path().join("dir-one")).unwrap();
    let gone = upper.path().join(SECRET);
    rustix::fs::mknodat(CWD, &gone, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    // `.wh.` stands between: it is the name of the file that tells.
    pack_with(upper.path(), 1).unwrap();
    let whole = upper.path().join("dir-two-s3cr3t");
    rustix::fs::mknodat(CWD, &whole, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    let search = Search::of("id", b"two-s3cr3t");
    let layout = Layout::new(read_upper(Arc::new(open(upper.path())), None).unwrap());
    assert!(pack(layout, None, 1, Some(&search), &|| false).is_err());
}
