//! The files that every container gets from us: /etc/hosts, /etc/hostname, /etc/resolv.conf, and its secrets. They lie on a tmpfs of their
//! own, so that no byte of them reaches a disk or a layer.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{Gid, Mode, OFlags, Uid, fchmod, fchown, openat};
use rustix::mount::MountAttrFlags;

use crate::error::{Doing, Error};
use crate::network::Attachment;
use crate::protocol::SandboxParams;

use super::root::filesystem;

const LOOPBACK6: &str = "::1\tlocalhost ip6-localhost ip6-loopback\n";
/// What Docker has besides in a container that is run.
const RUN_HOSTS: &str =
    "fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";
const MOST_RESOLV_BYTES: u64 = 1024 * 1024;

/// A tmpfs for small files.
pub struct Files {
    pub mount: OwnedFd,
}

impl Files {
    pub fn new() -> Result<Self, Error> {
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let options = [("mode", Some("755")), ("size", Some("64m"))];
        filesystem("tmpfs", &options, attributes)
            .map(|mount| Self { mount })
            .doing(|| "make a tmpfs for files")
    }

    pub fn write(&self, name: &str, bytes: &[u8], mode: u32, owner: (u32, u32)) -> Result<(), Error> {
        let doing = || format!("write \"{name}\"");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.mount, name, flags, Mode::RUSR | Mode::WUSR).doing(doing)?;
        let mut file = File::from(file);
        file.write_all(bytes).doing(doing)?;
        fchown(&file, Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1))).doing(doing)?;
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

/// The machine's own on its network; on ours the uplink's resolver in the place of the machine's, which may be on its loopback.
pub fn resolv_conf(attachment: &Attachment) -> Result<String, Error> {
    let machine = match File::open("/etc/resolv.conf") {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(MOST_RESOLV_BYTES)
                .read_to_end(&mut bytes)
                .doing(|| "read /etc/resolv.conf")?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).doing(|| "open /etc/resolv.conf"),
    };
    Ok(match attachment.resolver() {
        None => machine,
        Some(resolver) => with_resolver(&machine, &resolver),
    })
}

fn with_resolver(machine: &str, resolver: &str) -> String {
    let mut text = format!("nameserver {resolver}\n");
    for line in machine
        .lines()
        .filter(|line| matches!(line.split_whitespace().next(), Some("search" | "options" | "domain")))
    {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_resolver;

    #[test]
    fn only_the_resolver_is_replaced() {
        let machine = "# by hand\nnameserver 127.0.0.53\nsearch example.test\noptions edns0 trust-ad\n";
        let want = "nameserver 10.0.2.3\nsearch example.test\noptions edns0 trust-ad\n";
        assert_eq!(with_resolver(machine, "10.0.2.3"), want);
    }
}
