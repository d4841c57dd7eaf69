//! What is known of a cache mount besides its files: `mount-facts/<name>`, a line of JSON and a line with its checksum. When it was used
//! last is the file's own time, so that a step has nothing to write.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, statat, utimensat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Doing, Error};
use crate::layer::layout::sum_of;
use crate::protocol::{MountOwner, SandboxMount, Sharing};
use crate::session::Session;

/// Longest line of facts: an id is a line of a Dockerfile.
const MAX_BYTES: usize = 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    version: u32,
    /// As the user wrote it, behind the namespace that he may have given.
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<MountOwner>,
    /// How it was shared last.
    pub sharing: Sharing,
    pub created_ms: u64,
}

impl Facts {
    pub fn of(mount: &SandboxMount) -> Self {
        let owned = mount.uid.is_some() || mount.gid.is_some() || mount.mode.is_some();
        let owner = owned.then(|| MountOwner {
            uid: mount.uid.unwrap_or(0),
            gid: mount.gid.unwrap_or(0),
            mode: mount.mode.unwrap_or(0o755),
        });
        let id = mount.id.as_deref().unwrap_or(&mount.target);
        let sharing = mount.sharing.unwrap_or(Sharing::Shared);
        Self {
            owner,
            ..Self::new(id, mount.variant.as_deref(), sharing)
        }
    }

    pub fn new(id: &str, variant: Option<&str>, sharing: Sharing) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            version: 1,
            id: id.to_owned(),
            variant: variant.map(str::to_owned),
            owner: None,
            sharing,
            created_ms: now.as_millis() as u64,
        }
    }
}

/// The folder of a cache in `mounts/`: `<digest of the id>`, and behind a dot that of the variant. No id leads out of there.
pub fn name(id: &str, variant: Option<&str>) -> String {
    match variant {
        None => hex(id),
        Some(variant) => format!("{}.{}", hex(id), hex(variant)),
    }
}

/// The digest of an id, with which all names of its caches begin.
pub fn hex(id: &str) -> String {
    Digest::from_bytes(&sum_of(id.as_bytes())).hex().to_owned()
}

/// Whether a text has the form of a cache's name: nothing else of `mounts/` is touched, and nothing beside it.
pub fn is_name(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b'.' || byte == b'-';
    text.len() >= 64 && text.len() < 200 && !text.contains("..") && text.bytes().all(known)
}

/// Says that a cache is in use now; who holds its lock may. The file is written only where it says something else.
pub fn note(session: &Session, name: &str, facts: Facts) -> Result<(), Error> {
    let place = place(name);
    if let Some(known) = read(session, name)? {
        let created_ms = known.created_ms;
        if (Facts {
            created_ms,
            ..facts.clone()
        }) == known
        {
            return touch(session, &place);
        }
        return write(session, &place, &Facts { created_ms, ..facts });
    }
    write(session, &place, &facts)
}

/// What is known of a cache; one whose file is missing or torn has none until it is used again.
pub fn read(session: &Session, name: &str) -> Result<Option<Facts>, Error> {
    let Some(bytes) = session
        .read_file(&place(name))?
        .filter(|bytes| bytes.len() <= MAX_BYTES)
    else {
        return Ok(None);
    };
    Ok(unseal(&bytes).and_then(|line| serde_json::from_slice(line).ok()))
}

/// When a cache was used last, in milliseconds since the epoch.
pub fn last_used(session: &Session, name: &str) -> Result<Option<u64>, Error> {
    match statat(session.store.root(), place(name), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(milliseconds(stat.st_mtime, stat.st_mtime_nsec as i64))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error).doing(|| "stat the facts of a cache mount"),
    }
}

/// A time as the protocol has it; one before 1970 is 0.
pub fn milliseconds(seconds: i64, nanoseconds: i64) -> u64 {
    u64::try_from(seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)).unwrap_or(0)
}

pub fn place(name: &str) -> String {
    format!("mount-facts/{name}")
}

/// A line, and a line with its checksum: it tells a torn file from a whole one.
pub fn seal(line: &[u8]) -> Vec<u8> {
    [line, b"\n", check(line).as_bytes(), b"\n"].concat()
}

pub fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_suffix(b"\n")?;
    let at = rest.iter().rposition(|&byte| byte == b'\n')?;
    let (line, sum) = (&rest[..at], &rest[at + 1..]);
    (check(line).as_bytes() == sum).then_some(line)
}

fn check(line: &[u8]) -> String {
    Digest::from_bytes(&sum_of(line)).hex()[..16].to_owned()
}

fn write(session: &Session, place: &str, facts: &Facts) -> Result<(), Error> {
    let line = serde_json::to_vec(facts).map_err(|error| Error::internal(error.to_string()))?;
    session.write_file(place, &seal(&line))
}

fn touch(session: &Session, place: &str) -> Result<(), Error> {
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: at(UTIME_OMIT),
        last_modification: at(UTIME_NOW),
    };
    utimensat(session.store.root(), place, &times, AtFlags::SYMLINK_NOFOLLOW)
        .doing(|| "set the time of the facts of a cache mount")
}

#[cfg(test)]
mod tests {
    use super::{is_name, name, seal, unseal};

    #[test]
    fn no_id_makes_a_path() {
        for id in ["../../etc", "/", "", "a\0b", "..", "x/../../../y"] {
            for variant in [None, Some("../v")] {
                let name = name(id, variant);
                assert!(is_name(&name), "{id:?}: {name}");
            }
        }
        for bad in [
            "",
            "..",
            "../x",
            "a/b",
            "store",
            &format!("{}/..", "a".repeat(64)),
            &"a..".repeat(30),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn torn_facts_are_none() {
        let whole = seal(b"{\"a\":1}");
        assert_eq!(unseal(&whole), Some(b"{\"a\":1}".as_slice()));
        for length in 0..whole.len() {
            assert_eq!(unseal(&whole[..length]), None, "{length}");
        }
    }
}
