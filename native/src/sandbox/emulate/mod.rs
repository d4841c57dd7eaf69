//! Ids that there are not. In a user namespace with one id the kernel refuses every other: programs that become somebody, or give files to
//! somebody, fail, and apt is one of them. Here their calls are handed over by a seccomp filter to a process that answers as the kernel would
//! with all ids: who a process is stands in a table, who a file belongs to in an attribute of it. What is not emulated: rights are
//! checked for root, so nothing is kept from a user of the container.
//!
//! The listener is a child of the supervisor. It is in the container's mount namespace, so that the kernel itself keeps every path within, but not
//! in its pid namespace, so that nobody there sees or ends it.

mod caller;
mod calls;
mod files;
mod ids;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{Doing, Error};
use crate::owner::{Owner, Owners};
use crate::protocol::WorkerError;
use crate::syscalls;
use crate::syscalls::notification::{self, Answer as Reply, Notification};
use crate::syscalls::others;

use super::channel;
use super::user::User;
use caller::{Caller, Outside};
use calls::{Call, Table, Which, Whose};
use files::{Files, Place};
use ids::{Credentials, Ids};

/// A limit that no kernel since 2.4 looks at: which credentials a process has. It is inherited exactly when they are, and can be set from outside.
const RLIMIT_LOCKS: u32 = 10;
/// The first place of the table; below it is what somebody set who meant locks.
const FIRST: u64 = 1 << 32;
const MOST_CREDENTIALS: usize = 65536;
/// Of all credentials together: no program needs many sets of many groups, and one that makes them must not cost the machine's memory.
const MOST_GROUPS_KEPT: usize = 1 << 20;
/// As the kernel has it: NGROUPS_MAX.
const MOST_GROUPS: u64 = 65536;

/// For the listener: opened before the machine is left, as the container's own /proc shows other numbers.
pub fn mount_namespace() -> Result<OwnedFd, Error> {
    openat(
        CWD,
        "/proc/self/ns/mnt",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .doing(|| "open a mount namespace")
}

/// In the container's first process: loads the filter and gives its listener away. Every emulated call waits from now on.
pub fn hand_over(socket: &UnixStream, user: &User, mounts: &OwnedFd) -> Result<(), Error> {
    let filter = calls::filter(&calls::table());
    let listener = notification::load_listening_filter(&filter).doing(|| "load the filter that emulates ids")?;
    channel::send(socket, user, &[listener.as_fd(), mounts.as_fd()])
}

/// A running listener, a child of the supervisor.
pub struct Emulation {
    child: Pid,
    result: File,
}

impl Emulation {
    pub fn start(socket: &UnixStream) -> Result<Self, Error> {
        let (user, descriptors) = channel::receive::<User>(socket)?
            .ok_or_else(|| Error::internal("the container ended without a listener"))?;
        let [listener, mounts]: [OwnedFd; 2] = descriptors
            .try_into()
            .map_err(|_| Error::internal("a listener came without its descriptors"))?;
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).doing(|| "make a pipe")?;
        match syscalls::clone_process(0).doing(|| "start a listener")? {
            Some(child) => Ok(Self {
                child,
                result: reading.into(),
            }),
            None => {
                drop(reading);
                let told = set_parent_process_death_signal(Some(Signal::KILL))
                    .doing(|| "tie a listener to its supervisor")
                    .and_then(|()| listen(listener, mounts.as_fd(), &user))
                    .map_err(|error| error.to_wire());
                let text = serde_json::to_vec(&told).unwrap_or_default();
                let written = File::from(writing).write_all(&text);
                syscalls::exit_now(i32::from(written.is_err()))
            }
        }
    }

    /// After the container's end: whose its files are.
    pub fn finish(mut self) -> Result<Owners, Error> {
        let mut text = Vec::new();
        self.result.read_to_end(&mut text).doing(|| "read from a listener")?;
        syscalls::wait(self.child).doing(|| "wait for a listener")?;
        let told: Result<Owners, WorkerError> = serde_json::from_slice(&text)
            .map_err(|_| Error::internal("the listener that emulates ids ended before the container"))?;
        told.map_err(|error| Error::Relayed(Box::new(error)))
    }
}

struct Listener {
    notifications: OwnedFd,
    table: Table,
    files: Files,
    /// The first is what the container begins as.
    credentials: Vec<Credentials>,
}

/// Answers until the container's end; gives who the files belong to that can have no attribute. `mounts` is the container's mount namespace.
fn listen(notifications: OwnedFd, mounts: BorrowedFd<'_>, user: &User) -> Result<Owners, Error> {
    let doing = || "emulate ids";
    let (proc, names) = Outside::open_proc().doing(doing)?;
    move_into_link_name_space(mounts, Some(LinkNameSpaceType::Mount)).doing(doing)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, "/", flags, Mode::empty()).doing(doing)?;
    let files = Files::new(Outside { proc, names, root }, (user.uid, user.gid)).doing(doing)?;
    let mut listener = Listener {
        notifications,
        table: calls::table(),
        files,
        credentials: vec![Credentials::of(user.uid, user.gid, &user.all_groups())],
    };
    while is_readable(&listener.notifications).doing(doing)? {
        let Some(call) = notification::receive(listener.notifications.as_fd()).doing(doing)? else {
            continue;
        };
        let reply = listener
            .answer(&call)
            .unwrap_or_else(|error| Reply::Error(error.raw_os_error()));
        notification::answer(listener.notifications.as_fd(), call.id, reply).doing(doing)?;
    }
    Ok(Owners {
        maker: (user.uid, user.gid),
        beside: listener.files.beside,
    })
}

