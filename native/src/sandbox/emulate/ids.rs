//! Ids of a process, as the kernel changes them, by the rules of setuid(2), setreuid(2), setresuid(2) and their kin.

use rustix::io::Errno;

/// In the place of an id: no change.
pub const KEEP: u32 = u32::MAX;

/// Real, effective and saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

    pub fn has(self, id: u32) -> bool {
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
}
