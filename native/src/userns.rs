//! A user namespace with a range of ids: the worker forks itself into one before it has threads. The parent only maps the ids (newuidmap,
//! newgidmap) and waits; it dies with the child, and the child with it.

use std::fs;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use rustix::fs::{Gid, Uid};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, getgid, getuid, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::error::{Doing, Error};
use crate::syscalls;

/// What images use: nobody is 65534.
const LEAST_IDS: u32 = 65536;

/// Whether our ids are the machine's.
pub fn is_initial() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// `None`: this is the child, root of its namespace. Otherwise why there is none; then nothing has changed. The parent of a child that
/// came so far does not return: it waits and ends as the child does.
pub fn enter() -> Result<Option<String>, Error> {
    // Both files name the user, not a group.
    let ranges = match (
        range("/etc/subuid", getuid().as_raw()),
        range("/etc/subgid", getuid().as_raw()),
    ) {
        (Some(uids), Some(gids)) => [uids, gids],
        _ => {
            return Ok(Some(format!(
                "its user has no range of {LEAST_IDS} ids in /etc/subuid and /etc/subgid"
            )));
        }
    };
    let doing = || "make a user namespace";
    let (from_child, to_parent) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
    let (from_parent, to_child) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
    match syscalls::clone_process(0).doing(doing)? {
        None => {
            drop((from_child, to_child));
            become_root(File::from(to_parent), File::from(from_parent));
            Ok(None)
        }
        Some(child) => {
            drop((to_parent, from_parent));
            match map(child, ranges, File::from(from_child), File::from(to_child)) {
                Ok(()) => syscalls::exit_now(outlive(child)),
                Err(reason) => {
                    syscalls::wait(child).doing(doing)?;
                    Ok(Some(reason))
                }
            }
        }
    }
}

/// The child's side. What fails here ends it, and the parent goes on without.
fn become_root(mut to_parent: File, mut from_parent: File) {
    let made = syscalls::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS);
    let word = made.map_or_else(|error| error.to_string(), |()| String::new());
    let told = to_parent.write_all(word.as_bytes());
    drop(to_parent);
    let mut go = [0];
    if told.is_err() || !word.is_empty() || from_parent.read(&mut go).ok() != Some(1) {
        syscalls::exit_now(1);
    }
    let ids = set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT))
        .and_then(|()| set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT))
        // After the ids: a change of them clears it.
        .and_then(|()| set_parent_process_death_signal(Some(Signal::KILL)));
    if let Err(error) = ids {
        eprintln!("cooper-worker: become root of a user namespace: {error}");
        syscalls::exit_now(1);
    }
}

/// The parent's side: waits for the namespace, maps the ids, lets the child go on.
fn map(child: Pid, ranges: [(u32, u32); 2], mut from_child: File, mut to_child: File) -> Result<(), String> {
    let mut refusal = String::new();
    from_child
        .read_to_string(&mut refusal)
        .map_err(|error| error.to_string())?;
    if !refusal.is_empty() {
        return Err(format!("this machine refuses user namespaces ({refusal})"));
    }
    let [uids, gids] = ranges;
    map_ids("newuidmap", child, getuid().as_raw(), uids)?;
    map_ids("newgidmap", child, getgid().as_raw(), gids)?;
    to_child.write_all(&[1]).map_err(|error| error.to_string())
}

fn map_ids(program: &str, child: Pid, own: u32, (first, count): (u32, u32)) -> Result<(), String> {
    let numbers = [child.as_raw_nonzero().get() as u32, 0, own, 1, 1, first, count].map(|number| number.to_string());
    let run = Command::new(program)
        .args(numbers)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output();
    match run {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "\"{program}\" failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(format!("\"{program}\" is not installed")),
        Err(error) => Err(format!("\"{program}\" cannot be run: {error}")),
    }
}

fn outlive(child: Pid) -> i32 {
    // The child alone talks to the builder: its end must be seen there, though we are still here.
    syscalls::close_stdio();
    match syscalls::wait(child) {
        Ok(ended) if libc::WIFEXITED(ended.status) => libc::WEXITSTATUS(ended.status),
        Ok(ended) => 128 + libc::WTERMSIG(ended.status),
        Err(_) => 125,
    }
}

/// First and count of a user's range, by name or by number.
fn range(file: &str, uid: u32) -> Option<(u32, u32)> {
    let names = fs::read_to_string("/etc/passwd").unwrap_or_default();
    find_range(&fs::read_to_string(file).ok()?, &names, uid)
}

fn find_range(ranges: &str, passwd: &str, uid: u32) -> Option<(u32, u32)> {
    let number = uid.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(number.as_str())).then_some(name)
    });
    ranges.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let ours = Some(owner) == name || owner == number;
        (ours && count >= LEAST_IDS).then_some((first, count))
    })
}

#[cfg(test)]
mod tests {
    use super::find_range;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        for (name, ranges, want) in [
            ("by name", "bob:1:65536\nann:100000:65536\n", Some((100_000, 65536))),
            ("by number", "1000:200000:70000\n", Some((200_000, 70_000))),
            ("too small", "ann:100000:1000\n", None),
            (
                "the second is large enough",
                "ann:100000:1000\nann:300000:65536",
                Some((300_000, 65536)),
            ),
            ("not ours", "bob:100000:65536\n", None),
            ("no number", "ann:x:65536\n", None),
        ] {
            assert_eq!(find_range(ranges, passwd, 1000), want, "{name}");
        }
    }
}
