//! Capabilities, and the limit that says whose credentials a process has. The kernel's part of these calls is done by the kernel too: there
//! the process is root.

use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use crate::syscalls::notification::{Answer as Reply, Notification};

use super::calls::{Call, PR_CAP_AMBIENT, PR_SET_KEEPCAPS};
use super::credentials::{Capabilities, Credentials, KEEP_CAPABILITIES};
use super::known;
use super::listener::Listener;

/// Versions of the header, and of how many words of 32 bits each set is. Source: capget(2).
const VERSIONS: [(u32, usize); 3] = [(0x1998_0330, 1), (0x2007_1026, 2), (0x2008_0522, 2)];
/// Of the effective, the permitted and the inheritable set.
const BYTES_OF_WORD: usize = 12;

/// Those that there are, to CAP_CHECKPOINT_RESTORE. Source: the kernel's include/uapi/linux/capability.h.
const KNOWN: CapabilitySet = CapabilitySet::from_bits_retain((1 << 41) - 1);

const AMBIENT_IS_SET: u32 = 1;
const AMBIENT_RAISE: u32 = 2;
const AMBIENT_LOWER: u32 = 3;
const AMBIENT_CLEAR: u32 = 4;

impl Listener {
    /// Of other processes the kernel tells what they have there.
    pub(super) fn get_capabilities(&mut self, notification: &Notification, who: &Credentials) -> Result<Reply, Errno> {
        let [header, data, ..] = notification.arguments;
        let mut own = false;
        self.with_caller(notification, |_, caller| {
            let (version, of) = halves(&caller.read(header, 8)?);
            let words = VERSIONS.iter().find(|(each, _)| *each == version);
            let Some((_, words)) = words.filter(|_| data != 0) else {
                return Ok(());
            };
            if of != 0 && caller.own_number()? != of {
                return Ok(());
            }
            own = true;
            let held = who.capabilities;
            let sets = [held.effective, held.permitted, held.inheritable];
            let bytes: Vec<u8> = (0..*words)
                .flat_map(|word| sets.map(|set| (set.bits() >> (32 * word)) as u32))
                .flat_map(u32::to_ne_bytes)
                .collect();
            caller.write(data, &bytes)
        })
        .map(|reply| if own { reply } else { Reply::Continue })
    }

    pub(super) fn set_capabilities(&mut self, notification: &Notification, who: &Credentials) -> Result<Reply, Errno> {
        let [header, data, ..] = notification.arguments;
        let mut read = None;
        self.with_caller(notification, |_, caller| {
            let (version, _) = halves(&caller.read(header, 8)?);
            if let Some((_, words)) = VERSIONS.iter().find(|(each, _)| *each == version) {
                read = Some(caller.read(data, words * BYTES_OF_WORD)?);
            }
            Ok(())
        })?;
        let Some(bytes) = read else { return Ok(Reply::Continue) };
        let set = |which: usize| {
            let words = bytes.chunks_exact(BYTES_OF_WORD).enumerate();
            let bits = words.map(|(place, word)| u64::from(number(&word[4 * which..])) << (32 * place));
            // Above the last one that there is the kernel keeps nothing.
            CapabilitySet::from_bits_retain(bits.sum()) & KNOWN
        };
        let wanted = Capabilities {
            effective: set(0),
            permitted: set(1),
            inheritable: set(2),
            ambient: CapabilitySet::empty(),
        };
        let mut who = who.clone();
        who.set_capabilities(wanted, self.bounding)?;
        self.become_other(notification, who).map(|_| Reply::Continue)
    }

    /// Of prctl(2).
    pub(super) fn control(&mut self, notification: &Notification, who: &Credentials) -> Result<Reply, Errno> {
        let [operation, first, second, ..] = notification.arguments.map(|argument| argument as u32);
        let mut who = who.clone();
        match operation {
            PR_SET_KEEPCAPS if first == 0 => who.securebits &= !KEEP_CAPABILITIES,
            PR_SET_KEEPCAPS => who.securebits |= KEEP_CAPABILITIES,
            PR_CAP_AMBIENT => {
                let set = CapabilitySet::from_bits_retain(1u64.checked_shl(second).unwrap_or(0));
                let held = &mut who.capabilities;
                match first {
                    // One that there is not: programs look for the last one so.
                    _ if first != AMBIENT_CLEAR && !KNOWN.intersects(set) => return Ok(Reply::Continue),
                    AMBIENT_IS_SET => return Ok(Reply::Value(held.ambient.contains(set).into())),
                    AMBIENT_RAISE if !(held.permitted & held.inheritable).contains(set) => return Err(Errno::PERM),
                    AMBIENT_RAISE => held.ambient |= set,
                    AMBIENT_LOWER => held.ambient -= set,
                    AMBIENT_CLEAR => held.ambient = CapabilitySet::empty(),
                    _ => return Ok(Reply::Continue),
                }
            }
            _ if !who.can(CapabilitySet::SETPCAP) => return Err(Errno::PERM),
            _ => who.securebits = first,
        }
        self.become_other(notification, who).map(|_| Reply::Continue)
    }

    /// Of file locks, which nobody limits: programs that set or restore all limits (sudo, PAM) must not become somebody else by it.
    pub(super) fn limit(&mut self, notification: &Notification, call: Call) -> Result<Reply, Errno> {
        let [first, second, new, old, ..] = notification.arguments;
        let (buffer, sets) = match call {
            Call::GetLimit => (second, false),
            Call::SetLimit => (0, true),
            _ => (old, new != 0),
        };
        // Nobody's number is in it.
        let other = matches!(call, Call::Limit) && first as u32 != 0;
        if !sets && !other && !known::is_taken(notification.thread)? {
            return Ok(Reply::Continue);
        }
        // Both limits are all ones, which is infinity. On 32-bit architectures prlimit64 alone has numbers of 64 bits.
        let narrow = matches!(call, Call::GetLimit) && notification.is_narrow();
        let infinity = [0xFF; 16];
        self.with_caller(notification, |_, caller| match buffer {
            0 => Ok(()),
            _ => caller.write(buffer, &infinity[..if narrow { 8 } else { 16 }]),
        })
    }
}

fn halves(bytes: &[u8]) -> (u32, u32) {
    (number(bytes), number(&bytes[4..]))
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
