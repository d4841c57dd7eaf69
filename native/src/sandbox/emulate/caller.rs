//! The process whose call is answered: its memory, its view of files, and what it has become.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, fstat, openat, statat, statx};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, chroot, fchdir, pidfd_getfd, pidfd_open};

use super::credentials::FileName;
use crate::syscalls::others;

const PAGE: usize = 4096;
/// The kernel's own limit.
const MOST_PATH: usize = 4096;

/// `/proc` as it is outside of the container, and the container's root.
pub struct Outside {
    pub proc: OwnedFd,
    /// Our own descriptors, by number: a name for what is open.
    pub names: OwnedFd,
    pub root: OwnedFd,
    root_name: FileName,
}

pub struct Caller<'a> {
    outside: &'a Outside,
    thread: u32,
    /// `/proc/<pid>`.
    directory: OwnedFd,
}

const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

impl<'a> Caller<'a> {
    /// The caller must be known to wait still, after this: only then the directory is its own.
    pub fn open(outside: &'a Outside, thread: u32) -> Result<Self, Errno> {
        let directory = openat(
            &outside.proc,
            thread.to_string(),
            PLACE | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        Ok(Self {
            outside,
            thread,
            directory,
        })
    }

    pub fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; length];
        match others::read_memory(self.thread, address, &mut bytes) {
            Ok(read) if read == length => Ok(bytes),
            _ => Err(Errno::FAULT),
        }
    }

    /// By what is surely the caller's: it may be killed meanwhile.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let memory = openat(&self.directory, "mem", flags, Mode::empty()).map(File::from)?;
        memory.write_all_at(bytes, address).map_err(|_| Errno::FAULT)
    }

    /// A path: to its NUL, a page at a time, as the next page may not be there.
    pub fn read_path(&self, address: u64) -> Result<CString, Errno> {
        let mut path = Vec::new();
        while path.len() < MOST_PATH {
            let at = address.checked_add(path.len() as u64).ok_or(Errno::FAULT)?;
            let piece = self.read(at, PAGE - at as usize % PAGE)?;
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

    /// One of its descriptors as one of ours: what cannot be opened by name, a socket for one.
    pub fn duplicate(&self, number: i32) -> Result<OwnedFd, Errno> {
        let process = self.status("Tgid:")?.trim().parse().ok().and_then(Pid::from_raw);
        let process = pidfd_open(process.ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
        // It is there still, so its number was not another's when it was opened.
        self.status("Tgid:")?;
        pidfd_getfd(process, number, PidfdGetfdFlags::empty())
    }

    /// Runs `work` as this process resolves paths: in its root, with the directory that a path begins at.
    pub fn within<T>(
        &self,
        directory: i32,
        path: &CStr,
        work: impl FnOnce(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let opened = match path.to_bytes().first() {
            // The directory does not matter then, and need not be open.
            Some(b'/') => None,
            _ => Some(self.descriptor(directory)?),
        };
        let start = opened.as_ref().map_or(self.outside.root.as_fd(), AsFd::as_fd);
        let root = statat(&self.directory, "root", AtFlags::empty())?;
        if (root.st_dev, root.st_ino) == self.outside.root_name {
            return work(start);
        }
        // A chroot inside of the container; we leave it again below.
        fchdir(openat(
            &self.directory,
            "root",
            PLACE | OFlags::DIRECTORY,
            Mode::empty(),
        )?)?;
        chroot(".")?;
        let done = work(start);
        fchdir(&self.outside.root)?;
        chroot(".")?;
        fchdir(&self.outside.names)?;
        done
    }

    /// The directory that a path's last name would stand in: its mode, its mount, and a name for it. Only a hint: in a chroot a symlink may lead
    /// elsewhere.
    pub fn parent(&self, directory: i32, path: &CStr) -> Result<Parent, Errno> {
        let path = without_slashes(path.to_bytes());
        let above = match path.iter().rposition(|byte| *byte == b'/') {
            Some(0) => &b"/"[..],
            Some(slash) => &path[..slash],
            None => b".",
        };
        let mut name = match (path.first(), directory) {
            (Some(b'/'), _) => b"root/".to_vec(),
            (_, libc::AT_FDCWD) => b"cwd/".to_vec(),
            (_, number) => format!("fd/{number}/").into_bytes(),
        };
        name.extend_from_slice(above);
        let wanted = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::MNT_ID;
        let stat = statx(&self.directory, name.as_slice(), AtFlags::empty(), wanted)?;
        Ok(Parent {
            mode: stat.stx_mode.into(),
            mount: stat.stx_mnt_id,
            name,
        })
    }

    pub fn open_parent(&self, parent: &Parent) -> Result<OwnedFd, Errno> {
        openat(
            &self.directory,
            parent.name.as_slice(),
            PLACE | OFlags::DIRECTORY,
            Mode::empty(),
        )
    }

    /// The program that it runs, where its file gives something to who runs it: the rights of its owner, of its group.
    pub fn program(&self) -> Result<Option<(OwnedFd, [bool; 2])>, Errno> {
        let file = openat(&self.directory, "exe", PLACE, Mode::empty())?;
        let set = set_ids(fstat(&file)?.st_mode);
        let given = set != [false; 2] && self.status("NoNewPrivs:")?.trim() == "0";
        Ok(given.then_some((file, set)))
    }

    /// Where its stack begins. Source: proc_pid_stat(5), "startstack".
    pub fn stack(&self) -> Result<u64, Errno> {
        let file = openat(&self.directory, "stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let text = std::io::read_to_string(File::from(file)).map_err(|_| Errno::IO)?;
        // Behind the name, which may hold anything, the third field comes first.
        let fields = text.rsplit_once(')').map(|(_, fields)| fields.split_whitespace());
        let stack = fields.and_then(|mut fields| fields.nth(25));
        stack.and_then(|stack| stack.parse().ok()).ok_or(Errno::IO)
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

    /// Names its pid namespace.
    pub fn pid_namespace(&self) -> Result<FileName, Errno> {
        let stat = statat(&self.directory, "ns/pid", AtFlags::empty())?;
        Ok((stat.st_dev, stat.st_ino))
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

/// A directory that is to be made may have them behind its name.
fn without_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    &path[..end.max(1).min(path.len())]
}

/// Whether a program of this mode runs as its file's owner, as its group.
fn set_ids(mode: u32) -> [bool; 2] {
    let mode = Mode::from_raw_mode(mode);
    [mode.contains(Mode::SUID), mode.contains(Mode::SGID | Mode::XGRP)]
}

/// The file of the program that a process runs, and whether it may give ids to who runs it.
#[derive(Debug, Clone, Copy)]
pub struct ProgramFile {
    pub name: FileName,
    pub gives: bool,
}

pub struct Parent {
    pub mode: u32,
    pub mount: u64,
    /// Below `/proc/<pid>`.
    name: Vec<u8>,
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

    /// In the container. Our directory is `names` from now on.
    pub fn new((proc, names): (OwnedFd, OwnedFd)) -> Result<Self, Errno> {
        let root = openat(CWD, "/", PLACE | OFlags::DIRECTORY, Mode::empty())?;
        let stat = fstat(&root)?;
        fchdir(&names)?;
        Ok(Self {
            proc,
            names,
            root,
            root_name: (stat.st_dev, stat.st_ino),
        })
    }

    pub fn program(&self, thread: u32) -> Result<ProgramFile, Errno> {
        let stat = statat(&self.proc, format!("{thread}/exe"), AtFlags::empty())?;
        Ok(ProgramFile {
            name: (stat.st_dev, stat.st_ino),
            gives: set_ids(stat.st_mode) != [false; 2],
        })
    }

    /// A path of an open file for calls that take only paths: our directory is `names`.
    pub fn name(&self, file: impl AsFd) -> Result<CString, Errno> {
        CString::new(file.as_fd().as_raw_fd().to_string()).map_err(|_| Errno::INVAL)
    }
}
