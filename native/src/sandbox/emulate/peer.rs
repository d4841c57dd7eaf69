//! Who is at the other end of a socket (SO_PEERCRED): servers let users in by that, PostgreSQL and D-Bus among them. The kernel notes who it was
//! when both came together, and always one id; here it is who that process is when somebody asks.

use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::syscalls::notification::{Answer as Reply, Notification};
use crate::syscalls::others;

use super::caller::Caller;
use super::errno;
use super::listener::Listener;

impl Listener {
    /// Of a process that is gone, or never was in this container, the kernel tells what it knows.
    pub(super) fn peer(&mut self, notification: &Notification) -> Reply {
        let [socket, level, _, value, length, _] = notification.arguments;
        if level as i32 != libc::SOL_SOCKET {
            return Reply::Continue;
        }
        let done = self.with_caller(notification, |listener, caller| {
            let process = others::peer_of(caller.duplicate(socket as i32)?.as_fd()).map_err(errno)?;
            let peer = Caller::open(&listener.files.outside, process)?;
            if peer.pid_namespace()? != caller.pid_namespace()? {
                return Err(Errno::SRCH);
            }
            let who = listener.known.of(process)?;
            let credentials = [peer.own_number()?, who.user.effective, who.group.effective].map(u32::to_ne_bytes);
            let credentials = credentials.as_flattened();
            let room = caller.read(length, 4)?;
            let room = i32::from_ne_bytes([room[0], room[1], room[2], room[3]]);
            let count = usize::try_from(room).map_err(|_| Errno::INVAL)?.min(credentials.len());
            caller.write(value, &credentials[..count])?;
            caller.write(length, &(count as u32).to_ne_bytes())
        });
        done.unwrap_or(Reply::Continue)
    }
}
