use std::fs;
use std::io::Read as _;

use super::run;
use crate::error::Error;
use crate::index::entry::{Entry, Kind, Meta};
use crate::index::path;
use crate::layer::tar_read::{Header, TarReader};
use crate::layer::tar_write::{Style, put_headers};

pub fn read_all(tar: &[u8]) -> Result<Vec<(Header, Vec<u8>)>, Error> {
    let mut reader = TarReader::new(tar);
    let mut entries = Vec::new();
    while let Some(header) = reader.next()? {
        let mut content = Vec::new();
        let mut buffer = [0; 777];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                count => content.extend_from_slice(&buffer[..count]),
            }
        }
        entries.push((header, content));
    }
    let mut rest = reader.finish()?;
    assert_eq!(rest.read(&mut [0; 1]).unwrap(), 0);
    Ok(entries)
}

/// Every format that GNU tar writes, of the same tree; the listing is GNU tar's own.
#[test]
fn archives_of_gnu_tar_are_read() {
    let work = tempfile::tempdir().unwrap();
    let tree = work.path().join("tree");
    fs::create_dir_all(tree.join("d/e")).unwrap();
    fs::write(tree.join("d/f"), "content").unwrap();
    fs::hard_link(tree.join("d/f"), tree.join("d/g")).unwrap();
    std::os::unix::fs::symlink("f", tree.join("d/s")).unwrap();
    let long = tree.join("d").join("l".repeat(90));
    for (format, has_long_names) in [
        ("v7", false),
        ("oldgnu", true),
        ("gnu", true),
        ("ustar", true),
        ("posix", true),
    ] {
        if has_long_names {
            fs::create_dir_all(&long).unwrap();
            fs::write(long.join("x".repeat(80)), "deep").unwrap();
        }
        let file = work.path().join(format);
        let archive = file.to_str().unwrap();
        run(
            "tar",
            &[
                "--sort=name",
                &format!("--format={format}"),
                "-cf",
                archive,
                "-C",
                tree.to_str().unwrap(),
                "d",
            ],
        );
        let names: Vec<String> = run("tar", &["-tf", archive]).lines().map(str::to_owned).collect();
        let entries = read_all(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(
            entries
                .iter()
                .map(|(header, _)| path::show(&header.path))
                .collect::<Vec<_>>(),
            names,
            "{format}"
        );
        let find = |name: &str| {
            entries
                .iter()
                .find(|(header, _)| path::show(&header.path) == name)
                .unwrap()
        };
        assert_eq!(find("d/f").1, b"content", "{format}");
        assert_eq!(
            (find("d/g").0.meta.kind, find("d/g").0.meta.link.as_slice()),
            (Kind::Hardlink, b"d/f".as_slice()),
            "{format}"
        );
        assert_eq!(
            (find("d/s").0.meta.kind, find("d/s").0.meta.link.as_slice()),
            (Kind::Symlink, b"f".as_slice()),
            "{format}"
        );
    }
}

/// Numbers and records that only some writers make, by Python's tarfile.
#[test]
fn archives_of_python_are_read() {
    let script = r#"
import io, sys, tarfile
def add(t, name, data=b"", **fields):
    i = tarfile.TarInfo(name); i.size = len(data)
    for k, v in fields.items(): setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
which = sys.argv[1]
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.GNU_FORMAT if which == "gnu" else tarfile.PAX_FORMAT)
if which == "gnu":
    add(t, "id", uid=3000000, gid=2**31, mtime=-5)
    add(t, "n" * 300, b"x")
else:
    add(t, "id", uid=3000000, gid=2**31, mtime=-1.5)
    add(t, "x", b"abc", pax_headers={"SCHILY.xattr.user.a": "v", "SCHILY.xattr.security.selinux": "no", "comment": "c"})
    add(t, "n" * 300, b"x")
    add(t, "gr\u00fcn", b"y")
t.close()
"#;
    let archive = |which: &str| {
        let output = std::process::Command::new("python3")
            .args(["-c", script, which])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        read_all(&output.stdout).unwrap()
    };
    let gnu = archive("gnu");
    assert_eq!(
        (gnu[0].0.meta.uid, gnu[0].0.meta.gid, gnu[0].0.meta.mtime),
        (3_000_000, 1 << 31, (-5, 0))
    );
    assert_eq!((gnu[1].0.path.len(), gnu[1].1.as_slice()), (300, b"x".as_slice()));
    let pax = archive("pax");
    assert_eq!(
        (pax[0].0.meta.uid, pax[0].0.meta.gid, pax[0].0.meta.mtime),
        (3_000_000, 1 << 31, (-2, 500_000_000))
    );
    assert_eq!(pax[1].0.meta.xattrs, [(b"user.a".to_vec(), b"v".to_vec())]);
    assert_eq!(
        (pax[2].0.path.len(), path::show(&pax[3].0.path).as_str()),
        (300, "grün")
    );
}

