//! The file form of a layer's index: magic, the sha256 of what follows, the number of entries, the entries in order. Numbers are LEB128,
//! byte strings have their length before them. An index is a cache of a layer: a torn or foreign one reads as missing.

use ring::digest::{SHA256, digest};

use super::entry::{Entry, Kind, Meta, Sum};

const MAGIC: &[u8] = b"cooper-index-1\n";
const HAS_SUM: u8 = 0x10;
const OPAQUE: u8 = 0x20;
const IMPLIED: u8 = 0x40;

pub fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::with_capacity(MAGIC.len() + 32 + 16 + entries.len() * 96);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&[0; 32]);
    let body = file.len();
    put_number(&mut file, entries.len() as u64);
    for entry in entries {
        put_entry(&mut file, entry);
    }
    let sum = digest(&SHA256, &file[body..]);
    file[MAGIC.len()..body].copy_from_slice(sum.as_ref());
    file
}

/// None for anything that `encode` has not made whole.
pub fn decode(file: &[u8]) -> Option<Vec<Entry>> {
    let (sum, body) = file.strip_prefix(MAGIC)?.split_at_checked(32)?;
    if digest(&SHA256, body).as_ref() != sum {
        return None;
    }
    let mut reader = Reader { rest: body };
    let count = usize::try_from(reader.number()?).ok()?;
    // Each entry takes more than ten bytes, so a count cannot ask for more memory than the file has.
    let mut entries = Vec::with_capacity(count.min(body.len() / 10));
    for _ in 0..count {
        entries.push(reader.entry()?);
    }
    reader.rest.is_empty().then_some(entries)
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    let meta = &entry.meta;
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.push(
        meta.kind as u8
            | flag(entry.sum.is_some(), HAS_SUM)
            | flag(entry.opaque, OPAQUE)
            | flag(entry.implied, IMPLIED),
    );
    put_bytes(out, &entry.path);
    for number in [
        u64::from(meta.mode),
        u64::from(meta.uid),
        u64::from(meta.gid),
        meta.size,
    ] {
        put_number(out, number);
    }
    out.extend_from_slice(&meta.mtime.0.to_le_bytes());
    put_number(out, u64::from(meta.mtime.1));
    put_bytes(out, &meta.link);
    put_number(out, u64::from(meta.device.0));
    put_number(out, u64::from(meta.device.1));
    put_number(out, meta.xattrs.len() as u64);
    for (name, value) in &meta.xattrs {
        put_bytes(out, name);
        put_bytes(out, value);
    }
    put_number(out, entry.offset);
    if let Some(sum) = &entry.sum {
        out.extend_from_slice(sum);
    }
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length).map(<[u8]>::to_vec)
    }

    fn entry(&mut self) -> Option<Entry> {
        let flags = self.take(1)?[0];
        let mut entry = Entry::new(self.bytes()?, Meta::new(Kind::from_byte(flags & 0x0f)?, self.small()?));
        let meta = &mut entry.meta;
        (meta.uid, meta.gid, meta.size) = (self.small()?, self.small()?, self.number()?);
        meta.mtime.0 = i64::from_le_bytes(self.take(8)?.try_into().ok()?);
        meta.mtime.1 = self.small()?;
        meta.link = self.bytes()?;
        meta.device = (self.small()?, self.small()?);
        for _ in 0..self.number()? {
            meta.xattrs.push((self.bytes()?, self.bytes()?));
        }
        entry.offset = self.number()?;
        if flags & HAS_SUM != 0 {
            entry.sum = Some(Sum::try_from(self.take(32)?).ok()?);
        }
        entry.opaque = flags & OPAQUE != 0;
        entry.implied = flags & IMPLIED != 0;
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Entry> {
        let mut file = Entry::new(b"etc/passwd".to_vec(), Meta::new(Kind::File, 0o4755));
        file.meta.mtime = (-5, 999_999_999);
        file.meta.size = u64::MAX;
        file.meta.xattrs = vec![(b"user.a".to_vec(), vec![0, 255])];
        file.sum = Some([7; 32]);
        file.offset = 1 << 40;
        let mut directory = Entry::new(b"etc".to_vec(), Meta::new(Kind::Directory, 0o755));
        (directory.opaque, directory.implied) = (true, true);
        vec![directory, file]
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(decode(&encode(&sample())), Some(sample()));
    }

    #[test]
    fn a_torn_or_changed_file_reads_as_missing() {
        let whole = encode(&sample());
        for end in 0..whole.len() {
            assert_eq!(decode(&whole[..end]), None);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert_eq!(decode(&changed), None, "byte {at}");
        }
    }
}
