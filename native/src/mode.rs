//! The rung of the ladder that this machine allows, found by trying: root, root of a user namespace, a user namespace of our own with a range
//! of ids or with one, chroot, nothing. Each rung that was refused is remembered with its reason: `doctor` shows them.

use std::sync::OnceLock;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::UnshareFlags;

use crate::error::Error;
use crate::lease::Lease;
use crate::protocol::{Downgrade, Mode, Snapshotter};
use crate::store::Store;
use crate::userns::{self, Map, Refusal};
use crate::{snapshotter, syscalls};

/// What was found, and why not the rungs above.
#[derive(Debug, Clone)]
pub struct Probed {
    pub mode: Mode,
    /// In a few words.
    pub reason: String,
    pub snapshotter: Snapshotter,
    /// Whether containers can have a /proc of their own; otherwise they see ours.
    pub own_proc: bool,
    /// The highest rung first.
    pub downgrades: Vec<Downgrade>,
}

/// For users and tests: the only rung to be tried.
const VARIABLE: &str = "COOPER_MODE";
const NAMES: [(&str, Mode); 6] = [
    ("root", Mode::Root),
    ("pod", Mode::Pod),
    ("rootless", Mode::Rootless),
    ("single-id", Mode::SingleId),
    ("chroot", Mode::Chroot),
    ("unprivileged", Mode::Unprivileged),
];

