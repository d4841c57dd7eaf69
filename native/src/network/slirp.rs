//! slirp4netns: turns packets of a tap in a network namespace into connections of its own. It ends when its exit descriptor is closed, by us or
//! by our death.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::{Doing, Error};

/// How long packets of the uplink's own links may be. Source: slirp4netns's own advice for speed.
pub const MTU: u32 = 65520;
const PROGRAM: &str = "slirp4netns";
const DEVICE: &str = "/dev/net/tun";
/// How long it may take. It is ready in milliseconds or, where it cannot work, never.
const DEADLINE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// How much of its words is kept.
const MOST_BYTES: u64 = 4096;

/// Networks that it is the gateway of.
pub struct Serves {
    pub cidr: String,
    pub ipv6: bool,
}

pub struct Slirp {
    child: Child,
    exit: Option<OwnedFd>,
}

impl Drop for Slirp {
    fn drop(&mut self) {
        drop(self.exit.take());
        if let Err(error) = self.child.wait() {
            eprintln!("cooper-worker: wait for slirp4netns: {error}");
        }
    }
}

impl Slirp {
    /// Makes `tap` in a namespace, and serves it.
    pub fn start(namespace: &OwnedFd, tap: &str, serves: &Serves) -> Result<Self, Error> {
        check()?;
        let doing = || "start slirp4netns";
        let (exit_reading, exit_writing) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        let (ready_reading, ready_writing) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        let mut words = paper().doing(doing)?;
        // Its stdin and stdout are the two descriptors that it is told of: no other way to inherit one is needed.
        let child = Command::new(PROGRAM)
            .args([
                "--exit-fd=0",
                "--ready-fd=1",
                "--disable-host-loopback",
                "--enable-sandbox",
                "--netns-type=path",
            ])
            .arg(format!("--mtu={MTU}"))
            .arg(format!("--cidr={}", serves.cidr))
            .args(serves.ipv6.then_some("--enable-ipv6"))
            .arg(format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd()))
            .arg(tap)
            .current_dir("/")
            .stdin(exit_reading)
            .stdout(ready_writing)
            .stderr(words.try_clone().doing(doing)?)
            .spawn();
        let child = match child {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(not_installed()),
            other => other.doing(doing)?,
        };
        let mut slirp = Self {
            child,
            exit: Some(exit_writing),
        };
        let mut waiting = [PollFd::new(&ready_reading, PollFlags::IN)];
        let ready = poll(&mut waiting, Some(&DEADLINE)).doing(doing)?;
        let mut byte = [0];
        if ready > 0 && rustix::io::read(&ready_reading, &mut byte).is_ok_and(|count| count == 1) {
            return Ok(slirp);
        }
        // Where it hangs, closing its exit descriptor does not end it.
        slirp.child.kill().doing(doing)?;
        slirp.child.wait().doing(doing)?;
        let reason = if ready == 0 {
            "it was not ready in time".to_owned()
        } else {
            last_words(&mut words).doing(doing)?
        };
        Err(missing(format!("\"slirp4netns\" does not work here: {reason}")))
    }
}

fn missing(message: impl Into<String>) -> Error {
    Error::user("PRIVILEGE_MISSING", message)
}

/// What can be known before it is tried.
pub fn check() -> Result<(), Error> {
    check_device()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file()) {
        Ok(())
    } else {
        Err(not_installed())
    }
}

fn not_installed() -> Error {
    missing("\"slirp4netns\" is not installed")
        .hint("install slirp4netns; without it containers share the machine's network")
}

/// It would say the same, but not what to do.
fn check_device() -> Result<(), Error> {
    let refused = match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let (words, hint) = match refused.kind() {
        ErrorKind::NotFound => (
            "is not there",
            "load the kernel's module \"tun\", or give an outer container --device /dev/net/tun",
        ),
        ErrorKind::PermissionDenied => (
            "may not be opened by this user",
            "give it mode 0666, which most distributions do by a rule of udev",
        ),
        _ => {
            return Err(missing(format!("\"{DEVICE}\" cannot be opened: {refused}"))
                .hint("load the kernel's module \"tun\", or allow the device in the outer container"));
        }
    };
    Err(missing(format!("\"{DEVICE}\" {words}")).hint(hint))
}

/// Where a child may write a little, that nobody has to read while it runs: a file in memory that cannot grow.
fn paper() -> std::io::Result<File> {
    let file = memfd_create("words", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, MOST_BYTES)?;
    fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file.into())
}

/// The first line says what failed; what follows is that its parts have ended too.
fn last_words(words: &mut File) -> std::io::Result<String> {
    words.rewind()?;
    let mut bytes = Vec::new();
    words.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.trim_end_matches('\0').lines().next().unwrap_or_default();
    Ok(if line.is_empty() {
        "it ended without a word".to_owned()
    } else {
        line.to_owned()
    })
}
