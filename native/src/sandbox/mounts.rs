//! Prepares the mounts of a container, in the worker: each becomes a detached mount, or a part of one, before the container is made.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, fchmod, openat};
use rustix::mount::MountAttrFlags;

use crate::context::RequestContext;
use crate::error::{Doing, Error};
use crate::network::Attachment;
use crate::protocol::{Access, MountType, SandboxMount, SandboxParams};
use crate::session::{DIRECTORY, Session};
use crate::snapshots::root as snapshots;
use crate::store::make_directory;

use super::cache;
use super::files::{self, Files};
use super::idmap::{self, Idmap};
use super::passed_device;
use super::root::{copy, filesystem};
use super::socket::Sockets;
use super::target::find_part;
use super::volume;

/// Docker's mode of a secret's file.
pub const SECRET_MODE: u32 = 0o400;
/// Docker's mode of an agent's socket.
pub const SOCKET_MODE: u32 = 0o600;

/// Mounts ready to be handed over, and what they need to be held until the container's end.
pub struct Prepared<'a> {
    pub descriptors: Vec<OwnedFd>,
    /// In the order of mounting: a path before what lies below it.
    pub list: Vec<super::spec::Mount>,
    pub session: &'a Session,
    /// Ids that all of it has, where they are not the machine's.
    ids: Option<&'a Idmap>,
    pub sockets: Sockets,
    /// Locks of cache mounts.
    pub held: Vec<OwnedFd>,
    /// Folders in `tmp/<lease>` that go with the container.
    pub folders: Vec<String>,
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        for folder in &self.folders {
            if let Err(error) = self.session.discard_temporary(folder) {
                eprintln!("cooper-worker: {error}");
            }
        }
    }
}

impl<'a> Prepared<'a> {
    pub fn new(session: &'a Session, ids: Option<&'a Idmap>) -> Self {
        Self {
            descriptors: Vec::new(),
            list: Vec::new(),
            sockets: Sockets::default(),
            session,
            ids,
            held: Vec::new(),
            folders: Vec::new(),
        }
    }

    fn add(&mut self, descriptor: OwnedFd, within: Option<String>, target: &str, readonly: bool) {
        self.descriptors.push(descriptor);
        let descriptor = self.descriptors.len() - 1;
        self.list.push(super::spec::Mount {
            descriptor,
            within,
            target: clean(target),
            readonly,
            device: None,
        });
    }

    /// Whether owners have to be those that the container's ids are on the machine.
    pub fn is_shifted(&self) -> bool {
        self.ids.is_some()
    }

    /// A detached mount of an open place, with the container's ids.
    fn copy(&self, place: BorrowedFd<'_>, recursive: bool) -> std::io::Result<OwnedFd> {
        match self.ids {
            None => Ok(copy(place, recursive)?),
            Some(ids) => ids.copy(place, recursive),
        }
    }

    /// A new folder that goes with the container.
    fn folder(&mut self, what: &str) -> Result<(String, OwnedFd), Error> {
        let name = self.session.temporary_name(what);
        make_directory(self.session.temporary(), &name)?;
        self.folders.push(name.clone());
        let folder = openat(self.session.temporary(), &name, DIRECTORY, Mode::empty()).doing(|| "open a folder")?;
        Ok((name, folder))
    }
}

