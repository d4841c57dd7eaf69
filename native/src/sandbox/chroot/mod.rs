//! RUN where nothing can be mounted and no namespace be made: root of a plain container. The program's root is a directory of its own
//! (snapshots/root.rs), entered by chroot(2); what else would be mounted lies in that directory while the program runs (places.rs). This keeps
//! accidents in, not attacks: docs/security.md says what is missing.

mod content;
mod devices;
mod enter;
mod places;
mod processes;

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::context::RequestContext;
use crate::error::Error;
use crate::network::Attachment;
use crate::protocol::{MountType, Network, SandboxMount, SandboxParams};
use crate::session::Session;

use super::files::Files;
use super::mounts::{self, Prepared};
use super::seccomp::Filter;
use super::security::Security;
pub use enter::{enter, open_null};
use places::Kind;
pub use places::Places;
pub use processes::{adopt, end_all, sweep};

static TOLD: AtomicBool = AtomicBool::new(false);

/// What cannot be had here is an error rather than left out.
pub fn check(params: &SandboxParams, security: &mut Security, request: &RequestContext) -> Result<(), Error> {
    let refuse = |what: &str, hint: &str| {
        let message = format!("{what} cannot be had here: cooper may neither mount nor make namespaces");
        Err(Error::user("PRIVILEGE_MISSING", message).hint(hint.to_owned()))
    };
    if params.network == Network::None {
        return refuse(
            "a container without network",
            "leave --network=none out, or run cooper with CAP_SYS_ADMIN",
        );
    }
    if params.mounts.iter().any(|mount| mount.handle.is_some()) {
        return refuse(
            "a directory of the host",
            "copy what the container needs into the image",
        );
    }
    if params.devices.as_ref().is_some_and(|devices| !devices.is_empty()) {
        return refuse("a device", "run cooper with CAP_SYS_ADMIN");
    }
    if security.insecure {
        return refuse(
            "a container with all rights",
            "leave --security=insecure out, or run cooper with CAP_SYS_ADMIN",
        );
    }
    if params.tty.is_some() {
        return refuse("a terminal", "leave --tty out");
    }
    // Who is not allowed to administer may load a filter only where no program can gain rights any more; else our surroundings' counts.
    if !security.no_new_privileges {
        if matches!(security.filter, Filter::Program(_)) {
            return refuse("a seccomp profile", "add --security-opt no-new-privileges");
        }
        security.filter = Filter::None;
    }
    if !TOLD.swap(true, Ordering::Relaxed) {
        request.warn(
            "RUN is isolated by chroot alone: a program that is hostile can leave it, and sees the processes and the network of this container; \
             there is no /proc and no /sys",
        )?;
    }
    Ok(())
}

/// Puts everything in its place, before the program is started.
pub fn prepare<'a>(
    session: &'a Session,
    params: &SandboxParams,
    root: &OwnedFd,
    attachment: &Attachment,
    request: &RequestContext,
) -> Result<(Prepared<'a>, Places<'a>), Error> {
    let mut prepared = Prepared::new(session, None);
    let mut places = Places::new(session, root)?;
    for path in ["/proc", "/sys"] {
        places.directory(path)?;
    }
    devices::place(&mut places, request)?;
    // As mounts are: a path before what lies below it, and the later of two at one place over the other.
    let mut wanted: Vec<(String, What<'_>)> = Vec::new();
    for (name, text) in mounts::own_files(params, attachment)? {
        wanted.push((format!("/etc/{name}"), What::Own(text)));
    }
    for mount in &params.mounts {
        let target = mounts::clean(&mount.target);
        mounts::check_target(&target)?;
        wanted.push((target, What::Mount(mount)));
    }
    wanted.sort_by_key(|(target, _)| target.matches('/').count());
    for (target, what) in &wanted {
        match what {
            What::Own(text) => file(&mut places, target, text.as_bytes(), 0o644, (0, 0))?,
            What::Mount(mount) => fill(&mut prepared, &mut places, mount, target, request)?,
        }
    }
    Ok((prepared, places))
}

enum What<'a> {
    Own(String),
    Mount(&'a SandboxMount),
}

fn fill(
    prepared: &mut Prepared<'_>,
    places: &mut Places<'_>,
    mount: &SandboxMount,
    target: &str,
    request: &RequestContext,
) -> Result<(), Error> {
    let owner = (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0));
    match mount.kind {
        MountType::Bind => content::bind(prepared.session, places, mount, target),
        MountType::Cache => content::cache(prepared, places, mount, target, request),
        MountType::Tmpfs => content::empty(places, target, mount.mode.unwrap_or(0o1777)),
        // What the image has at its place is there already, and what the program makes of it is thrown away with all else.
        MountType::Volume => Ok(()),
        MountType::Secret => {
            let bytes = prepared.session.secrets.get(mounts::secret_of(mount)?)?;
            let mode = mount.mode.unwrap_or(mounts::SECRET_MODE) & 0o7777;
            file(places, target, &bytes, mode, owner)?;
            places.erase_last();
            Ok(())
        }
        MountType::Ssh => {
            let mode = mount.mode.unwrap_or(mounts::SOCKET_MODE) & 0o777;
            let agent = mounts::agent_of(mount)?;
            places.fill(target, Kind::File, |place| {
                let files = Files::within(&place.parent)?;
                prepared.sockets.listen(&files, &place.name, agent, mode, owner)
            })
        }
    }
}

/// A file of ours at a place.
pub fn file(places: &mut Places<'_>, target: &str, bytes: &[u8], mode: u32, owner: (u32, u32)) -> Result<(), Error> {
    places.fill(target, Kind::File, |place| {
        Files::within(&place.parent)?.write(&place.name, bytes, mode, owner)
    })
}
