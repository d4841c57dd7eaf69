//! Selections of a real directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::digest;
use super::ignore::Ignore;
use super::select::{Match, Patterns, select};
use super::source::Tree;
use super::stat_cache::StatCache;
use crate::error::Error;
use crate::index::path;

fn sample() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in [
        "a.txt",
        "b.txt",
        "c.md",
        "[x].txt",
        "dir/one",
        "dir/two.md",
        "dir/sub/three",
        "other/sub/four",
        "empty/.keep",
    ] {
        let at = root.path().join(name);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, name).unwrap();
    }
    symlink("a.txt", root.path().join("link")).unwrap();
    symlink("dir", root.path().join("dirlink")).unwrap();
    symlink("../../../../etc/hostname", root.path().join("dir/out")).unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    root
}

fn tree(root: &Path, ignore: &[&str]) -> Tree<'static> {
    let lines: Vec<String> = ignore.iter().map(|&line| line.to_owned()).collect();
    Tree::host(
        fs::File::open(root).unwrap().into(),
        Ignore::from_excludes(&lines).unwrap(),
    )
}

fn selected(
    root: &Path,
    ignore: &[&str],
    sources: &[&str],
    exclude: &[&str],
    parents: bool,
) -> Result<Vec<Match>, Error> {
    let owned = |list: &[&str]| -> Vec<String> { list.iter().map(|&text| text.to_owned()).collect() };
    let (sources, exclude) = (owned(sources), owned(exclude));
    select(
        &tree(root, ignore),
        &Patterns {
            sources: &sources,
            exclude: &exclude,
            parents,
        },
    )
}

fn names(matches: &[Match]) -> Vec<String> {
    matches
        .iter()
        .flat_map(|found| found.items.iter().map(|item| path::show(&item.to)))
        .collect()
}

#[test]
fn sources_are_read_as_copy_reads_them() {
    let root = sample();
    let whole_dir = vec!["one", "out", "sub", "sub/three", "two.md"];
    for (sources, wanted) in [
        (vec!["a.txt"], vec!["a.txt"]),
        (vec!["/a.txt"], vec!["a.txt"]),
        (vec!["./dir/../a.txt"], vec!["a.txt"]),
        (vec!["../../a.txt"], vec!["a.txt"]),
        (vec!["dir"], whole_dir.clone()),
        (vec!["dir/"], whole_dir.clone()),
        (vec!["dirlink"], whole_dir.clone()),
        (vec!["dirlink/one"], vec!["one"]),
        (vec!["link"], vec!["link"]),
        (vec!["?.txt"], vec!["a.txt", "b.txt"]),
        (vec!["[b-z].*"], vec!["b.txt", "c.md"]),
        (vec!["\\[x].txt"], vec!["[x].txt"]),
        (vec!["*/sub"], vec!["three", "four"]),
        (vec!["nothing*", "a.txt"], vec!["a.txt"]),
        (vec!["b.txt", "dir/sub"], vec!["b.txt", "three"]),
    ] {
        assert_eq!(
            names(&selected(root.path(), &[], &sources, &[], false).unwrap()),
            wanted,
            "{sources:?}"
        );
    }
}

#[test]
fn ignore_rules_and_excludes_leave_out() {
    let root = sample();
    for (ignore, sources, exclude, wanted) in [
        (
            vec!["dir"],
            vec!["."],
            vec!["*.txt", "other", "d*"],
            vec!["c.md", "empty", "empty/.keep", "link"],
        ),
        (
            vec!["*", "!dir/sub"],
            vec!["."],
            vec![],
            vec!["dir", "dir/sub", "dir/sub/three"],
        ),
        (
            vec!["**/sub", "!**/three"],
            vec!["dir", "other"],
            vec![],
            vec!["one", "out", "sub", "sub/three", "two.md"],
        ),
        (vec![], vec!["dir"], vec!["sub", "*.md"], vec!["one", "out"]),
        // What is named itself is never left out.
        (vec![], vec!["*.txt"], vec!["b*"], vec!["[x].txt", "a.txt", "b.txt"]),
        (
            vec![],
            vec!["dir"],
            vec!["/sub", "./sub", ""],
            vec!["one", "out", "two.md"],
        ),
        (vec![], vec!["dir"], vec!["**", "!sub/three"], vec!["sub", "sub/three"]),
    ] {
        let found = selected(root.path(), &ignore, &sources, &exclude, false).unwrap();
        assert_eq!(names(&found), wanted, "{ignore:?} {sources:?} {exclude:?}");
    }
}