fn file(name: &str, size: u64) -> Vec<u8> {
    let mut entry = Entry::new(name.as_bytes().to_vec(), Meta::new(Kind::File, 0o644));
    entry.meta.size = size;
    let mut out = Vec::new();
    put_headers(&mut out, &entry, Style::Layer);
    out
}

/// A PAX header with these records as they are.
fn pax(records: &[u8]) -> Vec<u8> {
    let mut out = file("pax", records.len() as u64);
    out[156] = b'x';
    sign(&mut out);
    out.extend_from_slice(records);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn sign(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().map(|&byte| u32::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

#[test]
fn pax_counts_where_headers_contradict_each_other() {
    // The header says 512 bytes, PAX says none: what follows is the next entry, not content (CVE-2025-62518).
    let tar = [pax(b"10 size=0\n"), file("a", 512), file("hidden", 0), vec![0; 1024]].concat();
    let names: Vec<String> = read_all(&tar)
        .unwrap()
        .iter()
        .map(|(header, _)| path::show(&header.path))
        .collect();
    assert_eq!(names, ["a", "hidden"]);
}

#[test]
fn malformed_archives_are_refused() {
    let mut bad_sum = file("a", 0);
    bad_sum[0] = b'b';
    let mut huge = file("pax", 1 << 30);
    huge[156] = b'x';
    sign(&mut huge);
    let mut unknown = file("a", 0);
    unknown[156] = b'Q';
    sign(&mut unknown);
    for (name, tar) in [
        ("a wrong checksum", bad_sum),
        ("a PAX header of 1 GiB", huge),
        ("an unknown type", unknown),
        (
            "two sizes",
            [pax(b"10 size=1\n10 size=2\n"), file("a", 1), vec![0; 512]].concat(),
        ),
        ("two paths", [pax(b"9 path=a\n9 path=b\n"), file("a", 0)].concat()),
        (
            "a record that is too long",
            [pax(b"99 path=a\n"), file("a", 0)].concat(),
        ),
        ("a record without a key", [pax(b"6 =ab\n"), file("a", 0)].concat()),
        ("a record without an end", [pax(b"9 path=ab"), file("a", 0)].concat()),
        ("a size below zero", [pax(b"11 size=-1\n"), file("a", 0)].concat()),
        ("a NUL in a path", [pax(b"11 path=a\0b\n"), file("a", 0)].concat()),
        ("a path that is too long", {
            let value = "x/".repeat(2500);
            [
                pax(format!("{} path={value}\n", value.len() + 11).as_bytes()),
                file("a", 0),
            ]
            .concat()
        }),
        ("sparse files", [pax(b"22 GNU.sparse.major=1\n"), file("a", 0)].concat()),
        ("a PAX header and nothing after it", pax(b"9 path=a\n")),
        ("a file that is cut off", [file("a", 600), vec![0; 512]].concat()),
        ("a header that is cut off", file("a", 0)[..100].to_vec()),
        ("too many headers", pax(b"9 path=a\n").repeat(9)),
        ("one empty block in the middle", [vec![0; 512], file("a", 0)].concat()),
    ] {
        assert_eq!(
            read_all(&tar).map(|_| name).unwrap_err().code(),
            "IMAGE_INVALID",
            "{name}"
        );
    }
}
