//! Seccomp user notification: system calls of a container that its supervisor answers. Source: seccomp_unotify(2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::{Instruction, check, set_filter};

/// A system call that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub struct Notification {
    /// Names it, as long as its caller waits.
    pub id: u64,
    /// The calling thread, as our pid namespace has it.
    pub thread: u32,
    /// `AUDIT_ARCH_…`: what the number means.
    pub architecture: u32,
    pub number: u32,
    pub arguments: [u64; 6],
}

impl Notification {
    /// Whether its caller is a 32-bit program.
    pub fn is_narrow(&self) -> bool {
        const OF_64_BITS: u32 = 0x8000_0000; // __AUDIT_ARCH_64BIT
        self.architecture & OF_64_BITS == 0
    }
}

/// What the kernel fills: it may know longer ones than we do.
#[repr(C)]
struct Room {
    notification: libc::seccomp_notif,
    spare: [u64; 16],
}

/// Loads a filter and gives the descriptor on which its notifications come. Needs CAP_SYS_ADMIN in our user namespace.
pub fn load_listening_filter(program: &[Instruction]) -> io::Result<OwnedFd> {
    // A caller whose call was received is woken by nothing but its death: what was made once is not asked for again. Before 5.19 the
    // kernel does not know that.
    let wanted = [
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
    ];
    let mut last = io::Error::from_raw_os_error(libc::EINVAL);
    for flags in wanted {
        match set_filter(program, flags) {
            // SAFETY: the kernel made it for us, close-on-exec, and nobody else knows it.
            Ok(descriptor) => return Ok(unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) }),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// A call and its answer are woken for on the processor that they come from: both sides wait for each other anyway. Kernels before 6.6 do not
/// know that.
pub fn wake_at_once(listener: BorrowedFd<'_>) -> io::Result<()> {
    const SYNC_WAKE_UP: libc::c_ulong = 1; // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
    // SAFETY: this request has its flags in the place of a pointer, and reads no memory.
    let set = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
    match check(set.into()) {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTTY)) => Err(error),
        _ => Ok(()),
    }
}

/// The next call; `None` when its caller was killed meanwhile.
pub fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<Notification>> {
    // SAFETY: plain data, and the kernel wants zeroes.
    let mut room: Room = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live value that is longer than what any kernel writes.
    let got = check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut room) }.into());
    match got {
        Ok(_) => {}
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => return Ok(None),
        Err(error) => return Err(error),
    }
    let libc::seccomp_notif { id, pid, data, .. } = room.notification;
    Ok(Some(Notification {
        id,
        thread: pid,
        architecture: data.arch,
        number: data.nr as u32,
        arguments: data.args,
    }))
}

/// Whether the caller still waits: then its thread id is still its own.
pub fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the pointer is to a live number.
    let asked = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) };
    asked == 0
}

/// The call is answered: with a value, with an error, or by the kernel as if there were no filter.
#[derive(Debug)]
pub enum Answer {
    Value(i64),
    Error(i32),
    Continue,
    /// With a descriptor, which the caller gets as its own.
    Descriptor {
        file: OwnedFd,
        close_on_exec: bool,
    },
}

pub fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> io::Result<()> {
    let (val, error, flags) = match answer {
        Answer::Descriptor { file, close_on_exec } => match add_descriptor(listener, id, &file, close_on_exec) {
            Ok(number) => (number, 0, 0),
            Err(error) => (0, -error.raw_os_error().unwrap_or(libc::EIO), 0),
        },
        Answer::Value(value) => (value, 0, 0),
        Answer::Error(number) => (0, -number, 0),
        Answer::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
    };
    let response = libc::seccomp_notif_resp { id, val, error, flags };
    // SAFETY: the pointer is to a live value of the right type.
    let sent = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw const response,
        )
    };
    match check(sent.into()) {
        Ok(_) => Ok(()),
        // It was killed meanwhile.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives the waiting caller a descriptor; its number there.
fn add_descriptor(listener: BorrowedFd<'_>, id: u64, file: &OwnedFd, close_on_exec: bool) -> io::Result<i64> {
    let request = libc::seccomp_notif_addfd {
        id,
        flags: 0,
        srcfd: file.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
    };
    // SAFETY: the pointer is to a live value of the right type.
    check(
        unsafe {
            libc::ioctl(
                listener.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_ADDFD,
                &raw const request,
            )
        }
        .into(),
    )
}