pub fn prepare<'a>(
    session: &'a Session,
    params: &SandboxParams,
    root: BorrowedFd<'_>,
    ids: Option<&'a Idmap>,
    attachment: &Attachment,
    request: &RequestContext,
) -> Result<Prepared<'a>, Error> {
    let mut prepared = Prepared::new(session, ids);
    let holds_secret = params.mounts.iter().any(|mount| mount.kind == MountType::Secret);
    let files = Files::new(holds_secret, ids.is_some())?;
    let own = own_files(params, attachment)?;
    for (name, text) in &own {
        files.write(name, text.as_bytes(), 0o644, (0, 0))?;
        // The first descriptor is the files': all of them are parts of it.
        prepared.list.push(super::spec::Mount {
            descriptor: 0,
            within: Some(format!("/{name}")),
            target: format!("/etc/{name}"),
            readonly: params.commit,
            device: None,
        });
    }
    prepared
        .descriptors
        .push(files.mount.try_clone().doing(|| "duplicate a descriptor")?);
    for mount in &params.mounts {
        check_target(&clean(&mount.target))?;
        match mount.kind {
            MountType::Bind => bind(&mut prepared, mount)?,
            MountType::Cache => {
                let (directory, held) = cache::open(session, mount, &mut prepared.folders, request)?;
                prepared.held.push(held);
                let own = prepared.copy(directory.as_fd(), false).doing(|| "mount a cache")?;
                let source = mount.source.as_deref().map(clean).filter(|path| path != "/");
                prepared.add(own, source, &mount.target, mount.readonly);
            }
            MountType::Tmpfs => tmpfs(&mut prepared, mount)?,
            MountType::Secret => secret(&mut prepared, mount, &files)?,
            MountType::Ssh => ssh(&mut prepared, mount, &files)?,
            MountType::Volume => {
                let (_, folder) = prepared.folder("volume")?;
                seed(session, params, root, ids, &clean(&mount.target), &folder)?;
                let own = prepared.copy(folder.as_fd(), false).doing(|| "mount a volume")?;
                prepared.add(own, None, &mount.target, mount.readonly);
            }
        }
    }
    if let Some(devices) = &params.devices {
        for device in devices {
            check_target(&clean(&device.path))?;
        }
        let shifted = prepared.is_shifted();
        passed_device::prepare(session, devices, &mut prepared.descriptors, &mut prepared.list, shifted)?;
    }
    // Stable: of two mounts at one place the later one is seen.
    prepared.list.sort_by_key(|mount| mount.target.matches('/').count());
    Ok(prepared)
}

/// A volume is written as the machine has it, so the image is read as the machine has it.
fn seed(
    session: &Session,
    params: &SandboxParams,
    root: BorrowedFd<'_>,
    ids: Option<&Idmap>,
    path: &str,
    folder: &OwnedFd,
) -> Result<(), Error> {
    match ids {
        None => volume::seed(root, path, folder),
        Some(_) => volume::seed(
            snapshots::mount_chain(session, &params.root, None)?.as_fd(),
            path,
            folder,
        ),
    }
}

/// What lies in `/etc` of every container. A step of a build may not write there, as what it wrote would be lost, and its /etc/hostname is the
/// image's. Source: BuildKit, executor/oci, `generateMountOpts`.
pub fn own_files(params: &SandboxParams, attachment: &Attachment) -> Result<Vec<(&'static str, String)>, Error> {
    let mut own = vec![
        ("hosts", files::hosts(params)),
        ("resolv.conf", attachment.resolv_conf()?),
    ];
    if !params.commit {
        own.push(("hostname", format!("{}\n", params.hostname)));
    }
    Ok(own)
}

