//! What is answered to each call.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use crate::owner::Owner;
use crate::syscalls::notification::{self, Answer as Reply, Notification};

use super::caller::Caller;
use super::calls::{self, Call, Table, Which, Whose};
use super::credentials::{Credentials, Given};
use super::files::{Files, Place};
use super::ids::Ids;
use super::known::Known;

/// As the kernel has it: NGROUPS_MAX.
const MOST_GROUPS: u32 = 65536;

pub struct Listener {
    notifications: OwnedFd,
    table: Table,
    pub(super) files: Files,
    pub(super) known: Known,
    pub(super) bounding: CapabilitySet,
}

impl Listener {
    pub fn new(notifications: OwnedFd, files: Files, first: Credentials, bounding: CapabilitySet) -> Self {
        Self {
            notifications,
            table: calls::table(),
            files,
            known: Known::new(first),
            bounding,
        }
    }

    pub fn notifications(&self) -> BorrowedFd<'_> {
        self.notifications.as_fd()
    }

    /// Whose those files are that can have no attribute.
    pub fn noted(self) -> BTreeMap<String, Owner> {
        self.files.beside
    }

    pub fn answer(&mut self, notification: &Notification) -> Result<Reply, Errno> {
        let key = (notification.architecture, notification.number);
        let Some(call) = self.table.get(&key).copied() else {
            return Ok(Reply::Error(libc::ENOSYS));
        };
        match call {
            Call::Stat { .. } | Call::DescriptorStat | Call::StatAt | Call::ExtendedStat => {
                return Ok(self.look(notification, call));
            }
            Call::GetLimit | Call::SetLimit | Call::Limit => return self.limit(notification, call),
            Call::SocketOption => return Ok(self.peer(notification)),
            _ => {}
        }
        let who = self.credentials_of(notification)?;
        match call {
            Call::Get(..) | Call::GetAll(_) | Call::GetGroups => self.tell(notification, call, &who),
            Call::SetFile(whose) => Ok(Reply::Value(of(&who, whose).effective.into())),
            Call::Set(whose, count) => self.set_ids(notification, (*who).clone(), whose, count),
            Call::SetGroups => self.set_groups(notification, &who),
            Call::GetCapabilities => self.get_capabilities(notification, &who),
            Call::SetCapabilities => self.set_capabilities(notification, &who),
            Call::Control => self.control(notification, &who),
            Call::Chown { .. } | Call::ChownAt | Call::DescriptorChown => self.give(notification, &who, call),
            _ => self.make(notification, &who, call),
        }
    }

    /// The kernel answers by itself where nothing is to be changed, or nothing is found: what it says is true then.
    fn look(&mut self, notification: &Notification, call: Call) -> Reply {
        let [first, second, third, fourth, fifth, _] = notification.arguments;
        let directory = first as i32;
        let (place, buffer, mask) = match call {
            Call::Stat { follow } => (Place::path(first, follow), second, None),
            Call::StatAt => (Place::at(directory, second, fourth as i32), third, None),
            Call::ExtendedStat => (Place::at(directory, second, third as i32), fifth, Some(fourth as u32)),
            _ => (Place::Descriptor(directory), second, None),
        };
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
    pub(super) fn with_caller(
        &mut self,
        notification: &Notification,
        work: impl FnOnce(&mut Self, &Caller<'_>) -> Result<(), Errno>,
    ) -> Result<Reply, Errno> {
        let outside = Rc::clone(&self.files.outside);
        let caller = Caller::open(&outside, notification.thread)?;
        if !notification::is_waiting(self.notifications(), notification.id) {
            return Err(Errno::SRCH);
        }
        work(self, &caller).map(|()| Reply::Value(0))
    }

    /// Who the caller is: what it became, and what its program's file has made of that when it began.
    fn credentials_of(&mut self, notification: &Notification) -> Result<Rc<Credentials>, Errno> {
        let who = self.known.of(notification.thread)?;
        let file = self.files.outside.program(notification.thread)?;
        // Nothing is left that the next program would lose.
        if who.program.is_none() && !file.gives {
            return Ok(who);
        }
        let mut found = Rc::clone(&who);
        self.with_caller(notification, |listener, caller| {
            let program = (file.name, caller.stack()?);
            if who.program == Some(program) {
                return Ok(());
            }
            let given = if file.gives {
                listener.given_by(caller)?
            } else {
                Given::default()
            };
            let mut new = (*who).clone();
            new.begin(given, listener.bounding);
            new.program = file.gives.then_some(program);
            listener.known.set(notification.thread, new.clone())?;
            found = Rc::new(new);
            Ok(())
        })?;
        Ok(found)
    }

    fn given_by(&self, caller: &Caller<'_>) -> Result<Given, Errno> {
        let Some((file, [user, group])) = caller.program()? else {
            return Ok(Given::default());
        };
        let owner = self.files.owner(&file)?;
        Ok(Given {
            user: user.then_some(owner.0),
            group: group.then_some(owner.1),
        })
    }

    /// With the program that did it: the next one may keep less.
    pub(super) fn become_other(&mut self, notification: &Notification, who: Credentials) -> Result<Reply, Errno> {
        let name = self.files.outside.program(notification.thread)?.name;
        self.with_caller(notification, |listener, caller| {
            let program = Some((name, caller.stack()?));
            listener.known.set(notification.thread, Credentials { program, ..who })
        })
    }

    fn tell(&mut self, notification: &Notification, call: Call, who: &Credentials) -> Result<Reply, Errno> {
        let [first, second, third, ..] = notification.arguments;
        match call {
            Call::Get(whose, which) => {
                let ids = of(who, whose);
                let id = if which == Which::Real { ids.real } else { ids.effective };
                Ok(Reply::Value(id.into()))
            }
            Call::GetAll(whose) => {
                let Ids { real, effective, saved } = of(who, whose);
                self.with_caller(notification, |_, caller| {
                    [(first, real), (second, effective), (third, saved)]
                        .into_iter()
                        .try_for_each(|(address, id)| caller.write(address, &id.to_ne_bytes()))
                })
            }
            _ => self.get_groups(notification, who, first as i32, second),
        }
    }

    fn set_ids(
        &mut self,
        notification: &Notification,
        mut who: Credentials,
        whose: Whose,
        count: usize,
    ) -> Result<Reply, Errno> {
        let (mut ids, capability) = match whose {
            Whose::User => (who.user, CapabilitySet::SETUID),
            Whose::Group => (who.group, CapabilitySet::SETGID),
        };
        let may = who.can(capability);
        let numbers = notification.arguments.map(|argument| argument as u32);
        match numbers[..count] {
            [id] => ids.set(may, id)?,
            [real, effective] => ids.set_two(may, real, effective)?,
            [real, effective, saved] => ids.set_three(may, [real, effective, saved])?,
            _ => return Err(Errno::NOSYS),
        }
        match whose {
            Whose::User => who.become_user(ids),
            Whose::Group => who.group = ids,
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

    fn set_groups(&mut self, notification: &Notification, who: &Credentials) -> Result<Reply, Errno> {
        let [count, list, ..] = notification.arguments;
        let count = count as u32;
        if !who.can(CapabilitySet::SETGID) {
            return Err(Errno::PERM);
        }
        if count > MOST_GROUPS {
            return Err(Errno::INVAL);
        }
        let mut bytes = Vec::new();
        self.with_caller(notification, |_, caller| {
            bytes = caller.read(list, count as usize * 4)?;
            Ok(())
        })?;
        let mut groups: Vec<u32> = bytes
            .chunks_exact(4)
            .map(|four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        // As the kernel keeps them.
        groups.sort_unstable();
        self.become_other(
            notification,
            Credentials {
                groups: groups.into(),
                ..who.clone()
            },
        )
    }

    fn give(&mut self, notification: &Notification, who: &Credentials, call: Call) -> Result<Reply, Errno> {
        let [first, second, third, fourth, fifth, _] = notification.arguments;
        let directory = first as i32;
        let (place, owner) = match call {
            Call::Chown { follow } => (Place::path(first, follow), (second, third)),
            Call::ChownAt => (Place::at(directory, second, fifth as i32), (third, fourth)),
            Call::DescriptorChown => (Place::Descriptor(directory), (second, third)),
            _ => return Err(Errno::NOSYS),
        };
        self.with_caller(notification, |listener, caller| {
            let file = listener.files.find(caller, place)?;
            listener.files.give(who, &file, (owner.0 as u32, owner.1 as u32))
        })
    }
}

fn of(who: &Credentials, whose: Whose) -> Ids {
    match whose {
        Whose::User => who.user,
        Whose::Group => who.group,
    }
}
