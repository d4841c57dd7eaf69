//! The files that every container gets from us: /etc/hosts, /etc/hostname, /etc/resolv.conf, and its secrets. They lie on a tmpfs of their
//! own, so that no byte of them reaches a disk or a layer.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::fs::{Gid, Mode, OFlags, Uid, fchmod, fchown, openat};
use rustix::mount::MountAttrFlags;

use crate::error::{Doing, Error};
use crate::protocol::SandboxParams;

use super::idmap;
use super::root::filesystem;

const LOOPBACK6: &str = "::1\tlocalhost ip6-localhost ip6-loopback\n";
/// What Docker has besides in a container that is run.
const RUN_HOSTS: &str =
    "fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// A tmpfs for small files.
pub struct Files {
    pub mount: OwnedFd,
    /// Whether owners are those of a container in a user namespace.
    shifted: bool,
}

impl Files {
    /// `secret`: its bytes are not swapped out, where the kernel has that (6.4) and allows it (not in a user namespace). `shifted`: owners are
    /// those of a container in a user namespace.
    pub fn new(secret: bool, shifted: bool) -> Result<Self, Error> {
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let options = [("mode", Some("755")), ("size", Some("64m")), ("noswap", None)];
        let usual = || filesystem("tmpfs", &options[..2], attributes);
        let made = if secret {
            filesystem("tmpfs", &options, attributes).or_else(|_| usual())
        } else {
            usual()
        };
        made.map(|mount| Self { mount, shifted })
            .doing(|| "make a tmpfs for files")
    }

    /// An owner that the container sees as this one.
    pub fn owner(&self, (uid, gid): (u32, u32)) -> (Uid, Gid) {
        let id = |id| if self.shifted { idmap::shifted(id) } else { id };
        (Uid::from_raw(id(uid)), Gid::from_raw(id(gid)))
    }

    /// Files in a directory that is there.
    pub fn within(directory: &OwnedFd) -> Result<Self, Error> {
        let mount = directory.try_clone().doing(|| "duplicate a descriptor")?;
        Ok(Self { mount, shifted: false })
    }

    pub fn write(&self, name: &str, bytes: &[u8], mode: u32, owner: (u32, u32)) -> Result<(), Error> {
        let doing = || format!("write \"{name}\"");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.mount, name, flags, Mode::RUSR | Mode::WUSR).doing(doing)?;
        let mut file = File::from(file);
        file.write_all(bytes).doing(doing)?;
        let (uid, gid) = self.owner(owner);
        fchown(&file, Some(uid), Some(gid)).doing(doing)?;
        fchmod(&file, Mode::from_raw_mode(mode)).doing(doing)
    }
}

pub fn hosts(params: &SandboxParams) -> String {
    let more = if params.commit { "" } else { RUN_HOSTS };
    let mut text = format!("127.0.0.1\tlocalhost {}\n{LOOPBACK6}{more}", params.hostname);
    for line in params.hosts.iter().flatten() {
        text.push_str(line);
        text.push('\n');
    }
    text
}
