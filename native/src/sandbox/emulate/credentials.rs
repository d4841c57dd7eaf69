//! Who a process would be, and what it might do: ids, groups and capabilities, by the rules of capabilities(7) and execve(2).

use std::rc::Rc;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use super::ids::{Ids, KEEP};

/// A file as the kernel names it: device and inode.
pub type FileName = (u64, u64);
/// A program that runs, as long as it does: its file, and where its stack begins, which is another place each time that it is started.
pub type Program = (FileName, u64);

/// Securebits that change what becomes of capabilities here. Source: the kernel's include/uapi/linux/securebits.h.
const NO_ROOT: u32 = 1;
const NO_SETUID_FIXUP: u32 = 1 << 2;
pub const KEEP_CAPABILITIES: u32 = 1 << 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Capabilities {
    pub permitted: CapabilitySet,
    pub effective: CapabilitySet,
    pub inheritable: CapabilitySet,
    pub ambient: CapabilitySet,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    pub user: Ids,
    pub group: Ids,
    pub groups: Rc<[u32]>,
    pub capabilities: Capabilities,
    pub securebits: u32,
    /// The program that became this: what a program's file gives it has once, when it begins.
    pub program: Option<Program>,
}

/// What the file of a program gives to who runs it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    pub user: Option<u32>,
    pub group: Option<u32>,
}

impl Credentials {
    /// As a step begins: root with all that a container may have, everybody else with nothing. `kept`: whoever it is keeps all of it.
    pub fn first(uid: u32, gid: u32, groups: &[u32], bounding: CapabilitySet, kept: bool) -> Self {
        let none = CapabilitySet::empty();
        let held = if uid == 0 || kept { bounding } else { none };
        let inherited = if kept { bounding } else { none };
        // As the kernel keeps them.
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        Self {
            user: Ids::all(uid),
            group: Ids::all(gid),
            groups: groups.into(),
            capabilities: Capabilities {
                permitted: held,
                effective: held,
                inheritable: inherited,
                ambient: inherited,
            },
            securebits: 0,
            program: None,
        }
    }

    pub fn can(&self, capability: CapabilitySet) -> bool {
        self.capabilities.effective.contains(capability)
    }

    /// Other user ids, and the capabilities that go or come with root's. Source: capabilities(7), "Effect of user ID changes".
    pub fn become_user(&mut self, new: Ids) {
        let old = std::mem::replace(&mut self.user, new);
        if self.securebits & NO_SETUID_FIXUP != 0 {
            return;
        }
        let held = &mut self.capabilities;
        if old.has(0) && !new.has(0) {
            if self.securebits & KEEP_CAPABILITIES == 0 {
                (held.permitted, held.effective) = (CapabilitySet::empty(), CapabilitySet::empty());
            }
            held.ambient = CapabilitySet::empty();
        }
        match (old.effective, new.effective) {
            (0, 0) => {}
            (0, _) => held.effective = CapabilitySet::empty(),
            (_, 0) => held.effective = held.permitted,
            _ => {}
        }
    }

    /// A program begins. Source: execve(2), capabilities(7), "Transformation of capabilities during execve()". Capabilities of its file are left
    /// out: those that count for ids are on no file.
    pub fn begin(&mut self, given: Given, bounding: CapabilitySet) {
        let before = (self.user.effective, self.group.effective);
        self.user.effective = given.user.unwrap_or(self.user.effective);
        self.group.effective = given.group.unwrap_or(self.group.effective);
        (self.user.saved, self.group.saved) = (self.user.effective, self.group.effective);
        self.securebits &= !KEEP_CAPABILITIES;
        let held = &mut self.capabilities;
        if (self.user.effective, self.group.effective) != before {
            held.ambient = CapabilitySet::empty();
        }
        (held.permitted, held.effective) = (held.ambient, held.ambient);
        if self.securebits & NO_ROOT != 0 {
            return;
        }
        let of_root = held.inheritable | bounding;
        if self.user.effective == 0 {
            (held.permitted, held.effective) = (of_root, of_root);
        } else if self.user.real == 0 {
            held.permitted = of_root;
        }
    }

    /// capset(2). Source: capabilities(7), "Programmatically adjusting capability sets".
    pub fn set_capabilities(&mut self, wanted: Capabilities, bounding: CapabilitySet) -> Result<(), Errno> {
        let held = &mut self.capabilities;
        let may_inherit = if held.effective.contains(CapabilitySet::SETPCAP) {
            held.inheritable | bounding
        } else {
            held.inheritable | held.permitted
        };
        if !(may_inherit.contains(wanted.inheritable)
            && held.permitted.contains(wanted.permitted)
            && wanted.permitted.contains(wanted.effective))
        {
            return Err(Errno::PERM);
        }
        let ambient = held.ambient & wanted.permitted & wanted.inheritable;
        *held = Capabilities { ambient, ..wanted };
        Ok(())
    }

