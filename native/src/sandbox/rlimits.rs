//! Resource limits of a container's processes (`ulimit`).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;
use crate::protocol::Ulimit;

const NONE: Option<u64> = None;
/// The kernel's default of sysctl fs.nr_open.
const MOST_FILES: u64 = 1_048_576;
/// What every container has: soft and hard. `nofile` is that of dockerd under systemd, which its containers inherit; BuildKit sets none
/// either. A soft limit of more makes programs slow that close all descriptors they could have, and breaks those that use select.
const DEFAULTS: [(Resource, Option<u64>, Option<u64>); 9] = [
    (Resource::Nofile, Some(1024), Some(524_288)),
    (Resource::Stack, Some(8 * 1024 * 1024), NONE),
    (Resource::Core, NONE, NONE),
    (Resource::Nproc, NONE, NONE),
    (Resource::As, NONE, NONE),
    (Resource::Data, NONE, NONE),
    (Resource::Fsize, NONE, NONE),
    (Resource::Cpu, NONE, NONE),
    (Resource::Rss, NONE, NONE),
];

/// The same on every machine: what the caller has is not inherited, but where raising is refused, what is there stays. What is asked for is left
/// alone: lowered once, it could not be raised again. One byte of core stops those to pipes as well. Source: the kernel's fs/coredump.c.
pub fn set_defaults(asked: &[Ulimit], no_core: bool) {
    let is_asked = |other: Resource| asked.iter().any(|ulimit| resource(&ulimit.name) == Some(other));
    for (resource, current, maximum) in DEFAULTS {
        let (current, maximum) = match resource {
            Resource::Core if no_core => (Some(1), Some(1)),
            _ => (current, maximum),
        };
        if is_asked(resource) || setrlimit(resource, Rlimit { current, maximum }).is_ok() {
            continue;
        }
        let maximum = least(maximum, getrlimit(resource).maximum);
        // Lowering within one's own limit is always allowed.
        let _ = setrlimit(
            resource,
            Rlimit {
                current: least(current, maximum),
                maximum,
            },
        );
    }
}

/// Raises every hard limit as far as it goes, for what is set later without the right to raise any.
pub fn lift() {
    for resource in NAMES.into_iter().map(|(_, resource)| resource).chain([Resource::As]) {
        let current = getrlimit(resource).current;
        // Of open files the kernel allows a number only: what is asked for above this one it refuses in the end.
        let most = (resource == Resource::Nofile).then_some(MOST_FILES);
        let _ = setrlimit(resource, Rlimit { current, maximum: most });
    }
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What the user asked for. Nothing of it is left out: what the machine refuses is an error.
pub fn set(ulimits: &[Ulimit]) -> Result<(), Error> {
    for Ulimit { name, soft, hard } in ulimits {
        let resource = resource(name).ok_or_else(|| Error::internal(format!("\"{name}\" is no resource limit")))?;
        let [current, maximum] = [soft, hard].map(|&value| u64::try_from(value).ok());
        if let Err(error) = setrlimit(resource, Rlimit { current, maximum }) {
            return Err(refused(name, (*soft, *hard), getrlimit(resource).maximum, error));
        }
    }
    Ok(())
}

fn refused(name: &str, (soft, hard): (i64, i64), maximum: Option<u64>, error: rustix::io::Errno) -> Error {
    let message = format!(
        "the limit \"{name}={soft}:{hard}\" cannot be set here: {}",
        std::io::Error::from(error)
    );
    let hint = match maximum {
        Some(most) if hard < 0 || hard.unsigned_abs() > most => {
            format!("cooper itself has the hard limit {most}, and raising it takes CAP_SYS_RESOURCE")
        }
        _ if name == "nofile" => "the kernel allows no more than sysctl fs.nr_open".to_owned(),
        _ => "ask for less".to_owned(),
    };
    Error::user("LIMIT_UNAVAILABLE", message).hint(hint)
}

/// By Docker's names.
const NAMES: [(&str, Resource); 15] = [
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

fn resource(name: &str) -> Option<Resource> {
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, resource)| *resource)
}
