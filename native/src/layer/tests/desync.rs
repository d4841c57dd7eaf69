//! Archives whose headers contradict each other, three hundred of them, made by chance that is always the same: what is read of them is
//! what Go's archive/tar reads, or they are refused. Go's answers are in fixtures/tar/go.txt, one line an archive:
//! `COOPER_TARS=DIR cargo test archives_are_read_as_by_go` writes the archives, `go run fixtures/tar/list.go DIR` the lines.

use super::tar_read::read_all;
use crate::index::entry::Kind;
use crate::layer::tar_write::BLOCK;

const ARCHIVES: u64 = 300;

/// Xorshift: numbers without a pattern, the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len() as u64) as usize]
    }
}

fn archive(number: u64) -> Vec<u8> {
    let mut chance = Chance((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut tar = Vec::new();
    for _ in 0..=chance.below(3) {
        for _ in 0..chance.below(3) {
            extend(&mut tar, &mut chance);
        }
        let flag = chance.of(&[b"0", b"0", b"0", b"\0", b"1", b"2", b"5", b"6", b"7"])[0];
        // As content stands a whole header: who skips less than another reads it as an entry.
        let mut content = header(b"hidden", b'0', b"00000000003\0", b"ustar\x0000");
        content.extend_from_slice(b"abc");
        content.resize(2 * BLOCK, 0);
        let size = size_field(&mut chance);
        let name: &[u8] = chance.of(&[&b"a"[..], b"b/c", b"d/", b"../e", b"/f"]);
        tar.extend_from_slice(&header(
            name,
            flag,
            &size,
            chance.of(&[&b"ustar\x0000"[..], b"ustar  \0", b"\0\0\0\0\0\0\0\0"]),
        ));
        content.truncate(BLOCK * chance.below(3) as usize);
        tar.extend_from_slice(&content);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

/// 0, 3, 512 or 1024 bytes: in octal, with spaces, or as a binary number; or what is no number.
fn size_field(chance: &mut Chance) -> Vec<u8> {
    let size = *chance.of(&[&0_u64, &3, &512, &512, &1024]);
    match chance.below(8) {
        0 => [&[0x80, 0, 0, 0][..], &size.to_be_bytes()].concat(),
        1 => format!("{size:>11o} ").into_bytes(),
        2 => format!("{size:o}\0").into_bytes(),
        3 => chance
            .of(&[
                &b"-0000000001\0"[..],
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                b"0x200\0",
                b"1 2\0",
            ])
            .to_vec(),
        _ => format!("{size:011o}\0").into_bytes(),
    }
}

/// A PAX header, a global one, or a long name of GNU.
fn extend(tar: &mut Vec<u8>, chance: &mut Chance) {
    let flag = chance.of(&[b"x", b"x", b"x", b"g", b"L", b"K"])[0];
    let mut content = Vec::new();
    if matches!(flag, b'L' | b'K') {
        content.extend_from_slice(chance.of(&[&b"long\0"[..], b"long", b"", b"lo\0ng\0", b"../long/\0"]));
    } else {
        for _ in 0..=chance.below(2) {
            let records: [&[u8]; 14] = [
                b"size=0",
                b"size=3",
                b"size=512",
                b"size=1024",
                b"size=",
                b"size=-1",
                b"size=0512",
                b"size=+3",
                b"size=1e2",
                b"path=p",
                b"path=",
                b"path=a\0b",
                b"linkpath=l",
                b"=x",
            ];
            record(&mut content, chance.of(&records), chance.below(12));
        }
    }
    tar.extend_from_slice(&header(
        b"ext",
        flag,
        format!("{:011o}\0", content.len()).as_bytes(),
        b"ustar\x0000",
    ));
    content.resize(content.len().next_multiple_of(BLOCK), 0);
    tar.extend_from_slice(&content);
}

/// `LENGTH RECORD\n`, where the length is wrong now and then.
fn record(content: &mut Vec<u8>, record: &[u8], wrong: u64) {
    let length = record.len() + 4;
    let length = if length < 10 { length - 1 } else { length };
    match wrong {
        0 => content.extend_from_slice(format!("{} ", length + 1).as_bytes()),
        1 => content.extend_from_slice(format!("0{} ", length + 1).as_bytes()),
        2 => content.extend_from_slice(format!("+{length} ").as_bytes()),
        _ => content.extend_from_slice(format!("{length} ").as_bytes()),
    }
    content.extend_from_slice(record);
    content.push(b'\n');
}

fn header(name: &[u8], flag: u8, size: &[u8], magic: &[u8]) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, b"0000644\x000000000\x000000000\0");
    put(124, size);
    put(136, b"00000000000\0        ");
    put(156, &[flag]);
    put(157, if matches!(flag, b'1' | b'2') { b"target" } else { b"" });
    put(257, magic);
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// `name|type|link|content` for each entry; `error` when it is refused.
fn listing(tar: &[u8]) -> String {
    let Ok(entries) = read_all(tar) else {
        return "error".into();
    };
    let line = entries.iter().map(|(header, content)| {
        let kind = match header.meta.kind {
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Symlink => "symlink",
            Kind::Hardlink => "link",
            Kind::Fifo => "fifo",
            _ => "other",
        };
        let [name, link] = [&header.path, &header.meta.link].map(|bytes| bytes.escape_ascii().to_string());
        let sum: u32 = content.iter().map(|&byte| u32::from(byte)).sum();
        format!("{name}|{kind}|{link}|{}:{sum}", content.len())
    });
    line.collect::<Vec<_>>().join(";")
}

#[test]
fn archives_are_read_as_by_go() {
    if let Some(folder) = std::env::var_os("COOPER_TARS") {
        for number in 0..ARCHIVES {
            std::fs::write(
                std::path::Path::new(&folder).join(format!("{number:03}.tar")),
                archive(number),
            )
            .unwrap();
        }
        return;
    }
    let go = include_str!("../../../../fixtures/tar/go.txt");
    assert_eq!(go.lines().count() as u64, ARCHIVES);
    let mut read = 0;
    let mut wrong = Vec::new();
    for (number, expected) in (0..ARCHIVES).zip(go.lines()) {
        let ours = listing(&archive(number));
        read += u32::from(ours != "error");
        if ours != "error" && ours != expected {
            wrong.push(format!("{number}\n  ours {ours}\n  Go   {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 60, "only {read} were read");
}