    /// Whether a file of `owner` may be given to `wanted` (KEEP where it stays). Source: chown(2).
    pub fn may_give(&self, owner: (u32, u32), wanted: (u32, u32)) -> bool {
        let own_group = |gid: u32| gid == self.group.effective || self.groups.contains(&gid);
        let user_stays = wanted.0 == KEEP || wanted.0 == owner.0;
        let group_allowed = wanted.1 == KEEP || own_group(wanted.1);
        self.can(CapabilitySet::CHOWN) || (self.user.effective == owner.0 && user_stays && group_allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: CapabilitySet = CapabilitySet::CHOWN
        .union(CapabilitySet::SETGID)
        .union(CapabilitySet::SETUID)
        .union(CapabilitySet::MKNOD);
    const NONE: CapabilitySet = CapabilitySet::empty();

    fn root() -> Credentials {
        Credentials::first(0, 0, &[0], ALL, false)
    }

    fn user() -> Credentials {
        Credentials::first(1000, 1000, &[50], ALL, false)
    }

    fn root_who_keeps() -> Credentials {
        Credentials {
            securebits: KEEP_CAPABILITIES,
            ..root()
        }
    }

    fn become_for_a_while(who: &mut Credentials, effective: u32) {
        who.become_user(Ids { effective, ..who.user });
    }

    fn of_user(user: u32) -> Given {
        Given {
            user: Some(user),
            group: None,
        }
    }

    fn of_group(group: u32) -> Given {
        Given {
            user: None,
            group: Some(group),
        }
    }

    #[test]
    fn files_are_given_away_by_root_and_to_own_groups() {
        let user = user();
        for (name, who, owner, wanted, want) in [
            ("root gives all", &root(), (5, 5), (6, 6), true),
            ("an own file to an own group", &user, (1000, 1000), (KEEP, 50), true),
            ("an own file to another group", &user, (1000, 1000), (KEEP, 51), false),
            ("an own file to another user", &user, (1000, 1000), (7, KEEP), false),
            ("somebody else's file", &user, (0, 0), (KEEP, 50), false),
        ] {
            assert_eq!(who.may_give(owner, wanted), want, "{name}");
        }
    }

    /// Expected values: CapPrm and CapEff of /proc/self/status, after the same changes by setpriv and by perl.
    #[test]
    fn capabilities_go_and_come_with_root() {
        type Case = (
            &'static str,
            Credentials,
            fn(&mut Credentials),
            (CapabilitySet, CapabilitySet),
        );
        let become_all = |who: &mut Credentials| who.become_user(Ids::all(1000));
        let cases: [Case; 8] = [
            ("root drops for good", root(), become_all, (NONE, NONE)),
            (
                "root drops for a while",
                root(),
                |who| become_for_a_while(who, 1000),
                (ALL, NONE),
            ),
            (
                "and comes back",
                root(),
                |who| {
                    become_for_a_while(who, 1000);
                    become_for_a_while(who, 0);
                },
                (ALL, ALL),
            ),
            (
                "what is kept is permitted, and in effect when it is asked for",
                root_who_keeps(),
                become_all,
                (ALL, NONE),
            ),
            (
                "but not in the next program",
                root_who_keeps(),
                |who| {
                    who.become_user(Ids::all(1000));
                    who.begin(Given::default(), ALL);
                },
                (NONE, NONE),
            ),
            (
                "a setuid program of root",
                user(),
                |who| who.begin(of_user(0), ALL),
                (ALL, ALL),
            ),
            (
                "a program behind it, after it has gone back",
                user(),
                |who| {
                    who.begin(of_user(0), ALL);
                    who.become_user(Ids::all(1000));
                    who.begin(Given::default(), ALL);
                },
                (NONE, NONE),
            ),
            (
                "a setgid program",
                user(),
                |who| who.begin(of_group(50), ALL),
                (NONE, NONE),
            ),
        ];
        for (name, mut who, change, want) in cases {
            change(&mut who);
            assert_eq!((who.capabilities.permitted, who.capabilities.effective), want, "{name}");
        }
    }

    #[test]
    fn capabilities_are_taken_only_from_what_is_permitted() {
        let of = |permitted, effective, inheritable| Capabilities {
            permitted,
            effective,
            inheritable,
            ambient: NONE,
        };
        for (name, mut who, wanted, want) in [
            ("root drops one", root(), of(CapabilitySet::CHOWN, NONE, NONE), Ok(())),
            ("root makes its own heritable", root(), of(ALL, ALL, ALL), Ok(())),
            (
                "a user wants one",
                user(),
                of(CapabilitySet::CHOWN, NONE, NONE),
                Err(Errno::PERM),
            ),
            (
                "in effect but not permitted",
                root(),
                of(NONE, ALL, NONE),
                Err(Errno::PERM),
            ),
            (
                "a user wants one heritable",
                user(),
                of(NONE, NONE, CapabilitySet::CHOWN),
                Err(Errno::PERM),
            ),
        ] {
            assert_eq!(who.set_capabilities(wanted, ALL), want, "{name}");
        }
    }
}
