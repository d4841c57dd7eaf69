//! The end of all processes of a step, without a pid namespace: whatever loses its parent becomes the supervisor's child, and none is left when
//! the supervisor has no children any more.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

use super::super::family;
use crate::error::{Doing, Error};
use crate::store::Store;

/// Makes this process the parent of all that lose theirs below it.
pub fn adopt() -> Result<(), Error> {
    set_child_subreaper(Some(getpid())).doing(|| "become the parent of orphans")
}

/// Kills all descendants of this process, and waits for them.
pub fn end_all() -> Result<(), Error> {
    loop {
        for pid in descendants(getpid()) {
            kill(pid);
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(Errno::CHILD) => return Ok(()),
                Err(error) => return Err(error).doing(|| "wait for the processes of a step"),
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Kills what has its root below a folder that its owner, who is dead, cannot clear any more. Of processes of other users the root cannot be
/// read where we may not trace them.
pub fn sweep(store: &Store, folder: &str) {
    let below = store.path().join(folder);
    let ours = |pid: &Pid| {
        let root = fs::read_link(format!("/proc/{}/root", pid.as_raw_nonzero()));
        root.is_ok_and(|root| root.starts_with(&below))
    };
    family::all()
        .into_iter()
        .filter_map(Pid::from_raw)
        .filter(ours)
        .for_each(kill);
}

fn kill(pid: Pid) {
    // It may have ended by itself.
    let _ = kill_process(pid, Signal::KILL);
}

fn descendants(of: Pid) -> Vec<Pid> {
    let parents = family::parents();
    let mut found = BTreeSet::from([of.as_raw_nonzero().get()]);
    loop {
        let before = found.len();
        let children = parents.iter().filter(|(_, parent)| found.contains(parent));
        let children: Vec<i32> = children.map(|(process, _)| *process).collect();
        found.extend(children);
        if found.len() == before {
            break;
        }
    }
    found.remove(&of.as_raw_nonzero().get());
    found.into_iter().filter_map(Pid::from_raw).collect()
}
