//! Devices of the machine that a container was given: besides the usual nodes the only ones that it can open.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Stat};
use rustix::fs::{FileType, Gid, Mode, Uid, chmodat, chownat, fstat, mknodat};
use rustix::mount::MountAttrFlags;

use crate::error::{Doing, Error};
use crate::protocol::SandboxDevice;
use crate::session::Session;

use super::idmap;
use super::mounts::clean;
use super::root::{copy, filesystem};
use super::spec::{self, Mount, Program};
use super::target::Root;
use super::user::User;

/// What hangs on a device's mount, whoever made it.
pub const ATTRIBUTES: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;

/// Adds a mount for each device; `shifted` where the container's ids are others on the machine. As root the container has nodes of its own, so that what it does to their mode or owner changes nobody
/// else's; in a user namespace none can be made, and the machine's are shown.
pub fn prepare(
    session: &Session,
    devices: &[SandboxDevice],
    descriptors: &mut Vec<OwnedFd>,
    list: &mut Vec<Mount>,
    shifted: bool,
) -> Result<(), Error> {
    let mut folder = None;
    for (place, device) in devices.iter().enumerate() {
        let handle = session.handles.get(&device.handle)?;
        let doing = || format!("give the device \"{}\"", device.path);
        let stat = fstat(&handle.fd).doing(doing)?;
        if !matches!(
            FileType::from_raw_mode(stat.st_mode),
            FileType::CharacterDevice | FileType::BlockDevice
        ) {
            return Err(Error::user("UNSUPPORTED", format!("\"{}\" is no device", handle.path)));
        }
        let mut owner = spec::Device::AsItIs;
        let (descriptor, within) = if session.mode.in_user_namespace() {
            descriptors.push(copy(handle.fd.as_fd(), false).doing(doing)?);
            (descriptors.len() - 1, None)
        } else {
            let descriptor = match folder {
                Some(descriptor) => descriptor,
                None => {
                    let options = [("mode", Some("755")), ("size", Some("0"))];
                    descriptors.push(filesystem("tmpfs", &options, ATTRIBUTES).doing(doing)?);
                    *folder.insert(descriptors.len() - 1)
                }
            };
            if device.of_user == Some(true) {
                owner = spec::Device::OfUser;
            }
            let name = place.to_string();
            make_node(&descriptors[descriptor], &name, device, &stat, shifted).doing(doing)?;
            (descriptor, Some(format!("/{name}")))
        };
        list.push(Mount {
            descriptor,
            within,
            target: clean(&device.path),
            readonly: false,
            device: Some(owner),
        });
    }
    Ok(())
}

/// As the machine has it, where nothing else was said.
fn make_node(
    folder: &OwnedFd,
    name: &str,
    device: &SandboxDevice,
    stat: &Stat,
    shifted: bool,
) -> rustix::io::Result<()> {
    let id = |id: u32| if shifted { idmap::shifted(id) } else { id };
    let kind = FileType::from_raw_mode(stat.st_mode);
    let mode = Mode::from_raw_mode(device.mode.unwrap_or(stat.st_mode) & 0o777);
    mknodat(folder, name, kind, mode, stat.st_rdev)?;
    let (uid, gid) = (device.uid.unwrap_or(stat.st_uid), device.gid.unwrap_or(stat.st_gid));
    chownat(
        folder,
        name,
        Some(Uid::from_raw(id(uid))),
        Some(Gid::from_raw(id(gid))),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    // The umask has taken some of it.
    chmodat(folder, name, mode, AtFlags::empty())
}

/// Once it is known who the user is: his are those nodes of which nobody said whose they are. Source: CDI, `ContainerEdits.Apply`.
pub fn give_to_user(root: &Root, program: &Program, user: &User) -> Result<(), Error> {
    let nodes = program
        .mounts
        .iter()
        .filter(|mount| mount.device == Some(spec::Device::OfUser));
    for mount in nodes.filter(|_| user.uid != 0) {
        let doing = || format!("give \"{}\" to the user", mount.target);
        let node = root.find(&mount.target).doing(doing)?;
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        chownat(&node, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH).doing(doing)?;
    }
    Ok(())
}
