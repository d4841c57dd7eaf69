//! The end of all processes of a step, without a pid namespace: whatever loses its parent becomes the supervisor's child, and none is left when
//! the supervisor has no children any more.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

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
    all().into_iter().filter(ours).for_each(kill);
}

fn kill(pid: Pid) {
    // It may have ended by itself.
    let _ = kill_process(pid, Signal::KILL);
}

fn descendants(of: Pid) -> Vec<Pid> {
    let parents: Vec<(Pid, Pid)> = all().into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = BTreeSet::from([of.as_raw_nonzero()]);
    loop {
        let before = found.len();
        for (pid, parent) in &parents {
            if found.contains(&parent.as_raw_nonzero()) {
                found.insert(pid.as_raw_nonzero());
            }
        }
        if found.len() == before {
            break;
        }
    }
    found.remove(&of.as_raw_nonzero());
    found.into_iter().filter_map(|pid| Pid::from_raw(pid.get())).collect()
}

fn all() -> Vec<Pid> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

/// Source: proc_pid_stat(5). The name may hold spaces and parentheses.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}
