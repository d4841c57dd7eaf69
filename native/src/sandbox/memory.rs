//! Whether a container without a cgroup lacked memory.

use std::sync::atomic::Ordering;

use crate::context::lock;
use crate::session::Session;

use super::cgroup;

/// Looks for kills for want of memory around a container that has no cgroup to count them.
pub struct Watch {
    kills: u64,
    /// Which container this is, when no other runs.
    alone: Option<u64>,
}

impl Watch {
    pub fn begin(session: &Session) -> Self {
        let containers = &session.containers;
        let number = containers.started.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            kills: containers.kills.get_or_init(cgroup::Counter::open).read(),
            alone: lock(&containers.running).is_empty().then_some(number),
        }
    }

    /// Nobody of us has sent KILL to a container whose end is reported, so a program that died of it was killed by the kernel if that has
    /// killed anything meanwhile. A shell whose child was killed says 137, `make` something of its own: that counts where we ran alone.
    pub fn was_short(&self, session: &Session, exit_code: i32) -> bool {
        const KILLED: i32 = 128 + libc::SIGKILL;
        let containers = &session.containers;
        let alone = self
            .alone
            .is_some_and(|number| number == containers.started.load(Ordering::Relaxed));
        exit_code != 0
            && (exit_code == KILLED || alone)
            && containers
                .kills
                .get()
                .is_some_and(|counter| counter.read() > self.kills)
    }
}
