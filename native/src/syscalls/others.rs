//! What is asked of, and told to, other processes: their limits, and what they get to see as the status of a file.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

/// A process's soft limit of a resource (`RLIMIT_…`), and its hard one.
pub fn limit_of(pid: u32, resource: u32) -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let none = std::ptr::null::<libc::rlimit64>();
    // SAFETY: nothing is set; the kernel writes one `rlimit64`.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, none, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

pub fn set_limit_of(pid: u32, resource: u32, (soft, hard): (u64, u64)) -> io::Result<()> {
    let limit = libc::rlimit64 {
        rlim_cur: soft,
        rlim_max: hard,
    };
    let none = std::ptr::null_mut::<libc::rlimit64>();
    // SAFETY: the kernel reads one `rlimit64` and writes nothing.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const limit, none) }).map(drop)
}

/// Reads memory of a process, as much as there is from `address` on; gives how many bytes.
pub fn read_memory(pid: u32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: into.len(),
    };
    // SAFETY: the kernel writes at most `into.len()` bytes to `into`; the other address means something in that process only.
    let read =
        check(unsafe { libc::process_vm_readv(pid as i32, &raw const local, 1, &raw const remote, 1, 0) } as i64)?;
    Ok(read as usize)
}

/// The process at the other end of a socket, as our pid namespace has it.
pub fn peer_of(socket: BorrowedFd<'_>) -> io::Result<u32> {
    // Not by rustix: to it there is no process 0, which is what others than AF_UNIX and other namespaces give.
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most one `ucred`, and how long it is.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    check(got.into())?;
    match u32::try_from(peer.pid) {
        Ok(process) if process > 0 => Ok(process),
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// What `stat` gives for an open place, as a program gets it.
pub struct Status {
    pub bytes: Vec<u8>,
    uid: usize,
    gid: usize,
    mode: usize,
    mode_bytes: usize,
    device: Vec<usize>,
}

impl Status {
    /// `struct stat` of this architecture.
    pub fn plain(file: BorrowedFd<'_>) -> io::Result<Self> {
        let mut bytes = vec![0; size_of::<libc::stat64>()];
        let flags = libc::AT_EMPTY_PATH;
        // SAFETY: the path is an empty C string; the kernel writes one `struct stat`, which has the size of the buffer.
        check(unsafe {
            libc::syscall(
                libc::SYS_newfstatat,
                file.as_raw_fd(),
                c"".as_ptr(),
                bytes.as_mut_ptr(),
                flags,
            )
        })?;
        Ok(Self {
            bytes,
            uid: offset_of!(libc::stat64, st_uid),
            gid: offset_of!(libc::stat64, st_gid),
            mode: offset_of!(libc::stat64, st_mode),
            mode_bytes: 4,
            device: vec![offset_of!(libc::stat64, st_rdev)],
        })
    }

    /// `struct statx`, the same everywhere.
    pub fn extended(file: BorrowedFd<'_>, mask: u32) -> io::Result<Self> {
        let mut bytes = vec![0; size_of::<libc::statx>()];
        let flags = libc::AT_EMPTY_PATH;
        // SAFETY: the path is an empty C string; the kernel writes one `struct statx`, which has the size of the buffer.
        check(unsafe {
            libc::syscall(
                libc::SYS_statx,
                file.as_raw_fd(),
                c"".as_ptr(),
                flags,
                mask,
                bytes.as_mut_ptr(),
            )
        })?;
        Ok(Self {
            bytes,
            uid: offset_of!(libc::statx, stx_uid),
            gid: offset_of!(libc::statx, stx_gid),
            mode: offset_of!(libc::statx, stx_mode),
            mode_bytes: 2,
            device: vec![
                offset_of!(libc::statx, stx_rdev_major),
                offset_of!(libc::statx, stx_rdev_minor),
            ],
        })
    }

    pub fn set_owner(&mut self, (uid, gid): (u32, u32)) {
        self.put(self.uid, &uid.to_ne_bytes());
        self.put(self.gid, &gid.to_ne_bytes());
    }

    /// Another type (`S_IF…`), with the permissions that it has.
    pub fn set_device(&mut self, kind: u32, (major, minor): (u32, u32)) {
        let mut mode = [0; 4];
        mode[..self.mode_bytes].copy_from_slice(&self.bytes[self.mode..][..self.mode_bytes]);
        let mode = u32::from_ne_bytes(mode) & !libc::S_IFMT | kind;
        self.put(self.mode, &mode.to_ne_bytes()[..self.mode_bytes]);
        match self.device[..] {
            [place] => self.put(place, &rustix::fs::makedev(major, minor).to_ne_bytes()),
            [first, second] => {
                self.put(first, &major.to_ne_bytes());
                self.put(second, &minor.to_ne_bytes());
            }
            _ => {}
        }
    }

    fn put(&mut self, place: usize, bytes: &[u8]) {
        self.bytes[place..place + bytes.len()].copy_from_slice(bytes);
    }
}
