//! Tar headers: ustar, with a PAX header only where ustar cannot say it. Numeric ids, no names of users, times in whole seconds: the
//! same entry gives the same bytes on every machine. Sources: POSIX pax, OCI image-spec layer.md (whiteouts, xattrs).

use crate::index::entry::{Entry, Kind, Meta};
use crate::index::path;

pub const BLOCK: usize = 512;
/// What ends an archive, in bytes: two empty blocks.
pub const END: u64 = 2 * BLOCK as u64;

pub const WHITEOUT: &[u8] = b".wh.";
pub const OPAQUE: &[u8] = b".wh..wh..opq";

/// Largest numbers that fit their octal fields with a NUL at the end.
const MAX_ID: u64 = 0o7_777_777;
const MAX_SIZE: u64 = 0o77_777_777_777;

/// What a tar is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// An image: times in whole seconds, as every builder writes them.
    Layer,
    /// A cache mount, for ourselves: whole times, because compilers compare them, and the root with its attributes.
    Mount,
}

/// Appends all header blocks of an entry: its own, and that of the mark which makes it opaque.
pub fn put_headers(out: &mut Vec<u8>, entry: &Entry, style: Style) {
    let meta = &entry.meta;
    match meta.kind {
        Kind::Whiteout => {
            let (parent, name) = path::split(&entry.path);
            put_mark(out, path::join(parent, &[WHITEOUT, name].concat()));
        }
        // The root is in no layer: only that it is opaque can be said.
        _ if entry.path.is_empty() && style == Style::Layer => {}
        _ if entry.path.is_empty() => put_header(out, b"./", meta, style),
        Kind::Directory => put_header(out, &[entry.path.as_slice(), b"/"].concat(), meta, style),
        _ => put_header(out, &entry.path, meta, style),
    }
    if entry.opaque {
        put_mark(out, path::join(&entry.path, OPAQUE));
    }
}

/// Tar entries that `put_headers` makes.
pub fn count(entry: &Entry) -> u64 {
    u64::from(!entry.path.is_empty()) + u64::from(entry.opaque)
}

/// Bytes that a file's content takes in the archive, up to the next block.
pub fn padded(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64)
}

/// Whiteouts and opaque marks are empty files that say nothing but their name.
fn put_mark(out: &mut Vec<u8>, name: Vec<u8>) {
    put_header(out, &name, &Meta::new(Kind::File, 0), Style::Layer);
}

fn put_header(out: &mut Vec<u8>, name: &[u8], meta: &Meta, style: Style) {
    let mut records = Vec::new();
    let (prefix, short) = split_name(name).unwrap_or_else(|| {
        put_record(&mut records, b"path", name);
        (&[], &name[..name.len().min(100)])
    });
    if !fits(&meta.link) {
        put_record(&mut records, b"linkpath", &meta.link);
    }
    for (key, number, max) in [
        ("uid", u64::from(meta.uid), MAX_ID),
        ("gid", u64::from(meta.gid), MAX_ID),
        ("size", meta.size, MAX_SIZE),
    ] {
        if number > max {
            put_record(&mut records, key.as_bytes(), number.to_string().as_bytes());
        }
    }
    if style == Style::Mount && meta.mtime.1 != 0 {
        put_record(&mut records, b"mtime", whole_time(meta.mtime).as_bytes());
    } else if !(0..=MAX_SIZE as i64).contains(&meta.mtime.0) {
        put_record(&mut records, b"mtime", meta.mtime.0.to_string().as_bytes());
    }
    for (key, value) in &meta.xattrs {
        put_record(&mut records, &[b"SCHILY.xattr.", key.as_slice()].concat(), value);
    }
    if !records.is_empty() {
        put_pax(out, name, &records);
    }
    let type_flag = match meta.kind {
        Kind::Hardlink => b'1',
        Kind::Symlink => b'2',
        Kind::Char => b'3',
        Kind::Block => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
        Kind::File | Kind::Socket | Kind::Whiteout => b'0',
    };
    put_block(out, prefix, short, meta, type_flag);
}

/// Seconds with their fraction, which counts towards zero: half a second before 1970 is `-0.5`.
fn whole_time((seconds, nanoseconds): (i64, u32)) -> String {
    if seconds >= 0 {
        return format!("{seconds}.{nanoseconds:09}");
    }
    format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds)
}

/// A record of a PAX header: its length counts itself. A name with `=` cannot be said.
fn put_record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if key.contains(&b'=') {
        return;
    }
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.extend_from_slice(&[b" ", key, b"=", value, b"\n"].concat());
}

fn put_pax(out: &mut Vec<u8>, name: &[u8], records: &[u8]) {
    let (parent, last) = path::split(name.strip_suffix(b"/").unwrap_or(name));
    let long = path::join(&path::join(parent, b"PaxHeaders.0"), last);
    let ascii: Vec<u8> = long.iter().filter(|byte| byte.is_ascii()).take(100).copied().collect();
    let mut meta = Meta::new(Kind::File, 0);
    meta.size = records.len() as u64;
    put_block(out, &[], &ascii, &meta, b'x');
    out.extend_from_slice(records);
    out.resize(out.len() + (padded(meta.size) - meta.size) as usize, 0);
}

fn put_block(out: &mut Vec<u8>, prefix: &[u8], name: &[u8], meta: &Meta, type_flag: u8) {
    let start = out.len();
    out.resize(start + BLOCK, 0);
    let block = &mut out[start..];
    block[..name.len()].copy_from_slice(name);
    octal(&mut block[100..108], u64::from(meta.mode));
    octal(&mut block[108..116], at_most(u64::from(meta.uid), MAX_ID));
    octal(&mut block[116..124], at_most(u64::from(meta.gid), MAX_ID));
    octal(
        &mut block[124..136],
        at_most(if meta.kind == Kind::File { meta.size } else { 0 }, MAX_SIZE),
    );
    octal(
        &mut block[136..148],
        at_most(u64::try_from(meta.mtime.0).unwrap_or(0), MAX_SIZE),
    );
    block[156] = type_flag;
    if fits(&meta.link) {
        block[157..157 + meta.link.len()].copy_from_slice(&meta.link);
    }
    block[257..265].copy_from_slice(b"ustar\x0000");
    octal(&mut block[329..337], u64::from(meta.device.0));
    octal(&mut block[337..345], u64::from(meta.device.1));
    block[345..345 + prefix.len()].copy_from_slice(prefix);
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    octal(&mut block[148..155], sum);
}

/// A number that does not fit stands in the PAX header; here it is then 0.
fn at_most(number: u64, max: u64) -> u64 {
    if number > max { 0 } else { number }
}

fn octal(field: &mut [u8], number: u64) {
    let digits = field.len() - 1;
    let text = format!("{number:0digits$o}");
    field[..digits].copy_from_slice(&text.as_bytes()[text.len() - digits..]);
    field[digits] = 0;
}

fn fits(text: &[u8]) -> bool {
    text.len() <= 100 && text.is_ascii()
}

/// Prefix and name as ustar has them, or None where it cannot hold the name.
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if fits(name) {
        return Some((&[], name));
    }
    if !name.is_ascii() || name.len() > 256 {
        return None;
    }
    // The prefix takes as much as it can; a directory's closing `/` belongs to the name.
    let end = name.len() - usize::from(name.ends_with(b"/"));
    let at = name[..end.min(156)].iter().rposition(|&byte| byte == b'/')?;
    let (prefix, rest) = (&name[..at], &name[at + 1..]);
    (!prefix.is_empty() && rest.len() <= 100).then_some((prefix, rest))
}