/// An absolute path without `.`, `..` and empty names.
pub fn clean(path: &str) -> String {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

pub fn check_target(target: &str) -> Result<(), Error> {
    let below = |parent: &str| target.starts_with(parent) && target[parent.len()..].starts_with('/');
    let own = ["/proc", "/sys"]
        .iter()
        .any(|parent| target == *parent || below(parent));
    if own || target == "/dev" || target == "/" {
        return Err(
            Error::user("UNSUPPORTED", format!("nothing can be mounted at \"{target}\""))
                .hint("/, /proc, /sys and /dev belong to the container"),
        );
    }
    Ok(())
}

fn bind(prepared: &mut Prepared<'_>, mount: &SandboxMount) -> Result<(), Error> {
    let session = prepared.session;
    let source = mount.source.as_deref().map(clean).filter(|path| path != "/");
    if let Some(name) = &mount.handle {
        let handle = if mount.readonly {
            session.handles.get(name)?
        } else {
            session.handles.writable(name)?
        };
        let place = within(handle.fd.as_fd(), source.as_deref().unwrap_or("/"), &mount.target)?;
        let readonly = mount.readonly || handle.access == Access::Read;
        let own = prepared
            .copy(place.as_fd(), true)
            .doing(|| format!("bind \"{}\"", handle.path))?;
        prepared.add(own, None, &mount.target, readonly);
        return Ok(());
    }
    let whole = match (&mount.chain, &mount.selection) {
        (Some(chain), None) if mount.readonly => snapshots::mount_chain(session, chain, prepared.ids)?,
        (Some(chain), None) => snapshots::mount_scratch(session, chain, &mut prepared.folders, prepared.ids)?,
        (None, Some(selection)) => {
            let (_, folder) = prepared.folder("bind")?;
            fchmod(&folder, Mode::from_raw_mode(0o755)).doing(|| "set the mode of a folder")?;
            crate::copy::materialize::materialize(session, selection, &folder)?;
            prepared.copy(folder.as_fd(), false).doing(|| "bind a selection")?
        }
        _ => return Err(Error::internal("a bind mount needs one of chain, selection and handle")),
    };
    prepared.add(whole, source, &mount.target, mount.readonly);
    Ok(())
}

/// A handle may be a file: then it is the source itself.
fn within(handle: BorrowedFd<'_>, path: &str, target: &str) -> Result<OwnedFd, Error> {
    if path == "/" {
        return handle.try_clone_to_owned().doing(|| "duplicate a descriptor");
    }
    find_part(handle, path, target)
}

fn tmpfs(prepared: &mut Prepared<'_>, mount: &SandboxMount) -> Result<(), Error> {
    let size = mount.size.map(|size| size.to_string());
    let mode = format!("{:o}", mount.mode.unwrap_or(0o1777));
    let mut options = vec![("mode", Some(mode.as_str()))];
    let root = idmap::FIRST.to_string();
    if prepared.ids.is_some() {
        options.extend([("uid", Some(root.as_str())), ("gid", Some(root.as_str()))]);
    }
    if let Some(size) = &size {
        options.push(("size", Some(size)));
    }
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let tmpfs = filesystem("tmpfs", &options, attributes).doing(|| format!("make a tmpfs for \"{}\"", mount.target))?;
    prepared.add(tmpfs, None, &mount.target, mount.readonly);
    Ok(())
}

fn secret(prepared: &mut Prepared<'_>, mount: &SandboxMount, files: &Files) -> Result<(), Error> {
    let bytes = prepared.session.secrets.get(secret_of(mount)?)?;
    let name = format!("secret-{}", prepared.list.len());
    let owner = prepared
        .session
        .kernel_owner((mount.uid.unwrap_or(0), mount.gid.unwrap_or(0)));
    files.write(&name, &bytes, mount.mode.unwrap_or(SECRET_MODE) & 0o7777, owner)?;
    let part = super::spec::Mount {
        descriptor: 0,
        within: Some(format!("/{name}")),
        target: clean(&mount.target),
        readonly: true,
        device: None,
    };
    prepared.list.push(part);
    Ok(())
}

pub fn secret_of(mount: &SandboxMount) -> Result<&str, Error> {
    let id = mount.secret.as_deref();
    id.ok_or_else(|| Error::internal("a secret mount without secret"))
}

pub fn agent_of(mount: &SandboxMount) -> Result<&str, Error> {
    let agent = mount.agent.as_deref();
    agent.ok_or_else(|| Error::internal("an ssh mount without agent"))
}

/// The socket of an agent. Who connects to it is answered by the builder (socket.rs).
fn ssh(prepared: &mut Prepared<'_>, mount: &SandboxMount, files: &Files) -> Result<(), Error> {
    let agent = agent_of(mount)?;
    let name = format!("agent-{}", prepared.list.len());
    let owner = prepared
        .session
        .kernel_owner((mount.uid.unwrap_or(0), mount.gid.unwrap_or(0)));
    let mode = mount.mode.unwrap_or(SOCKET_MODE) & 0o777;
    prepared.sockets.listen(files, &name, agent, mode, owner)?;
    prepared.list.push(super::spec::Mount {
        descriptor: 0,
        within: Some(format!("/{name}")),
        target: clean(&mount.target),
        readonly: false,
        device: None,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_target, clean};

    #[test]
    fn paths_are_cleaned_without_leaving_the_root() {
        for (path, want) in [
            ("/a//b/.", "/a/b"),
            ("/../../etc", "/etc"),
            ("a/../b", "/b"),
            ("", "/"),
            ("/a/..", "/"),
        ] {
            assert_eq!(clean(path), want, "{path}");
        }
    }

    #[test]
    fn what_keeps_the_container_in_cannot_be_hidden() {
        for (target, good) in [
            ("/proc", false),
            ("/proc/self", false),
            ("/sys/fs", false),
            ("/dev", false),
            ("/", false),
            ("/dev/shm", true),
            ("/process", true),
        ] {
            assert_eq!(check_target(target).is_ok(), good, "{target}");
        }
    }
}
