//! Which process has which credentials. A process carries the number of its own in a limit: that is inherited exactly when credentials are, and
//! can be read and set from outside.

use std::collections::HashMap;
use std::rc::Rc;

use rustix::io::Errno;

use super::calls::RLIMIT_LOCKS;
use super::credentials::Credentials;
use super::errno;
use crate::syscalls::others;

/// The first number; below it is what was there before.
const FIRST: u64 = 1 << 32;
const MOST_CREDENTIALS: usize = 65536;
/// Of all credentials together: no program needs many sets of many groups, and one that makes them must not cost the machine's memory.
const MOST_GROUPS: usize = 1 << 20;

pub struct Known {
    /// The first is what the container begins as.
    list: Vec<Rc<Credentials>>,
    places: HashMap<Rc<Credentials>, usize>,
    groups: usize,
}

impl Known {
    pub fn new(first: Credentials) -> Self {
        let first = Rc::new(first);
        Self {
            groups: first.groups.len(),
            places: HashMap::from([(Rc::clone(&first), 0)]),
            list: vec![first],
        }
    }

    pub fn of(&self, thread: u32) -> Result<Rc<Credentials>, Errno> {
        let (place, _) = others::limit_of(thread, RLIMIT_LOCKS).map_err(errno)?;
        let place = place.checked_sub(FIRST).and_then(|place| usize::try_from(place).ok());
        let known = place.and_then(|place| self.list.get(place));
        Ok(Rc::clone(known.unwrap_or(&self.list[0])))
    }

    pub fn set(&mut self, thread: u32, who: Credentials) -> Result<(), Errno> {
        let place = self.place(who)?;
        let (_, hard) = others::limit_of(thread, RLIMIT_LOCKS).map_err(errno)?;
        others::set_limit_of(thread, RLIMIT_LOCKS, (FIRST + place as u64, hard)).map_err(errno)
    }

    fn place(&mut self, who: Credentials) -> Result<usize, Errno> {
        if let Some(place) = self.places.get(&who) {
            return Ok(*place);
        }
        let groups = self.groups + who.groups.len();
        if self.list.len() >= MOST_CREDENTIALS || groups > MOST_GROUPS {
            return Err(Errno::AGAIN);
        }
        let (place, who) = (self.list.len(), Rc::new(who));
        self.groups = groups;
        self.list.push(Rc::clone(&who));
        self.places.insert(who, place);
        Ok(place)
    }
}

/// Whether a process carries a number of ours.
pub fn is_taken(thread: u32) -> Result<bool, Errno> {
    let (place, _) = others::limit_of(thread, RLIMIT_LOCKS).map_err(errno)?;
    Ok(place >= FIRST && place != u64::MAX)
}

#[cfg(test)]
mod tests {
    use rustix::thread::CapabilitySet;

    use super::*;

    fn with_groups(uid: u32, groups: &[u32]) -> Credentials {
        Credentials::first(uid, 0, groups, CapabilitySet::empty(), false)
    }

    #[test]
    fn the_same_credentials_have_one_place() {
        let mut known = Known::new(with_groups(0, &[0]));
        assert_eq!(known.place(with_groups(0, &[0])), Ok(0));
        assert_eq!(known.place(with_groups(1, &[0])), Ok(1));
        assert_eq!(known.place(with_groups(1, &[0, 5])), Ok(2));
        assert_eq!(known.place(with_groups(1, &[0])), Ok(1));
    }

    /// 16 sets of as many groups as a process can have.
    #[test]
    fn groups_are_bounded_over_all_credentials() {
        let groups: Vec<u32> = (0..65536).collect();
        let mut known = Known::new(with_groups(0, &[]));
        for uid in 0..16 {
            assert!(known.place(with_groups(uid, &groups)).is_ok(), "{uid}");
        }
        assert_eq!(known.place(with_groups(16, &groups)), Err(Errno::AGAIN));
        assert_eq!(
            known.place(with_groups(16, &[1])),
            Err(Errno::AGAIN),
            "not even one more"
        );
        assert!(
            known.place(with_groups(16, &[])).is_ok(),
            "without groups there is room"
        );
        assert!(
            known.place(with_groups(3, &groups)).is_ok(),
            "those that are known stay"
        );
    }

    #[test]
    fn credentials_are_bounded() {
        let mut known = Known::new(with_groups(0, &[]));
        for uid in 1..MOST_CREDENTIALS as u32 {
            assert!(known.place(with_groups(uid, &[])).is_ok(), "{uid}");
        }
        assert_eq!(
            known.place(with_groups(MOST_CREDENTIALS as u32, &[])),
            Err(Errno::AGAIN)
        );
    }
}
