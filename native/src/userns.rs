//! User namespaces: the worker forks itself into one before it has threads. The parent only maps the ids and waits; it dies with the child,
//! and the child with it.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::fs::{Gid, StatVfsMountFlags, Uid, statvfs};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, getegid, geteuid, set_parent_process_death_signal};
use rustix::thread::{
    CapabilitySet, UnshareFlags, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::error::{Doing, Error};
use crate::{mode, syscalls};

/// What images use: nobody is 65534.
const LEAST_IDS: u64 = 65536;

/// Why something does not work, and what to do about it where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: String,
    pub hint: Option<String>,
}

impl Refusal {
    pub fn of(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: None,
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// Whether our ids are the machine's.
pub fn is_initial() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Whether our user namespace has the ids that images use.
pub fn has_range() -> Result<(), Refusal> {
    let count = |file: &str| -> u64 {
        let map = fs::read_to_string(file).unwrap_or_default();
        map.lines()
            .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
            .sum()
    };
    match count("/proc/self/uid_map").min(count("/proc/self/gid_map")) {
        ids if ids >= LEAST_IDS => Ok(()),
        ids => Err(Refusal::of(format!("its user namespace has {ids} of {LEAST_IDS} ids"))
            .hint("give the user namespace a range of 65536 ids")),
    }
}

/// How the ids of a new user namespace come about.
pub enum Map {
    /// newuidmap and newgidmap, with a range for each.
    Programs([(u32, u32); 2]),
    /// Written by ourselves.
    Files {
        uids: String,
        gids: String,
        /// The kernel wants it of who has no right to set groups, and with it nobody in the namespace can set them: apt, for one, tries.
        deny_setgroups: bool,
    },
}

impl Map {
    /// By the ranges of our user.
    pub fn subordinate() -> Result<Self, Refusal> {
        let uid = geteuid().as_raw();
        // Both files name the user, not a group.
        match (range("/etc/subuid", uid), range("/etc/subgid", uid)) {
            (Some(uids), Some(gids)) => Ok(Self::Programs([uids, gids])),
            _ => Err(Refusal::of(format!(
                "its user has no range of {LEAST_IDS} ids in /etc/subuid and /etc/subgid"
            ))
            .hint("give the user one with usermod --add-subuids and --add-subgids")),
        }
    }

    /// All ids that we have, each as itself.
    pub fn same() -> Result<Self, Error> {
        let same = |file: &str| -> Result<String, Error> {
            let map = fs::read_to_string(file).doing(|| format!("read \"{file}\""))?;
            let line = |line: &str| {
                let mut numbers = line.split_whitespace();
                let (inside, count) = (numbers.next()?, numbers.nth(1)?);
                Some(format!("{inside} {inside} {count}\n"))
            };
            Ok(map.lines().filter_map(line).collect())
        };
        Ok(Self::Files {
            uids: same("/proc/self/uid_map")?,
            gids: same("/proc/self/gid_map")?,
            deny_setgroups: !may_set_groups(),
        })
    }

    /// Ours alone, as root.
    pub fn single() -> Self {
        Self::Files {
            uids: format!("0 {} 1\n", geteuid().as_raw()),
            gids: format!("0 {} 1\n", getegid().as_raw()),
            deny_setgroups: !may_set_groups(),
        }
    }

    fn write(&self, child: Pid) -> Result<(), Refusal> {
        match self {
            Self::Programs([uids, gids]) => {
                map_by_program("newuidmap", child, geteuid().as_raw(), *uids)?;
                map_by_program("newgidmap", child, getegid().as_raw(), *gids)
            }
            Self::Files {
                uids,
                gids,
                deny_setgroups,
            } => {
                let write = |name: &str, text: &str| {
                    fs::write(format!("/proc/{}/{name}", child.as_raw_nonzero()), text)
                        .map_err(|error| explain(&format!("the kernel refuses \"{name}\""), error))
                };
                if *deny_setgroups {
                    write("setgroups", "deny")?;
                }
                write("gid_map", gids)?;
                write("uid_map", uids)
            }
        }
    }
}

fn may_set_groups() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SETGID))
}

/// `Ok`: this is the child, root of its namespace, with mounts of its own. Otherwise why there is none; then nothing has changed. The parent of
/// a child that came so far does not return: it waits and ends as the child does.
pub fn enter(map: Map) -> Result<Result<(), Refusal>, Error> {
    let doing = || "make a user namespace";
    let (from_child, to_parent) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
    let (from_parent, to_child) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
    match syscalls::clone_process(0).doing(doing)? {
        None => {
            drop((from_child, to_child));
            become_root(File::from(to_parent), File::from(from_parent));
            Ok(Ok(()))
        }
        Some(child) => {
            drop((to_parent, from_parent));
            match attend(child, &map, File::from(from_child), File::from(to_child)) {
                Ok(()) => syscalls::exit_now(outlive(child)),
                Err(refusal) => {
                    syscalls::wait(child).doing(doing)?;
                    Ok(Err(refusal))
                }
            }
        }
    }
}

/// What the child says when a step of it has worked; otherwise it says the number of its error, and ends.
const DONE: i32 = 0;

