//! PAX headers: records of what the ustar header of an entry cannot say. Source: POSIX pax.

use std::collections::BTreeMap;

use super::sparse::PaxSparse;
use super::tar_read::{ascii, invalid};
use crate::error::Error;
use crate::tree::xattr;

/// What PAX headers said of the next entry.
#[derive(Default, PartialEq)]
pub struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mtime: Option<(i64, u32)>,
    /// The last value of each counts.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub sparse: Option<PaxSparse>,
}

impl Pax {
    /// `length key=value\n`, again and again.
    pub fn parse(mut rest: &[u8]) -> Result<Self, Error> {
        let bad = || invalid("has a malformed PAX header");
        let mut pax = Self::default();
        while !rest.is_empty() {
            let space = rest.iter().take(20).position(|&byte| byte == b' ').ok_or_else(bad)?;
            let length: usize = ascii(&rest[..space])
                .and_then(|text| text.parse().ok())
                .ok_or_else(bad)?;
            if length < space + 4 || length > rest.len() || rest[length - 1] != b'\n' {
                return Err(bad());
            }
            let record = &rest[space + 1..length - 1];
            let equals = record
                .iter()
                .position(|&byte| byte == b'=')
                .filter(|&at| at > 0)
                .ok_or_else(bad)?;
            pax.put(&record[..equals], &record[equals + 1..])?;
            rest = &rest[length..];
        }
        Ok(pax)
    }

    /// Takes a record. An empty value means that there is none. Readers disagree on which of two sizes or paths counts, so two are refused.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let bad = || invalid("has a malformed PAX header");
        let number = || ascii(value).and_then(|text| text.parse::<u64>().ok()).ok_or_else(bad);
        let id = || {
            number()
                .and_then(|number| u32::try_from(number).map_err(|_| invalid("has an entry with an impossible owner")))
        };
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            if xattr::is_kept(name) && value.len() <= 64 * 1024 {
                self.xattrs.insert(name.to_vec(), value.to_vec());
            }
            return Ok(());
        }
        if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
            return self.sparse.get_or_insert_default().put(key, value);
        }
        if value.is_empty() {
            return Ok(());
        }
        if matches!(key, b"path" | b"linkpath" | b"uname" | b"gname") && value.contains(&0) {
            return Err(bad());
        }
        match key {
            b"path" => set(&mut self.path, value.to_vec()),
            b"linkpath" => set(&mut self.link, value.to_vec()),
            b"size" => set(&mut self.size, number()?),
            b"uid" => set(&mut self.uid, id()?),
            b"gid" => set(&mut self.gid, id()?),
            b"mtime" => set(&mut self.mtime, ascii(value).and_then(time).ok_or_else(bad)?),
            _ => Ok(()),
        }
    }
}

fn set<T>(field: &mut Option<T>, value: T) -> Result<(), Error> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(invalid("says the same thing twice in a PAX header")),
    }
}

/// `[-]seconds[.fraction]`; the fraction is cut to nanoseconds.
fn time(text: &str) -> Option<(i64, u32)> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{fraction:0<9}");
    let (whole, ns): (i64, u32) = (seconds.parse().ok()?, digits[..9].parse().ok()?);
    match (text.starts_with('-'), ns) {
        (true, 1..) => Some((whole.checked_sub(1)?, 1_000_000_000 - ns)),
        _ => Some((whole, ns)),
    }
}