/// Waits for the next call; false when nobody is left who could make one.
fn is_readable(notifications: &OwnedFd) -> Result<bool, Errno> {
    loop {
        let mut waiting = [PollFd::new(notifications, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Ok(_) => return Ok(waiting[0].revents().contains(PollFlags::IN)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

fn groups_of(credentials: &[Credentials]) -> usize {
    credentials.iter().map(|each| each.groups.len()).sum()
}

impl Listener {
    fn answer(&mut self, notification: &Notification) -> Result<Reply, Errno> {
        let Some(call) = self
            .table
            .get(&(notification.architecture, notification.number))
            .copied()
        else {
            return Ok(Reply::Error(libc::ENOSYS));
        };
        let [first, second, third, fourth, fifth, _] = notification.arguments;
        // Ids, flags and descriptors have 32 bits; what stands above them is nobody's.
        let numbers = notification.arguments.map(|argument| argument as u32);
        let directory = numbers[0] as i32;
        match call {
            Call::Stat { follow } => return Ok(self.stat(notification, Place::path(first, follow), second, None)),
            Call::DescriptorStat => return Ok(self.stat(notification, Place::Descriptor(directory), second, None)),
            Call::StatAt => {
                let place = Place::at(directory, second, fourth as i32);
                return Ok(self.stat(notification, place, third, None));
            }
            Call::ExtendedStat => {
                let place = Place::at(directory, second, third as i32);
                return Ok(self.stat(notification, place, fifth, Some(numbers[3])));
            }
            _ => {}
        }
        let who = self.credentials_of(notification)?;
        match call {
            Call::Stat { .. } | Call::DescriptorStat | Call::StatAt | Call::ExtendedStat => Err(Errno::NOSYS),
            Call::Get(whose, which) => {
                let ids = of(&who, whose);
                let id = if which == Which::Real { ids.real } else { ids.effective };
                Ok(Reply::Value(id.into()))
            }
            Call::SetFile(whose) => Ok(Reply::Value(of(&who, whose).effective.into())),
            Call::GetAll(whose) => {
                let Ids { real, effective, saved } = of(&who, whose);
                self.with_caller(notification, |_, caller| {
                    [(first, real), (second, effective), (third, saved)]
                        .into_iter()
                        .try_for_each(|(address, id)| caller.write(address, &id.to_ne_bytes()))
                })
            }
            Call::Set(whose, count) => self.set_ids(notification, who, whose, &numbers[..count]),
            Call::GetGroups => self.get_groups(notification, &who, numbers[0] as i32, second),
            Call::SetGroups => self.set_groups(notification, who, first, second),
            Call::Chown { follow } => {
                self.give(notification, &who, Place::path(first, follow), (numbers[1], numbers[2]))
            }
            Call::ChownAt => {
                let place = Place::at(directory, second, fifth as i32);
                self.give(notification, &who, place, (numbers[2], numbers[3]))
            }
            Call::DescriptorChown => self.give(
                notification,
                &who,
                Place::Descriptor(directory),
                (numbers[1], numbers[2]),
            ),
            Call::Node => self.make_node(notification, &who, (libc::AT_FDCWD, first), (numbers[1], third)),
            Call::NodeAt => self.make_node(notification, &who, (directory, second), (numbers[2], fourth)),
        }
    }

    /// The kernel answers by itself where nothing is to be changed, or nothing is found: what it says is true then.
    fn stat(&mut self, notification: &Notification, place: Place, buffer: u64, mask: Option<u32>) -> Reply {
        let mut changed = false;
        let done = self.with_caller(notification, |listener, caller| {
            let file = listener.files.find(caller, place)?;
            if let Some(status) = listener.files.status(&file, mask)? {
                caller.write(buffer, &status.bytes)?;
                changed = true;
            }
            Ok(())
        });
        match done {
            Ok(reply) if changed => reply,
            _ => Reply::Continue,
        }
    }

    /// Works on the files and memory of the caller, once it is sure that they are the caller's.
    fn with_caller(
        &mut self,
        notification: &Notification,
        work: impl FnOnce(&mut Self, &Caller<'_>) -> Result<(), Errno>,
    ) -> Result<Reply, Errno> {
        let outside = Rc::clone(&self.files.outside);
        let caller = Caller::open(&outside, notification.thread)?;
        if !notification::is_waiting(self.notifications.as_fd(), notification.id) {
            return Err(Errno::SRCH);
        }
        work(self, &caller).map(|()| Reply::Value(0))
    }

    fn credentials_of(&mut self, notification: &Notification) -> Result<Credentials, Errno> {
        let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let (place, _) = others::limit_of(notification.thread, RLIMIT_LOCKS).map_err(errno)?;
        let place = place.checked_sub(FIRST).and_then(|place| usize::try_from(place).ok());
        let who = place
            .and_then(|place| self.credentials.get(place))
            .unwrap_or(&self.credentials[0])
            .clone();
        if who.privileged() {
            Ok(who)
        } else {
            self.by_program(notification, who)
        }
    }

    /// A setuid program makes its caller the owner of its file.
    fn by_program(&mut self, notification: &Notification, who: Credentials) -> Result<Credentials, Errno> {
        let mut found = who;
        self.with_caller(notification, |listener, caller| {
            let (program, setuid) = caller.program()?;
            if let Some(file) = setuid.filter(|_| found.program != Some(program)) {
                let (uid, _) = listener.files.owner(&file)?;
                (found.user.effective, found.user.saved) = (uid, uid);
                found.program = Some(program);
                listener.remember(notification, found.clone())?;
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn remember(&mut self, notification: &Notification, who: Credentials) -> Result<(), Errno> {
        let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let place = match self.credentials.iter().position(|each| *each == who) {
            Some(place) => place,
            None if self.credentials.len() >= MOST_CREDENTIALS => return Err(Errno::AGAIN),
            None if groups_of(&self.credentials) + who.groups.len() > MOST_GROUPS_KEPT => return Err(Errno::AGAIN),
            None => {
                self.credentials.push(who);
                self.credentials.len() - 1
            }
        };
        let (_, hard) = others::limit_of(notification.thread, RLIMIT_LOCKS).map_err(errno)?;
        others::set_limit_of(notification.thread, RLIMIT_LOCKS, (FIRST + place as u64, hard)).map_err(errno)
    }

    /// As `remember`, with the program that did it.
    fn become_other(&mut self, notification: &Notification, who: Credentials) -> Result<Reply, Errno> {
        self.with_caller(notification, |listener, caller| {
            let (program, _) = caller.program()?;
            let program = Some(program);
            listener.remember(notification, Credentials { program, ..who })
        })
    }

    fn set_ids(
        &mut self,
        notification: &Notification,
        mut who: Credentials,
        whose: Whose,
        wanted: &[u32],
    ) -> Result<Reply, Errno> {
        let privileged = who.privileged();
        let ids = match whose {
            Whose::User => &mut who.user,
            Whose::Group => &mut who.group,
        };
        match *wanted {
            [id] => ids.set(privileged, id)?,
            [real, effective] => ids.set_two(privileged, real, effective)?,
            [real, effective, saved] => ids.set_three(privileged, [real, effective, saved])?,
            _ => return Err(Errno::NOSYS),
        }
        self.become_other(notification, who)
    }

    fn get_groups(
        &mut self,
        notification: &Notification,
        who: &Credentials,
        room: i32,
        list: u64,
    ) -> Result<Reply, Errno> {
        let count = who.groups.len();
        if room != 0 {
            if room < 0 || (room as usize) < count {
                return Err(Errno::INVAL);
            }
            let bytes: Vec<u8> = who.groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
            self.with_caller(notification, |_, caller| caller.write(list, &bytes))?;
        }
        Ok(Reply::Value(count as i64))
    }

    fn set_groups(
        &mut self,
        notification: &Notification,
        mut who: Credentials,
        count: u64,
        list: u64,
    ) -> Result<Reply, Errno> {
        if !who.privileged() {
            return Err(Errno::PERM);
        }
        let count = count & u64::from(u32::MAX);
        if count > MOST_GROUPS {
            return Err(Errno::INVAL);
        }
        let mut bytes = Vec::new();
        self.with_caller(notification, |_, caller| {
            bytes = caller.read(list, count as usize * 4)?;
            Ok(())
        })?;
        who.groups = bytes
            .chunks_exact(4)
            .map(|four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        self.become_other(notification, who)
    }

    fn give(
        &mut self,
        notification: &Notification,
        who: &Credentials,
        place: Place,
        owner: Owner,
    ) -> Result<Reply, Errno> {
        self.with_caller(notification, |listener, caller| {
            let file = listener.files.find(caller, place)?;
            listener.files.give(who, &file, owner)
        })
    }

    /// Devices only: everything else the kernel makes.
    fn make_node(
        &mut self,
        notification: &Notification,
        who: &Credentials,
        (directory, path): (i32, u64),
        (mode, device): (u32, u64),
    ) -> Result<Reply, Errno> {
        let kind = FileType::from_raw_mode(mode);
        if !matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
            return Ok(Reply::Continue);
        }
        // To an overlay this is no device, but a name that is gone.
        if !who.privileged() || device == 0 {
            return Err(Errno::PERM);
        }
        self.with_caller(notification, |listener, caller| {
            let path = caller.read_path(path)?;
            listener.files.make_device(caller, directory, &path, (mode, device))
        })
    }
}

fn of(who: &Credentials, whose: Whose) -> Ids {
    match whose {
        Whose::User => who.user,
        Whose::Group => who.group,
    }
}
