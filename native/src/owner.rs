//! Owners beside the files: where the kernel knows one id only (Mode::SingleId), who a file belongs to stands in an attribute of its own, in
//! snapshots as in what a RUN writes. A file without one was made by the step that runs. Layers and indexes never show the attribute.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Statx, StatxFlags, Uid, XattrFlags, fchown, statat, statx};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error};
use crate::index::path;
use crate::tree::host::{names, open_beneath};
use crate::tree::xattr;

/// `uid:gid`.
pub const OWNER: &str = "user.cooper.owner";
/// On an empty file: the device that it stands for, `c:major:minor` or `b:major:minor`.
pub const DEVICE: &str = "user.cooper.device";

/// Whether an attribute is one of these.
pub fn is_mark(name: &[u8]) -> bool {
    [OWNER, DEVICE].iter().any(|mark| mark.as_bytes() == name)
}

/// Uid and gid.
pub type Owner = (u32, u32);

/// Whose the files are that a step left, besides what their marks say.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Owners {
    /// Whose a file without a mark is.
    pub maker: Owner,
    /// Of what can have no attribute (symlinks, pipes), by what names it whatever it is called later (`lasting_name`); where the filesystem has
    /// no such name, by path without the slash at the front.
    pub beside: BTreeMap<String, Owner>,
}

impl Owners {
    /// Of what has no mark.
    pub fn of(&self, path: &[u8], lasting_name: Option<&str>) -> Owner {
        let name = lasting_name.or_else(|| std::str::from_utf8(path).ok());
        name.and_then(|name| self.beside.get(name))
            .copied()
            .unwrap_or(self.maker)
    }
}

/// Inode and birth: an inode's number alone is given again. An overlay shows those of the file in its upper directory.
pub fn lasting_name(stat: &Statx) -> Option<String> {
    let has_birth = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    let birth = stat.stx_btime;
    // No path begins so: none has a slash at its front.
    has_birth.then(|| format!("/{}:{}:{}", stat.stx_ino, birth.tv_sec, birth.tv_nsec))
}

/// The same of a name in a directory.
pub fn lasting_name_at(directory: &OwnedFd, name: &OsStr) -> Result<Option<String>, Errno> {
    let wanted = StatxFlags::INO | StatxFlags::BTIME;
    Ok(lasting_name(&statx(
        directory,
        name,
        AtFlags::SYMLINK_NOFOLLOW,
        wanted,
    )?))
}

pub fn text((uid, gid): Owner) -> String {
    format!("{uid}:{gid}")
}

/// What is malformed, because the program wrote it itself, says nothing.
pub fn parse(value: &[u8]) -> Option<Owner> {
    let (uid, gid) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

/// Of an open file or directory.
pub fn read(file: impl AsFd) -> Result<Option<Owner>, Errno> {
    match xattr::get(file, OWNER.as_bytes()) {
        Ok(value) => Ok(parse(&value)),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

pub fn write(file: impl AsFd, owner: Owner) -> Result<(), Errno> {
    rustix::fs::fsetxattr(file, OWNER, text(owner).as_bytes(), XattrFlags::empty())
}

/// Gives a file of ours to somebody, as far as this machine can.
pub fn give(file: impl AsFd, owner: Owner, beside: bool) -> Result<(), Errno> {
    if beside {
        return write(file, owner);
    }
    fchown(file, Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1)))
}

/// Marks what a step has made as its user's, before another one's can be told from it no more.
pub fn mark_new(snapshot: &OwnedFd, maker: Owner) -> Result<(), Error> {
    mark_below(snapshot, b"", maker)
}

fn mark_below(directory: &OwnedFd, at: &[u8], maker: Owner) -> Result<(), Error> {
    for name in names(directory).doing(|| "list a directory of a snapshot")? {
        let here = path::join(at, &name);
        path::check_length(&here)?;
        let doing = || format!("note the owner of \"{}\" of a snapshot", path::show(&name));
        let stat = statat(directory, OsStr::from_bytes(&name), AtFlags::SYMLINK_NOFOLLOW).doing(doing)?;
        let flags = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => OFlags::RDONLY | OFlags::NOFOLLOW,
            FileType::Directory => OFlags::RDONLY | OFlags::DIRECTORY,
            _ => continue,
        };
        let file = open_beneath(directory, &name, flags, Mode::empty()).doing(doing)?;
        if read(&file).doing(doing)?.is_none() {
            write(&file, maker).doing(doing)?;
        }
        if flags.contains(OFlags::DIRECTORY) {
            mark_below(&file, &here, maker)?;
        }
    }
    Ok(())
}

/// Whether it is a block device, and its numbers.
pub type Device = (bool, (u32, u32));

pub fn parse_device(value: &[u8]) -> Option<Device> {
    let mut fields = std::str::from_utf8(value).ok()?.split(':');
    let block = match fields.next()? {
        "b" => true,
        "c" => false,
        _ => return None,
    };
    let numbers = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (fields.next().is_none()).then_some((block, numbers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::path::tests::too_deep;

    #[test]
    fn directories_deeper_than_a_path_leads_are_refused() {
        let (_folder, top) = too_deep();
        assert_eq!(mark_new(&top, (0, 0)).unwrap_err().code(), "UNSUPPORTED");
    }

    #[test]
    fn owners_and_devices_are_read_or_left() {
        for (value, want) in [
            ("0:0", Some((0, 0))),
            ("1000:50", Some((1000, 50))),
            ("1000", None),
            ("-1:0", None),
            ("a:b", None),
        ] {
            assert_eq!(parse(value.as_bytes()), want, "{value}");
        }
        for (value, want) in [
            ("c:1:3", Some((false, (1, 3)))),
            ("b:8:0", Some((true, (8, 0)))),
            ("x:1:3", None),
            ("c:1", None),
            ("c:1:3:4", None),
        ] {
            assert_eq!(parse_device(value.as_bytes()), want, "{value}");
        }
    }
}
