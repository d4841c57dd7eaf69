//! fuse-overlayfs, where the kernel's own overlay is refused: a process for each mount. It ends with its mount, and the mount with the descriptor
//! that we give; should we die before that, it dies with us.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags, fstatfs, openat, unlinkat};
use rustix::mount::{OpenTreeFlags, UnmountFlags, open_tree, unmount};
use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Doing, Error};
use crate::overlay::Parts;
use crate::store::make_directory;
use crate::{syscalls, userns};

const PROGRAM: &str = "fuse-overlayfs";
const FUSE_MAGIC: i64 = 0x6573_5546;
/// To mount; it takes some 10 ms.
const DEADLINE: Duration = Duration::from_secs(20);
static NUMBER: AtomicU64 = AtomicU64::new(0);

pub fn mount(parts: &Parts<'_>) -> Result<OwnedFd, Error> {
    let doing = || "mount by fuse-overlayfs";
    let program = userns::find_program(PROGRAM)
        .ok_or_else(|| Error::user("PRIVILEGE_MISSING", format!("\"{PROGRAM}\" is not installed")))?;
    let name = format!("fuse-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    make_directory(parts.temporary, &name)?;
    let place = || openat(parts.temporary, &name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing(doing);
    let below = place()?;
    let mut command = Command::new(program);
    command.args(["-f", "-o", &options(parts)]).arg(path_of(below.as_fd()));
    let started = start(command)?;
    let mounted = wait(&started, place);
    let detached = mounted.and_then(|mounted| {
        let tree = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let detached = open_tree(&mounted, c"", tree).doing(doing);
        unmount(path_of(mounted.as_fd()), UnmountFlags::DETACH).doing(doing)?;
        detached
    });
    if detached.is_err()
        && let Some(pid) = started.pid
    {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
    drop(below);
    unlinkat(parts.temporary, &name, AtFlags::REMOVEDIR).doing(doing)?;
    detached
}

/// As another process of ours can open it.
fn path_of(file: BorrowedFd<'_>) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

fn options(parts: &Parts<'_>) -> String {
    let lowers: Vec<_> = parts.lowers.iter().rev().map(|lower| path_of(lower.as_fd())).collect();
    let mut options = vec!["allow_other".to_owned(), format!("lowerdir={}", lowers.join(":"))];
    if let Some((upper, work)) = parts.upper {
        options.push(format!(
            "upperdir={},workdir={},volatile",
            path_of(upper),
            path_of(work)
        ));
    }
    options.join(",")
}

struct Started {
    pid: Option<Pid>,
    /// Says how it ended.
    ended: Receiver<String>,
}

/// On a thread that lives as long: it is that thread's end by which a child learns that its parent has died.
fn start(mut command: Command) -> Result<Started, Error> {
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    syscalls::die_with_parent(&mut command);
    let (say_started, started) = mpsc::channel();
    let (say_ended, ended) = mpsc::channel();
    let attend = move || {
        let child = command.spawn();
        // Whoever asked may have given up.
        let _ = say_started.send(child.as_ref().map(|child| child.id()).map_err(ToString::to_string));
        if let Ok(mut child) = child {
            let told = child
                .wait()
                .map_or_else(|error| error.to_string(), |status| status.to_string());
            let _ = say_ended.send(told);
        }
    };
    thread::Builder::new()
        .name("fuse".to_owned())
        .spawn(attend)
        .doing(|| "start a thread")?;
    let pid = started.recv().map_err(|_| Error::internal("a thread has ended"))?;
    let pid = pid.map_err(|error| Error::user("PRIVILEGE_MISSING", format!("\"{PROGRAM}\" cannot be run: {error}")))?;
    Ok(Started {
        pid: Pid::from_raw(pid as i32),
        ended,
    })
}

/// Until there is a filesystem of its in that place.
fn wait(started: &Started, place: impl Fn() -> Result<OwnedFd, Error>) -> Result<OwnedFd, Error> {
    let begun = Instant::now();
    loop {
        let there = place()?;
        if fstatfs(&there).is_ok_and(|stat| stat.f_type == FUSE_MAGIC) {
            return Ok(there);
        }
        let told = match started.ended.try_recv() {
            Ok(told) => told,
            Err(TryRecvError::Empty) if begun.elapsed() < DEADLINE => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(TryRecvError::Empty) => "no mount in time".to_owned(),
            Err(TryRecvError::Disconnected) => "it has ended".to_owned(),
        };
        return Err(
            Error::user("PRIVILEGE_MISSING", format!("\"{PROGRAM}\" mounts nothing: {told}"))
                .hint("it needs /dev/fuse, readable and writable"),
        );
    }
}
