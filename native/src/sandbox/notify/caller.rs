//! A thread that waits for the answer to a call: its memory, its directories, its rights. All is read through its folder in /proc, which was
//! opened once: of a thread that has ended it gives nothing, and never what another has that got its number.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{CWD, Mode, OFlags, openat, statat};
use rustix::io::Errno;

/// PATH_MAX, with its end.
const MOST_PATH_BYTES: usize = 4096;
const MOST_STATUS_BYTES: u64 = 4 * 1024 * 1024;

pub struct Caller {
    folder: OwnedFd,
}

/// What decides about its rights to files. Ids are those of our user namespace, not of the caller's.
#[derive(Debug, PartialEq, Eq)]
pub struct Rights {
    pub fs_uid: u32,
    pub fs_gid: u32,
    pub groups: Vec<u32>,
    /// Effective capabilities, in its user namespace.
    pub capabilities: u64,
    pub umask: u32,
}

impl Caller {
    pub fn open(thread: u32) -> std::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, format!("/proc/{thread}"), flags, Mode::empty())?;
        Ok(Self { folder })
    }

    /// A path in its memory.
    pub fn path(&self, address: u64) -> std::io::Result<Vec<u8>> {
        let memory = File::from(openat(
            &self.folder,
            "mem",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?);
        let mut bytes = vec![0; MOST_PATH_BYTES];
        // As far as there is memory: the page behind a path may be missing.
        let count = memory.read_at(&mut bytes, address).map_err(|_| Errno::FAULT)?;
        match bytes[..count].iter().position(|byte| *byte == 0) {
            Some(end) => {
                bytes.truncate(end);
                Ok(bytes)
            }
            None if count == MOST_PATH_BYTES => Err(Errno::NAMETOOLONG.into()),
            None => Err(Errno::FAULT.into()),
        }
    }

    pub fn root(&self) -> std::io::Result<OwnedFd> {
        self.directory("root".to_owned())
    }

    /// What a relative path begins at: the current directory, or an open one.
    pub fn start(&self, directory: i32) -> std::io::Result<OwnedFd> {
        match directory {
            libc::AT_FDCWD => self.directory("cwd".to_owned()),
            number if number < 0 => Err(Errno::BADF.into()),
            number => self.directory(format!("fd/{number}")).map_err(|error| {
                let missing = error.raw_os_error() == Some(libc::ENOENT);
                if missing { Errno::BADF.into() } else { error }
            }),
        }
    }

    fn directory(&self, name: String) -> std::io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(&self.folder, name, flags, Mode::empty())?)
    }

    /// Names its user namespace: device and inode.
    pub fn user_namespace(&self) -> std::io::Result<(u64, u64)> {
        let stat = statat(&self.folder, "ns/user", rustix::fs::AtFlags::empty())?;
        Ok((stat.st_dev, stat.st_ino))
    }

    pub fn rights(&self) -> std::io::Result<Rights> {
        let status = openat(&self.folder, "status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = String::new();
        // The first line is a name that the program chose: bytes of any kind.
        let mut bytes = Vec::new();
        File::from(status).take(MOST_STATUS_BYTES).read_to_end(&mut bytes)?;
        text.push_str(&String::from_utf8_lossy(&bytes));
        parse(&text).ok_or_else(|| Errno::SRCH.into())
    }
}

/// The name stands in the first line, escaped, so that no line of ours can be forged.
fn parse(status: &str) -> Option<Rights> {
    let field = |name: &str| {
        let value = |line: &'_ str| {
            line.strip_prefix(name)?
                .strip_prefix(':')
                .map(|value| value.trim().to_owned())
        };
        status.lines().skip(1).find_map(value)
    };
    let numbers = |name: &str| -> Option<Vec<u32>> {
        field(name)?
            .split_whitespace()
            .map(|number| number.parse().ok())
            .collect()
    };
    Some(Rights {
        // Real, effective, saved, filesystem.
        fs_uid: *numbers("Uid")?.get(3)?,
        fs_gid: *numbers("Gid")?.get(3)?,
        groups: numbers("Groups")?,
        capabilities: u64::from_str_radix(&field("CapEff")?, 16).ok()?,
        umask: u32::from_str_radix(&field("Umask")?, 8).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_from_a_status() {
        let status = "Name:\tUmask: 0777\\nUid:\t9\nUmask:\t0027\nState:\tS\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 20 \n\
                      CapEff:\t00000000a80425fb\n";
        let want = Rights {
            fs_uid: 4,
            fs_gid: 8,
            groups: vec![10, 20],
            capabilities: 0xa804_25fb,
            umask: 0o27,
        };
        assert_eq!(parse(status), Some(want));
        assert_eq!(parse("Name:\tx\n"), None);
    }

    #[test]
    fn a_path_is_read_from_memory() {
        let caller = Caller::open(rustix::thread::gettid().as_raw_nonzero().get() as u32).unwrap();
        let path = c"/some/path";
        assert_eq!(caller.path(path.as_ptr() as u64).unwrap(), b"/some/path");
        let long = vec![b'x'; 2 * MOST_PATH_BYTES];
        let error = caller.path(long.as_ptr() as u64).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
        assert_eq!(caller.path(1).unwrap_err().raw_os_error(), Some(libc::EFAULT));
        assert_eq!(caller.start(-5).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
