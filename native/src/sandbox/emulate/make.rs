//! What a process makes is its own from the first moment. Where that is not what a file without a mark means (owner.rs), it is made here, marked
//! and handed over; everything else the kernel makes.

use std::ffi::{CStr, CString};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, makedev, mkdirat, mknodat, openat, symlinkat};
use rustix::io::Errno;
use rustix::process::umask;
use rustix::thread::CapabilitySet;

use crate::owner::Owner;
use crate::resolve::MOST_LINKS;
use crate::syscalls::notification::{Answer as Reply, Notification};

use super::caller::Caller;
use super::calls::Call;
use super::credentials::Credentials;
use super::files::behind_link;
use super::listener::Listener;

#[derive(Debug, Clone, Copy)]
enum What {
    File {
        flags: OFlags,
        mode: u32,
    },
    Directory {
        mode: u32,
    },
    /// Where it leads stands at this address.
    Symlink {
        target: u64,
    },
    Node {
        mode: u32,
        device: u64,
    },
}

/// Where, too: as in `openat`, by address.
struct Making {
    directory: i32,
    path: u64,
    what: What,
}

impl Making {
    fn of(call: Call, [first, second, third, fourth, ..]: [u64; 6]) -> Option<Self> {
        let file = |flags: u64, mode: u64| What::File {
            flags: OFlags::from_bits_retain(flags as u32),
            mode: mode as u32,
        };
        let new = (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as u64;
        let (directory, path, what) = match call {
            Call::Open => (None, first, file(second, third)),
            Call::OpenAt => (Some(first), second, file(third, fourth)),
            Call::Create => (None, first, file(new, second)),
            Call::Directory => (None, first, What::Directory { mode: second as u32 }),
            Call::DirectoryAt => (Some(first), second, What::Directory { mode: third as u32 }),
            Call::Symlink => (None, second, What::Symlink { target: first }),
            Call::SymlinkAt => (Some(second), third, What::Symlink { target: first }),
            Call::Node => (
                None,
                first,
                What::Node {
                    mode: second as u32,
                    device: third,
                },
            ),
            Call::NodeAt => (
                Some(first),
                second,
                What::Node {
                    mode: third as u32,
                    device: fourth,
                },
            ),
            _ => return None,
        };
        Some(Self {
            directory: directory.map_or(libc::AT_FDCWD, |number| number as i32),
            path,
            what,
        })
    }
}

impl Listener {
    pub(super) fn make(&mut self, notification: &Notification, who: &Credentials, call: Call) -> Result<Reply, Errno> {
        let Some(making) = Making::of(call, notification.arguments) else {
            return Ok(Reply::Error(libc::ENOSYS));
        };
        match making.what {
            What::Node { mode, device } if is_device(mode) => {
                return self.make_device(notification, who, &making, (mode, device));
            }
            // It makes nothing, whatever else is asked for.
            What::File { flags, .. } if flags.contains(OFlags::PATH) => return Ok(Reply::Continue),
            _ => {}
        }
        let mut reply = Reply::Continue;
        let done = self.with_caller(notification, |listener, caller| {
            let path = caller.read_path(making.path)?;
            if let Some(owner) = listener.maker(caller, who, &making, &path)? {
                reply = listener.make_for(caller, &making, &path, owner)?;
            }
            Ok(())
        });
        // What did not work for us the kernel says better.
        Ok(done.map_or(Reply::Continue, |_| reply))
    }

    /// Whose it will be, where nobody would know that by itself: a directory may give its group to what is made in it. Source: inode(7),
    /// "set-group-ID".
    fn maker(
        &self,
        caller: &Caller<'_>,
        who: &Credentials,
        making: &Making,
        path: &CStr,
    ) -> Result<Option<Owner>, Errno> {
        let parent = match making.what {
            What::File { flags, .. } if flags.contains(OFlags::TMPFILE) => {
                let mut within = path.to_bytes().to_vec();
                within.extend_from_slice(b"/.");
                caller.parent(making.directory, &CString::new(within).map_err(|_| Errno::INVAL)?)?
            }
            _ => caller.parent(making.directory, path)?,
        };
        let mut owner = (who.user.effective, who.group.effective);
        if Mode::from_raw_mode(parent.mode).contains(Mode::SGID) {
            owner.1 = self.files.owner(&caller.open_parent(&parent)?)?.1;
        }
        let can_have_mark = match making.what {
            What::File { .. } | What::Directory { .. } => true,
            What::Symlink { .. } => false,
            What::Node { mode, .. } => is_device(mode) || FileType::from_raw_mode(mode) == FileType::RegularFile,
        };
        let needs_word = self.files.needs_word(owner, parent.mount, can_have_mark);
        Ok(needs_word.then_some(owner))
    }

    /// Only what is new is made here: what is there already the kernel opens, and a pipe would hold us up.
    fn make_for(&mut self, caller: &Caller<'_>, making: &Making, path: &CStr, owner: Owner) -> Result<Reply, Errno> {
        umask(Mode::from_raw_mode(caller.umask()?));
        let place = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = match making.what {
            What::Symlink { target } => Some(caller.read_path(target)?),
            _ => None,
        };
        let made = caller.within(making.directory, path, |start| match making.what {
            What::File { flags, mode } => make_file(start, path, flags, Mode::from_raw_mode(mode)),
            What::Directory { mode } => {
                mkdirat(start, path, Mode::from_raw_mode(mode))?;
                openat(start, path, place, Mode::empty())
            }
            What::Symlink { .. } => {
                symlinkat(target.as_deref().unwrap_or(c""), start, path)?;
                openat(start, path, place, Mode::empty())
            }
            What::Node { mode, .. } => {
                let kind = FileType::from_raw_mode(mode);
                mknodat(start, path, kind, Mode::from_raw_mode(mode), makedev(0, 0))?;
                openat(start, path, place, Mode::empty())
            }
        })?;
        self.files.mark_made(&made, owner)?;
        Ok(match making.what {
            What::File { flags, .. } => Reply::Descriptor {
                file: made,
                close_on_exec: flags.contains(OFlags::CLOEXEC),
            },
            _ => Reply::Value(0),
        })
    }

    fn make_device(
        &mut self,
        notification: &Notification,
        who: &Credentials,
        making: &Making,
        node: (u32, u64),
    ) -> Result<Reply, Errno> {
        // To an overlay this is no device, but a name that is gone.
        if !who.can(CapabilitySet::MKNOD) || node.1 == 0 {
            return Err(Errno::PERM);
        }
        self.with_caller(notification, |listener, caller| {
            let path = caller.read_path(making.path)?;
            let owner = listener.maker(caller, who, making, &path)?;
            listener.files.make_device(caller, making.directory, &path, node, owner)
        })
    }
}

/// Also where a symlink leads to what is not there yet.
fn make_file(start: BorrowedFd<'_>, path: &CStr, asked: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let flags = asked | OFlags::CLOEXEC | OFlags::NOCTTY;
    if asked.contains(OFlags::TMPFILE) {
        return openat(start, path, flags, mode);
    }
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match openat(start, &path, flags | OFlags::EXCL, mode) {
            Err(Errno::EXIST) if !asked.intersects(OFlags::EXCL | OFlags::NOFOLLOW) => {}
            made => return made,
        }
        path = behind_link(start, &path)?;
    }
    Err(Errno::LOOP)
}

fn is_device(mode: u32) -> bool {
    let kind = FileType::from_raw_mode(mode);
    matches!(kind, FileType::CharacterDevice | FileType::BlockDevice)
}
