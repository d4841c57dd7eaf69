//! A terminal for a container, where it is asked for: a pty of the container's own devpts. Everything goes by descriptors of ours, never by a
//! path of the image (CVE-2025-52565): /dev/console is a mount of the pty itself on our own /dev.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::error::{Doing, Error};
use crate::protocol::Tty;

use super::channel::send;

/// The program's end.
pub struct Terminal {
    pub slave: OwnedFd,
}

impl Terminal {
    /// Makes a pty, and sends the other end to the supervisor. `devpts` hangs in its place.
    pub fn open(devpts: BorrowedFd<'_>, size: Tty, supervisor: &UnixStream) -> Result<Self, Error> {
        let doing = || "make a terminal";
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let master = openat(devpts, "ptmx", flags, Mode::empty()).doing(doing)?;
        unlockpt(&master).doing(doing)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, flags).doing(doing)?;
        resize(master.as_fd(), size).doing(doing)?;
        send(supervisor, &(), &[master.as_fd()])?;
        Ok(Self { slave })
    }

    /// Makes it the one of the calling process, which leads a session.
    pub fn take(&self) -> Result<(), Error> {
        ioctl_tiocsctty(&self.slave).doing(|| "take the terminal")
    }
}

/// The kernel tells the program, by SIGWINCH, when it is another size.
pub fn resize(terminal: BorrowedFd<'_>, size: Tty) -> Result<(), Errno> {
    let Tty { rows, columns } = size;
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size)
}
