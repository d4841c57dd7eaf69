//! Capabilities and ids of the program.

use rustix::fs::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use crate::error::{Doing, Error};

use super::user::User;

/// Docker's default set.
pub const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// As they are written, without `CAP_`, by their numbers. Source: the kernel's include/uapi/linux/capability.h.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The capability of a name such as `CAP_CHOWN`.
pub fn named(name: &str) -> Option<CapabilitySet> {
    let name = name.strip_prefix("CAP_")?;
    let number = NAMES.iter().position(|each| *each == name)?;
    Some(CapabilitySet::from_bits_retain(1 << number))
}

pub fn names_of(set: CapabilitySet) -> Vec<&'static str> {
    let names = NAMES.iter().enumerate();
    names
        .filter(|(number, _)| set.bits() & 1 << number != 0)
        .map(|(_, name)| *name)
        .collect()
}

/// The set of these names; with `ALL` among them, only those that there are. None of them may be one that nobody knows: it would be left out
/// silently.
pub fn all(names: &[String]) -> Result<CapabilitySet, Error> {
    let mut set = CapabilitySet::empty();
    for name in names.iter().filter(|name| *name != "ALL") {
        set |= named(name).ok_or_else(|| Error::user("ARG_INVALID", format!("\"{name}\" is no capability")))?;
    }
    if names.iter().any(|name| name == "ALL") {
        set &= capabilities(None).doing(|| "read our capabilities")?.permitted;
    }
    Ok(set)
}

/// Drops what no program of a container may have, and becomes the user. Inheritable and ambient sets are empty, as Docker's are since
/// CVE-2022-24769; who is not root has none at once, but may gain those of the bounding set through a setuid program.
pub fn become_user(user: &User, bounding: CapabilitySet) -> Result<(), Error> {
    let bounding = bound(bounding)?;
    become_ids(user)?;
    keep(if user.uid == 0 {
        bounding
    } else {
        CapabilitySet::empty()
    })
}

/// As `become_user`, where ids are emulated: rights are those of the one id that there is. The kernel takes what is too much from the program,
/// as it begins: until then a filter is still to be loaded.
pub fn stay_root(bounding: CapabilitySet) -> Result<(), Error> {
    bound(bounding)?;
    clear_ambient()?;
    let doing = || "drop capabilities";
    let own = capabilities(None).doing(doing)?;
    let sets = CapabilitySets {
        inheritable: CapabilitySet::empty(),
        ..own
    };
    set_capabilities(None, sets).doing(doing)
}

/// Narrows the bounding set; gives what is left of it.
fn bound(bounding: CapabilitySet) -> Result<CapabilitySet, Error> {
    let permitted = capabilities(None).doing(|| "drop capabilities")?.permitted;
    let missing = (bounding - DEFAULT) - permitted;
    if !missing.is_empty() {
        let names = names_of(missing).join(", ");
        let message = format!("these capabilities are not there to be given: {names}");
        return Err(Error::user("PRIVILEGE_MISSING", message).hint("cooper itself does not have them"));
    }
    // Of the usual ones, what there is: a container that we are in may have fewer.
    let bounding = bounding & permitted;
    narrow_bounding_set(bounding)?;
    Ok(bounding)
}

fn keep(kept: CapabilitySet) -> Result<(), Error> {
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    clear_ambient()?;
    set_capabilities(None, sets).doing(|| "drop capabilities")
}

/// Becomes the user, with every capability that we have, whoever he is, and in every set, so that programs inherit them. Source: BuildKit,
/// `WithInsecureSpec`.
pub fn become_user_with_all(user: &User) -> Result<(), Error> {
    let doing = || "keep capabilities";
    set_keep_capabilities(true).doing(doing)?;
    become_ids(user)?;
    let all = capabilities(None).doing(doing)?.permitted;
    let sets = CapabilitySets {
        effective: all,
        permitted: all,
        inheritable: all,
    };
    set_capabilities(None, sets).doing(doing)?;
    clear_ambient()?;
    for one in all.iter() {
        match configure_capability_in_ambient_set(one, true) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error).doing(doing),
        }
    }
    Ok(())
}

fn narrow_bounding_set(bounding: CapabilitySet) -> Result<(), Error> {
    let doing = || "drop capabilities";
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if bounding.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Past the last one that this kernel knows.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error).doing(doing),
        }
    }
    Ok(())
}

fn become_ids(user: &User) -> Result<(), Error> {
    let doing_ids = || format!("become user {}:{}", user.uid, user.gid);
    let groups: Vec<_> = user.all_groups().into_iter().map(Gid::from_raw).collect();
    set_thread_groups(&groups).doing(doing_ids)?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_thread_res_gid(gid, gid, gid).doing(doing_ids)?;
    set_thread_res_uid(uid, uid, uid).doing(doing_ids)
}

fn clear_ambient() -> Result<(), Error> {
    match clear_ambient_capability_set() {
        // Kernels without ambient capabilities have none set.
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(error) => Err(error).doing(|| "drop capabilities"),
    }
}
