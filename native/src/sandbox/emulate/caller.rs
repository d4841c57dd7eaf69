//! The process whose call is answered: its memory, its view of files, and what it has become.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;
use rustix::process::{chroot, fchdir};

use super::credentials::FileName;

const PAGE: usize = 4096;
/// The kernel's own limit.
const MOST_PATH: usize = 4096;

/// `/proc` as it is outside of the container, and the container's root.
pub struct Outside {
    pub proc: OwnedFd,
    /// Our own descriptors, by number: a name for what is open.
    pub names: OwnedFd,
    pub root: OwnedFd,
}

pub struct Caller<'a> {
    outside: &'a Outside,
    /// `/proc/<pid>`.
    directory: OwnedFd,
}

const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

impl<'a> Caller<'a> {
    /// The caller must be known to wait still, after this: only then the directory is its own.
    pub fn open(outside: &'a Outside, pid: u32) -> Result<Self, Errno> {
        let directory = openat(&outside.proc, pid.to_string(), PLACE | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Self { outside, directory })
    }

    fn memory(&self, flags: OFlags) -> Result<File, Errno> {
        openat(&self.directory, "mem", flags | OFlags::CLOEXEC, Mode::empty()).map(File::from)
    }

    pub fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; length];
        let read = self.memory(OFlags::RDONLY)?.read_exact_at(&mut bytes, address);
        read.map(|()| bytes).map_err(|_| Errno::FAULT)
    }

    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        let written = self.memory(OFlags::RDWR)?.write_all_at(bytes, address);
        written.map_err(|_| Errno::FAULT)
    }

    /// A path: to its NUL, a page at a time, as the next page may not be there.
    pub fn read_path(&self, address: u64) -> Result<CString, Errno> {
        let memory = self.memory(OFlags::RDONLY)?;
        let mut path = Vec::new();
        while path.len() < MOST_PATH {
            let at = address.checked_add(path.len() as u64).ok_or(Errno::FAULT)?;
            let mut piece = vec![0; PAGE - at as usize % PAGE];
            memory.read_exact_at(&mut piece, at).map_err(|_| Errno::FAULT)?;
            let end = piece.iter().position(|byte| *byte == 0);
            path.extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
            if end.is_some() {
                return CString::new(path).map_err(|_| Errno::FAULT);
            }
        }
        Err(Errno::NAMETOOLONG)
    }

    /// What a descriptor of its leads to.
    pub fn descriptor(&self, number: i32) -> Result<OwnedFd, Errno> {
        if number == libc::AT_FDCWD {
            return openat(&self.directory, "cwd", PLACE | OFlags::DIRECTORY, Mode::empty());
        }
        match openat(&self.directory, format!("fd/{number}"), PLACE, Mode::empty()) {
            Err(Errno::NOENT) => Err(Errno::BADF),
            other => other,
        }
    }

    /// Runs `work` as this process resolves paths: in its root, from the directory that a path begins at.
    pub fn within<T>(&self, directory: i32, work: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
        let start = self.descriptor(directory)?;
        let root = openat(&self.directory, "root", PLACE | OFlags::DIRECTORY, Mode::empty())?;
        if is_same(&root, &self.outside.root)? {
            return fchdir(&start).and_then(|()| work());
        }
        // A chroot inside of the container; we leave it again below.
        fchdir(&root)?;
        chroot(".")?;
        let done = fchdir(&start).and_then(|()| work());
        fchdir(&self.outside.root)?;
        chroot(".")?;
        done
    }

    /// The program that it runs, where its file gives something to who runs it: the rights of its owner, of its group.
    pub fn program(&self) -> Result<Option<(OwnedFd, [bool; 2])>, Errno> {
        let file = openat(&self.directory, "exe", PLACE, Mode::empty())?;
        let set = set_ids(fstat(&file)?.st_mode);
        let given = set != [false; 2] && self.status("NoNewPrivs:")?.trim() == "0";
        Ok(given.then_some((file, set)))
    }

    /// Of the mode of new files.
    pub fn umask(&self) -> Result<u32, Errno> {
        u32::from_str_radix(self.status("Umask:")?.trim(), 8).map_err(|_| Errno::IO)
    }

    /// Of the calling thread, as it knows it itself.
    pub fn own_number(&self) -> Result<u32, Errno> {
        let numbers = self.status("NSpid:")?;
        let last = numbers.split_whitespace().last();
        last.and_then(|number| number.parse().ok()).ok_or(Errno::IO)
    }

    /// A line of `/proc/<pid>/status`.
    fn status(&self, name: &str) -> Result<String, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.directory, "status", flags, Mode::empty())?;
        let text = std::io::read_to_string(File::from(file)).map_err(|_| Errno::IO)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.map(str::to_owned).ok_or(Errno::IO)
    }
}

/// Whether a program of this mode runs as its file's owner, as its group.
fn set_ids(mode: u32) -> [bool; 2] {
    let mode = Mode::from_raw_mode(mode);
    [mode.contains(Mode::SUID), mode.contains(Mode::SGID | Mode::XGRP)]
}

/// Which program a process runs.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    pub name: FileName,
    /// Whether its file may give ids to who runs it.
    pub gives: bool,
}

fn is_same(one: &OwnedFd, other: &OwnedFd) -> Result<bool, Errno> {
    let (one, other) = (fstat(one)?, fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

impl Outside {
    /// Before the machine is left.
    pub fn open_proc() -> Result<(OwnedFd, OwnedFd), Errno> {
        let flags = PLACE | OFlags::DIRECTORY;
        Ok((
            openat(CWD, "/proc", flags, Mode::empty())?,
            openat(CWD, "/proc/self/fd", flags, Mode::empty())?,
        ))
    }

    pub fn program(&self, thread: u32) -> Result<Program, Errno> {
        let stat = statat(&self.proc, format!("{thread}/exe"), AtFlags::empty())?;
        Ok(Program {
            name: (stat.st_dev, stat.st_ino),
            gives: set_ids(stat.st_mode) != [false; 2],
        })
    }

    /// A path of an open file for calls that take only paths; good as long as our directory is `names`.
    pub fn name(&self, file: impl AsFd) -> Result<CString, Errno> {
        use std::os::fd::AsRawFd as _;
        fchdir(&self.names)?;
        CString::new(file.as_fd().as_raw_fd().to_string()).map_err(|_| Errno::INVAL)
    }
}