#[test]
fn parents_keep_the_directories_of_a_path() {
    let root = sample();
    for (source, wanted) in [
        ("dir/sub/three", vec!["dir", "dir/sub", "dir/sub/three"]),
        ("dir/./sub/three", vec!["sub", "sub/three"]),
        (
            "*/sub",
            vec![
                "dir",
                "dir/sub",
                "dir/sub/three",
                "other",
                "other/sub",
                "other/sub/four",
            ],
        ),
        ("**/four", vec!["other", "other/sub", "other/sub/four"]),
    ] {
        assert_eq!(
            names(&selected(root.path(), &[], &[source], &[], true).unwrap()),
            wanted,
            "{source}"
        );
    }
}

#[test]
fn what_is_missing_says_why() {
    let root = sample();
    for (ignore, source, line, names) in [
        (vec![], "a.tx", None, vec!["a.txt", "b.txt"]),
        (vec![], "dri/one", None, vec!["dir/one"]),
        (vec![], "a.md", None, vec!["a.txt"]),
        (vec![], "A.TXT", None, vec!["a.txt"]),
        (vec![], "three", None, vec!["dir/sub/three"]),
        (vec![], "dang*", None, vec![]),
        (vec![], "dir/tow.md", None, vec!["dir/two.md"]),
        (vec!["c*", "*.txt"], "a.txt", Some(2), vec![]),
        (vec!["dir"], "dir/one", Some(1), vec![]),
        (vec![], "dangling", None, vec![]),
        (vec![], "dir/out", None, vec![]),
    ] {
        match selected(root.path(), &ignore, &["b*", source], &[], false)
            .err()
            .or_else(|| selected(root.path(), &ignore, &[source], &[], false).err())
        {
            Some(Error::SourceMissing(missing)) => {
                let (ignored_by, similar) = (missing.ignored_by, &missing.similar);
                assert_eq!(ignored_by, line, "{source}");
                assert!(
                    names.iter().all(|name| similar.iter().any(|other| other == name)),
                    "{source}: {similar:?}"
                );
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

fn digest_of(root: &Path, source: &str, cache: Option<&StatCache>) -> String {
    let tree = tree(root, &[]);
    let mut found = selected(root, &[], &[source], &[], false).unwrap();
    digest::fill(&tree, &mut found, cache).unwrap();
    digest::of_selection(&found).to_string()
}

#[test]
fn the_digest_covers_what_a_layer_would_hold_but_no_times() {
    let root = sample();
    let dir = root.path().join("dir");
    let first = digest_of(root.path(), "dir", None);
    let changed = |change: &dyn Fn()| {
        change();
        digest_of(root.path(), "dir", None)
    };
    let touch = || {
        fs::File::open(dir.join("one"))
            .unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap()
    };
    assert_eq!(changed(&touch), first, "a time");
    let mut seen = vec![first];
    for (name, change) in [
        (
            "a byte",
            Box::new(|| fs::write(dir.join("one"), "dir/onf").unwrap()) as Box<dyn Fn()>,
        ),
        (
            "a mode",
            Box::new(|| {
                fs::set_permissions(dir.join("one"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap()
            }),
        ),
        (
            "a name",
            Box::new(|| fs::rename(dir.join("one"), dir.join("two")).unwrap()),
        ),
        (
            "a link",
            Box::new(|| {
                fs::remove_file(dir.join("out")).unwrap();
                symlink("x", dir.join("out")).unwrap();
            }),
        ),
        ("a directory", Box::new(|| fs::create_dir(dir.join("new")).unwrap())),
        (
            "an attribute",
            Box::new(|| {
                rustix::fs::setxattr(dir.join("two"), c"user.a", b"b", rustix::fs::XattrFlags::empty()).unwrap()
            }),
        ),
    ] {
        let next = changed(&*change);
        assert!(!seen.contains(&next), "{name}");
        seen.push(next);
    }
    fs::create_dir(root.path().join("single")).unwrap();
    fs::write(root.path().join("single/a.txt"), "a.txt").unwrap();
    assert_ne!(
        digest_of(root.path(), "single", None),
        digest_of(root.path(), "single/a.txt", None),
        "a file is no directory with it"
    );
}

#[test]
fn a_cache_gives_the_same_digest_and_reads_nothing() {
    let root = sample();
    rustix::fs::setxattr(
        root.path().join("a.txt"),
        c"user.a",
        b"b",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    let wanted = digest_of(root.path(), ".", None);
    // As if the first build began an hour from now: all that is there was written long before.
    let later = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as i128
        + 3_600_000_000_000;
    let cache = StatCache::new(Vec::new(), later);
    assert_eq!(digest_of(root.path(), ".", Some(&cache)), wanted);
    let second = StatCache::new(cache.encode().unwrap(), later);
    assert_eq!(digest_of(root.path(), ".", Some(&second)), wanted);
    assert!(second.encode().is_none(), "everything was known");
    fs::write(root.path().join("a.txt"), "A.txt").unwrap();
    assert_ne!(digest_of(root.path(), ".", Some(&second)), wanted);
}
