//! The extended attributes that layers keep: file capabilities and the user's own. Everything else is the host's or overlayfs's
//! business: labels, ACLs of the machine, and marks by which an image could forge an overlay.

use std::os::fd::AsFd;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::index::entry::Xattrs;
use crate::owner;

/// Longest list of names, and longest value: the kernel's own limits.
const MAX_BYTES: usize = 64 * 1024;

/// Whether an attribute belongs into a layer.
pub fn is_kept(name: &[u8]) -> bool {
    let of_ours = [&b"user.overlay."[..], b"user.fuseoverlayfs.", b"user.cooper."];
    name == b"security.capability"
        || name.starts_with(b"user.") && !of_ours.iter().any(|prefix| name.starts_with(prefix))
}

/// The kept attributes of an open file, sorted.
pub fn read(file: impl AsFd) -> Result<Xattrs, Errno> {
    read_those(file, is_kept)
}

/// With whose it is where that stands beside it (owner.rs), for copies within the store.
pub fn read_with_owner(file: impl AsFd) -> Result<Xattrs, Errno> {
    read_those(file, |name| is_kept(name) || owner::is_mark(name))
}

fn read_those(file: impl AsFd, wanted: fn(&[u8]) -> bool) -> Result<Xattrs, Errno> {
    // Nearly every file has none or a few short ones: 256 bytes on the stack save the question for the size.
    let mut small = [0u8; 256];
    let list = match rustix::fs::flistxattr(&file, &mut small) {
        Ok(length) => small[..length].to_vec(),
        Err(Errno::RANGE) => {
            let mut large = vec![0u8; MAX_BYTES];
            let length = rustix::fs::flistxattr(&file, &mut large)?;
            large.truncate(length);
            large
        }
        Err(Errno::OPNOTSUPP) => return Ok(Xattrs::new()),
        Err(error) => return Err(error),
    };
    let mut kept = Xattrs::new();
    for name in list.split(|&byte| byte == 0).filter(|name| wanted(name)) {
        match get(&file, name) {
            Ok(value) => kept.push((name.to_vec(), value)),
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error),
        }
    }
    kept.sort();
    Ok(kept)
}

/// One attribute of an open file.
pub fn get(file: impl AsFd, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0u8; 256];
    loop {
        match rustix::fs::fgetxattr(&file, name, &mut value) {
            Ok(length) => {
                value.truncate(length);
                return Ok(value);
            }
            Err(Errno::RANGE) if value.len() < MAX_BYTES => value.resize(MAX_BYTES, 0),
            Err(error) => return Err(error),
        }
    }
}

/// Sets attributes. One that this filesystem or our rights do not allow is reported to `refused`, not lost in silence.
pub fn write(file: impl AsFd, xattrs: &Xattrs, refused: &mut dyn FnMut(&[u8], Errno)) -> Result<(), Errno> {
    for (name, value) in xattrs {
        match rustix::fs::fsetxattr(&file, name.as_slice(), value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(error @ (Errno::PERM | Errno::OPNOTSUPP | Errno::ACCESS)) => refused(name, error),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
