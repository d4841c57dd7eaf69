//! Who a process would be: ids as the kernel changes them, by the rules of setuid(2), setreuid(2), setresuid(2) and their kin.

use rustix::io::Errno;

/// In the place of an id: no change.
pub const KEEP: u32 = u32::MAX;

/// Real, effective and saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
}

impl Ids {
    pub fn all(id: u32) -> Self {
        Self {
            real: id,
            effective: id,
            saved: id,
        }
    }

    fn has(self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    /// `setuid`, `setgid`.
    pub fn set(&mut self, privileged: bool, id: u32) -> Result<(), Errno> {
        if id == KEEP {
            return Err(Errno::INVAL);
        }
        if privileged {
            *self = Self::all(id);
        } else if id == self.real || id == self.saved {
            self.effective = id;
        } else {
            return Err(Errno::PERM);
        }
        Ok(())
    }

    /// `setreuid`, `setregid`.
    pub fn set_two(&mut self, privileged: bool, real: u32, effective: u32) -> Result<(), Errno> {
        let good_real = real == KEEP || real == self.real || real == self.effective;
        if !privileged && !(good_real && (effective == KEEP || self.has(effective))) {
            return Err(Errno::PERM);
        }
        let before = self.real;
        set(&mut self.real, real);
        set(&mut self.effective, effective);
        if real != KEEP || (effective != KEEP && effective != before) {
            self.saved = self.effective;
        }
        Ok(())
    }

    /// `setresuid`, `setresgid`.
    pub fn set_three(&mut self, privileged: bool, wanted: [u32; 3]) -> Result<(), Errno> {
        if !privileged && !wanted.iter().all(|id| *id == KEEP || self.has(*id)) {
            return Err(Errno::PERM);
        }
        let [real, effective, saved] = wanted;
        set(&mut self.real, real);
        set(&mut self.effective, effective);
        set(&mut self.saved, saved);
        Ok(())
    }
}

fn set(place: &mut u32, id: u32) {
    if id != KEEP {
        *place = id;
    }
}

/// A file as the kernel names it: device and inode.
pub type FileName = (u64, u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: Ids,
    pub group: Ids,
    pub groups: Vec<u32>,
    /// The program that became this: a setuid program has its rights once, when it begins.
    pub program: Option<FileName>,
}

impl Credentials {
    pub fn of(uid: u32, gid: u32, groups: &[u32]) -> Self {
        Self {
            user: Ids::all(uid),
            group: Ids::all(gid),
            groups: groups.to_vec(),
            program: None,
        }
    }

    /// As the kernel would: with the capabilities of root, or without.
    pub fn privileged(&self) -> bool {
        self.user.effective == 0
    }

    /// What is really wanted: of who has no rights, programs that give only one of the two ids give for the other what stat shows, which is root's.
    pub fn wanted(&self, (uid, gid): (u32, u32)) -> (u32, u32) {
        let kept = |id: u32| if id == 0 && !self.privileged() { KEEP } else { id };
        (kept(uid), kept(gid))
    }

    /// Whether a file of `owner` may be given to `wanted` (KEEP where it stays). Source: chown(2).
    pub fn may_give(&self, owner: (u32, u32), wanted: (u32, u32)) -> bool {
        let own_group = |gid: u32| gid == self.group.effective || self.groups.contains(&gid);
        let user_stays = wanted.0 == KEEP || wanted.0 == owner.0;
        let group_allowed = wanted.1 == KEEP || own_group(wanted.1);
        self.privileged() || (self.user.effective == owner.0 && user_stays && group_allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: what the kernel did with the same calls, read with getresuid.
    #[test]
    fn ids_change_as_the_kernel_changes_them() {
        type Change = fn(&mut Ids, bool) -> Result<(), Errno>;
        let ids = |real, effective, saved| Ids { real, effective, saved };
        type Case = (&'static str, Ids, bool, Change, Result<Ids, Errno>);
        let cases: [Case; 11] = [
            (
                "root drops for good",
                Ids::all(0),
                true,
                |ids, may| ids.set(may, 7),
                Ok(Ids::all(7)),
            ),
            (
                "and has no way back",
                Ids::all(7),
                false,
                |ids, may| ids.set(may, 0),
                Err(Errno::PERM),
            ),
            (
                "a setuid program goes back",
                ids(7, 0, 0),
                false,
                |ids, may| ids.set(may, 7),
                Ok(ids(7, 7, 0)),
            ),
            (
                "to its saved id",
                ids(7, 7, 0),
                false,
                |ids, may| ids.set(may, 0),
                Ok(ids(7, 0, 0)),
            ),
            (
                "no id",
                Ids::all(0),
                true,
                |ids, may| ids.set(may, KEEP),
                Err(Errno::INVAL),
            ),
            (
                "the effective one alone",
                Ids::all(0),
                true,
                |ids, may| ids.set_three(may, [KEEP, 100, KEEP]),
                Ok(ids(0, 100, 0)),
            ),
            (
                "and back",
                ids(0, 100, 0),
                false,
                |ids, may| ids.set_three(may, [KEEP, 0, KEEP]),
                Ok(Ids::all(0)),
            ),
            (
                "a stranger's",
                Ids::all(7),
                false,
                |ids, may| ids.set_three(may, [KEEP, 8, KEEP]),
                Err(Errno::PERM),
            ),
            (
                "swapped",
                ids(7, 0, 0),
                false,
                |ids, may| ids.set_two(may, 0, 7),
                Ok(ids(0, 7, 7)),
            ),
            (
                "the saved one stays",
                ids(7, 0, 0),
                true,
                |ids, may| ids.set_two(may, KEEP, 7),
                Ok(ids(7, 7, 0)),
            ),
            (
                "real from saved is refused",
                ids(7, 7, 9),
                false,
                |ids, may| ids.set_two(may, 9, KEEP),
                Err(Errno::PERM),
            ),
        ];
        for (name, mut before, privileged, change, want) in cases {
            assert_eq!(change(&mut before, privileged).map(|()| before), want, "{name}");
        }
    }

    #[test]
    fn files_are_given_away_by_root_and_to_own_groups() {
        let user = Credentials::of(1000, 1000, &[50]);
        for (name, who, owner, wanted, want) in [
            ("root gives all", &Credentials::of(0, 0, &[]), (5, 5), (6, 6), true),
            ("an own file to an own group", &user, (1000, 1000), (KEEP, 50), true),
            ("an own file to another group", &user, (1000, 1000), (KEEP, 51), false),
            ("an own file to another user", &user, (1000, 1000), (7, KEEP), false),
            ("somebody else's file", &user, (0, 0), (KEEP, 50), false),
        ] {
            assert_eq!(who.may_give(owner, wanted), want, "{name}");
        }
    }
}
