//! A /dev of the program's own, as far as nodes can be made here. They are the container's own devices: what may be opened is decided by the
//! machine, as everywhere in that container.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, chmodat, fchmod, makedev, mkdirat, mknodat, openat, symlinkat};

use crate::context::RequestContext;
use crate::error::{Doing, Error};

use super::super::device::{LINKS, NODES};
use super::places::Places;

/// Replaces the image's /dev until the end.
pub fn place(places: &mut Places<'_>, request: &RequestContext) -> Result<(), Error> {
    let doing = || "make /dev";
    let (home, directory) = places.new_directory()?;
    fchmod(&directory, Mode::from_raw_mode(0o755)).doing(doing)?;
    // Without /proc these lead nowhere; a program that asks for them is told so.
    for (name, target) in LINKS {
        symlinkat(target, &directory, name).doing(doing)?;
    }
    let mut missing = Vec::new();
    for (name, major, minor) in NODES {
        let mode = Mode::from_raw_mode(0o666);
        let made = mknodat(&directory, name, FileType::CharacterDevice, mode, makedev(major, minor))
            .and_then(|()| chmodat(&directory, name, mode, AtFlags::empty()));
        // Made is not yet allowed: a mount may be nodev, a cgroup refuse it. A terminal there need not be.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = made.and_then(|()| openat(&directory, name, flags, Mode::empty()));
        if opened.is_err() && name != "tty" {
            missing.push(format!("/dev/{name}"));
        }
    }
    if !missing.is_empty() {
        request.warn(format!("{} cannot be used here: programs may fail", missing.join(", ")))?;
    }
    mkdirat(&directory, "shm", Mode::RWXU).doing(doing)?;
    chmodat(&directory, "shm", Mode::from_raw_mode(0o1777), AtFlags::empty()).doing(doing)?;
    places.put("/dev", &home)
}