/// The child's side. What fails here ends it, and the parent goes on without.
fn become_root(mut to_parent: File, mut from_parent: File) {
    let mut say = |result: rustix::io::Result<()>| {
        let word = result.map_or_else(|error| error.raw_os_error(), |()| DONE);
        if to_parent.write_all(&word.to_ne_bytes()).is_err() || word != DONE {
            syscalls::exit_now(1);
        }
    };
    say(syscalls::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS));
    let mut go = [0];
    if from_parent.read(&mut go).ok() != Some(1) {
        syscalls::exit_now(1);
    }
    let denied = fs::read_to_string("/proc/self/setgroups").is_ok_and(|word| word.trim() == "deny");
    let groups = if denied { Ok(()) } else { set_thread_groups(&[]) };
    let ready = groups
        .and_then(|()| set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT))
        .and_then(|()| set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT))
        // After the ids: a change of them clears it.
        .and_then(|()| set_parent_process_death_signal(Some(Signal::KILL)))
        // A namespace can be had, and yet give no rights: so does AppArmor where it restricts them.
        .and_then(|()| mode::make_private());
    say(ready);
}

/// The parent's side: waits for the namespace, maps the ids, sees that the child has what it needs.
fn attend(child: Pid, map: &Map, mut from_child: File, mut to_child: File) -> Result<(), Refusal> {
    hear(&mut from_child).map_err(|error| explain("this machine refuses user namespaces", error))?;
    map.write(child)?;
    to_child
        .write_all(&[1])
        .map_err(|error| explain("the process in the user namespace has ended", error))?;
    hear(&mut from_child).map_err(|error| explain("a user namespace gives no right to mount", error))
}

fn hear(from_child: &mut File) -> std::io::Result<()> {
    let mut word = [0; 4];
    from_child.read_exact(&mut word)?;
    match i32::from_ne_bytes(word) {
        DONE => Ok(()),
        number => Err(std::io::Error::from_raw_os_error(number)),
    }
}

/// What helps where AppArmor restricts user namespaces.
pub const APPARMOR_HINT: &str =
    "an AppArmor profile with \"userns,\" for the worker, or the sysctl kernel.apparmor_restrict_unprivileged_userns=0";

/// With what this machine is known to forbid.
pub fn explain(what: &str, error: std::io::Error) -> Refusal {
    let refusal = Refusal::of(format!("{what} ({error})"));
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EUSERS) => refusal.hint("raise the sysctl user.max_user_namespaces"),
        Some(libc::EPERM | libc::EACCES) if is_restricted_by_apparmor() => refusal.hint(APPARMOR_HINT),
        Some(libc::EPERM) if is_set("/proc/sys/kernel/unprivileged_userns_clone", "0") => {
            refusal.hint("the sysctl kernel.unprivileged_userns_clone=1")
        }
        Some(libc::EPERM) if status("Seccomp") == Some("2".to_owned()) => refusal.hint(
            "a seccomp filter is on: run the container privileged, or with seccomp=unconfined (and apparmor=unconfined)",
        ),
        Some(libc::EPERM) if geteuid().is_root() => refusal.hint("run it privileged, or with CAP_SYS_ADMIN"),
        _ => refusal,
    }
}

/// Whether only programs with a profile have rights in a user namespace.
pub fn is_restricted_by_apparmor() -> bool {
    is_set("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")
}

fn is_set(setting: &str, value: &str) -> bool {
    fs::read_to_string(setting).is_ok_and(|text| text.trim() == value)
}

/// A field of our own status.
fn status(name: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

fn map_by_program(program: &str, child: Pid, own: u32, (first, count): (u32, u32)) -> Result<(), Refusal> {
    let numbers = [child.as_raw_nonzero().get() as u32, 0, own, 1, 1, first, count].map(|number| number.to_string());
    let run = Command::new(program)
        .args(numbers)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output();
    match run {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(powerless(program, format!("\"{program}\" failed: {said}")))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Refusal::of(format!("\"{program}\" is not installed")).hint("install the package uidmap"))
        }
        Err(error) => Err(Refusal::of(format!("\"{program}\" cannot be run: {error}"))),
    }
}

/// Such a program is nothing without its setuid bit or its capabilities.
fn powerless(program: &str, reason: String) -> Refusal {
    if status("NoNewPrivs") == Some("1".to_owned()) {
        return Refusal::of(format!("{reason}; no_new_privs is on, so it gains no rights"))
            .hint("allow more privileges (in Kubernetes allowPrivilegeEscalation, elsewhere no no-new-privileges)");
    }
    let Some(place) = find_program(program) else {
        return Refusal::of(reason);
    };
    if statvfs(&place).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::NOSUID)) {
        return Refusal::of(format!("{reason}; \"{}\" is on a mount with nosuid", place.display()))
            .hint("mount its filesystem without nosuid");
    }
    Refusal::of(reason).hint(format!(
        "\"{}\" needs its setuid bit, or its file capability",
        place.display()
    ))
}

/// In PATH.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = std::env::split_paths::<OsStr>(&path).collect();
    places
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|place| place.is_file())
}

/// Whether chroot(2) works.
pub fn try_chroot() -> Result<(), Refusal> {
    syscalls::in_child(0, || rustix::process::chroot("/"))
        .map_err(|error| Refusal::of(format!("chroot is refused ({error})")).hint("run it with CAP_SYS_CHROOT"))
}

/// Whether a pid namespace can have a /proc of its own: in a user namespace the kernel refuses one while anything covers a part of the /proc
/// that we see, as in containers.
pub fn has_own_proc() -> bool {
    let mount = || {
        let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(context.as_fd())?;
        let attributes =
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).map(drop)
    };
    syscalls::in_child(libc::CLONE_NEWPID, mount).is_ok()
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
        let (first, count): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let ours = Some(owner) == name || owner == number;
        (ours && u64::from(count) >= LEAST_IDS).then_some((first, count))
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