/// What came of a try.
enum Tried {
    /// The process stands on that rung now.
    Taken,
    /// Nothing has changed.
    Refused(Refusal),
    /// The rung is for others: no downgrade.
    NotOurs(&'static str),
}

impl From<Result<(), Refusal>> for Tried {
    fn from(result: Result<(), Refusal>) -> Self {
        result.map_or_else(Self::Refused, |()| Self::Taken)
    }
}

#[derive(Clone)]
struct Prepared {
    mode: Mode,
    asked: bool,
    own_proc: bool,
    downgrades: Vec<Downgrade>,
}

/// Mode and reasons, from before any thread; or what is wrong with what was asked for, said when there is somebody to hear it.
static PREPARED: OnceLock<Result<Prepared, (String, String)>> = OnceLock::new();

/// Once, while the process has one thread: climbs to the highest rung. Of a process that forked itself for that, only the child returns.
pub fn prepare() -> Result<(), Error> {
    let prepared = match asked() {
        Ok(asked) => climb(asked)?,
        Err(wrong) => Err(wrong),
    };
    // Only main calls this, once.
    let _ = PREPARED.set(prepared);
    Ok(())
}

fn asked() -> Result<Option<Mode>, (String, String)> {
    let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let found = NAMES.iter().find(|(name, _)| text == *name).map(|(_, mode)| *mode);
    found.map(Some).ok_or_else(|| {
        let names = NAMES.map(|(name, _)| name).join("\", \"");
        (
            format!("{VARIABLE} is \"{}\", which is no mode", text.display()),
            format!("one of \"{names}\""),
        )
    })
}

type Found = Result<Prepared, (String, String)>;

fn climb(asked: Option<Mode>) -> Result<Found, Error> {
    let mut downgrades = Vec::new();
    for (name, mode) in NAMES
        .into_iter()
        .filter(|(_, mode)| asked.is_none_or(|asked| asked == *mode))
    {
        let refusal = match attempt(mode, asked.is_some())? {
            Tried::Taken => {
                return Ok(Ok(Prepared {
                    mode,
                    asked: asked.is_some(),
                    own_proc: !mode.in_user_namespace() || userns::has_own_proc(),
                    downgrades,
                }));
            }
            Tried::Refused(refusal) => refusal,
            Tried::NotOurs(reason) if asked.is_some() => Refusal::of(reason),
            Tried::NotOurs(_) => continue,
        };
        if asked.is_some() {
            let hint = refusal
                .hint
                .unwrap_or_else(|| format!("unset {VARIABLE}, and see \"cooper doctor\""));
            return Ok(Err((
                format!("{VARIABLE} is \"{name}\", which does not work here: {}", refusal.reason),
                hint,
            )));
        }
        downgrades.push(Downgrade {
            rung: name.to_owned(),
            reason: refusal.reason,
            hint: refusal.hint,
        });
    }
    Err(Error::internal("the lowest rung of the ladder was refused"))
}

fn attempt(mode: Mode, asked: bool) -> Result<Tried, Error> {
    let is_root = rustix::process::geteuid().is_root();
    Ok(match mode {
        Mode::Root => root(is_root),
        Mode::Pod => pod(is_root)?,
        Mode::Rootless if is_root => Tried::NotOurs("it is for users that are not root"),
        Mode::Rootless => match Map::subordinate() {
            Ok(map) => userns::enter(map)?.into(),
            Err(refusal) => Tried::Refused(refusal),
        },
        Mode::SingleId => single_id(is_root, asked)?,
        Mode::Chroot if !is_root => Tried::NotOurs("chroot needs root"),
        Mode::Chroot => userns::try_chroot().into(),
        Mode::Unprivileged => Tried::Taken,
    })
}

fn root(is_root: bool) -> Tried {
    if !is_root {
        return Tried::Refused(Refusal::of("the user is not root"));
    }
    if !userns::is_initial() {
        return Tried::Refused(Refusal::of("root of a user namespace, not of the machine"));
    }
    own_mounts().into()
}

/// A mount namespace of our own, from which nothing spreads.
fn own_mounts() -> Result<(), Refusal> {
    syscalls::unshare(UnshareFlags::NEWNS)
        .and_then(|()| make_private())
        .map_err(|error| userns::explain("root without the right to mount", error.into()))
}

pub fn make_private() -> rustix::io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

/// Root in a user namespace that has a range of ids; without the right to mount there, root of one more, with the same ids.
fn pod(is_root: bool) -> Result<Tried, Error> {
    if !is_root {
        return Ok(Tried::NotOurs("it is for root of a user namespace"));
    }
    if let Err(refusal) = userns::has_range() {
        return Ok(Tried::Refused(refusal));
    }
    if stands_apart() {
        return Ok(Tried::Taken);
    }
    Ok(userns::enter(Map::same()?)?.into())
}

/// Whether the user namespace that we are in is one to stay in. Where steps have to share its /proc, which shows its other processes, only a
/// namespace of their own keeps these from them.
fn stands_apart() -> bool {
    !userns::is_initial() && own_mounts().is_ok() && userns::has_own_proc()
}

/// Who is root of a namespace with one id already needs no other.
fn single_id(is_root: bool, asked: bool) -> Result<Tried, Error> {
    if is_root && stands_apart() {
        return Ok(Tried::Taken);
    }
    if is_root && userns::is_initial() && !asked {
        return Ok(Tried::NotOurs("root has more than one id"));
    }
    Ok(userns::enter(Map::single())?.into())
}

/// Tries what containers need of this store: a way to make snapshots on its filesystem.
pub fn probe(store: &Store, lease: &Lease) -> Result<Probed, Error> {
    let prepared = PREPARED
        .get()
        .cloned()
        .ok_or_else(|| Error::internal("the mode was not prepared"))?;
    let Prepared {
        mode,
        asked,
        own_proc,
        mut downgrades,
    } = prepared.map_err(|(message, hint)| Error::user("ARG_INVALID", message).hint(hint))?;
    let snapshotter = snapshotter::find(mode, store, lease, &mut downgrades)?;
    // Chroot mode has no mounts, so it does not depend on what can be mounted.
    let mode = match (mode, snapshotter) {
        (Mode::Chroot, _) | (_, Some(_)) => mode,
        (_, None) => Mode::Unprivileged,
    };
    Ok(Probed {
        mode,
        reason: reason(mode, asked, &downgrades),
        snapshotter: snapshotter.unwrap_or(Snapshotter::None),
        own_proc,
        downgrades,
    })
}

fn reason(mode: Mode, asked: bool, downgrades: &[Downgrade]) -> String {
    if asked && mode != Mode::Unprivileged {
        return format!("{VARIABLE} asks for it");
    }
    match downgrades.last() {
        None if asked => format!("{VARIABLE} asks for it"),
        None => String::new(),
        // Where nothing is left all that was tried counts.
        Some(_) if mode == Mode::Unprivileged => {
            let all: Vec<_> = downgrades
                .iter()
                .map(|each| format!("{}: {}", each.rung, each.reason))
                .collect();
            all.join("; ")
        }
        Some(last) => last.reason.clone(),
    }
}
