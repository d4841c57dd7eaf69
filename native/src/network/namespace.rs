//! Network namespaces, each made by a thread that lives only for that: a thread cannot leave traces of another's network.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::thread;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::error::{Doing, Error};
use crate::sandbox::keeper::Keeper;
use crate::syscalls;

use super::netlink::{LOOPBACK, Netlink};

/// Runs `work` in a new network namespace, and gives the namespace too.
pub fn with_new<T: Send>(work: impl FnOnce(&Netlink) -> Result<T, Error> + Send) -> Result<(OwnedFd, T), Error> {
    on_a_thread(|| {
        syscalls::unshare(UnshareFlags::NEWNET).doing(|| "make a network namespace")?;
        let namespace = own()?;
        let netlink = Netlink::open()?;
        Ok((namespace, work(&netlink)?))
    })
}

/// The one that this thread is in.
pub fn own() -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(CWD, "/proc/thread-self/ns/net", flags, Mode::empty()).doing(|| "open a network namespace")
}

/// The same in a container's network namespace with its settings, which belongs to the user namespace of containers where they have one.
pub fn with_new_container<T: Send>(
    keeper: Option<&Keeper>,
    work: impl FnOnce(&Netlink, bool) -> Result<T, Error> + Send,
) -> Result<(OwnedFd, T), Error> {
    let Some(keeper) = keeper else {
        return with_new(|netlink| work(netlink, set_up_container(netlink)?));
    };
    let (namespace, loopback) = keeper.network()?;
    on_a_thread(|| {
        enter(namespace.as_fd())?;
        let made = work(&Netlink::open()?, loopback)?;
        Ok((namespace, made))
    })
}

/// Runs `work` in a network namespace.
pub fn within<T: Send>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    on_a_thread(|| {
        enter(namespace)?;
        work()
    })
}

/// Moves this thread for good.
pub fn enter(namespace: BorrowedFd<'_>) -> Result<(), Error> {
    move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network)).doing(|| "enter a network namespace")
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("network".to_owned())
            .spawn_scoped(scope, work);
        let thread = thread.doing(|| "start a thread")?;
        thread
            .join()
            .map_err(|_| Error::internal("a network thread panicked"))?
    })
}

/// The settings of a container's network, in its namespace: any port and ping for everybody, as Docker has it. `false`: `lo` could not be
/// brought up, for which CAP_NET_ADMIN is needed.
pub fn set_up_container(netlink: &Netlink) -> Result<bool, Error> {
    set("ipv4/ip_unprivileged_port_start", "0")?;
    let map = std::fs::read_to_string("/proc/self/gid_map").doing(|| "read our map of groups")?;
    set("ipv4/ping_group_range", &format!("0 {}", highest_group(&map)))?;
    match netlink.set_up(LOOPBACK) {
        Ok(()) => Ok(true),
        Err(Error::System { source, .. }) if source.raw_os_error() == Some(Errno::PERM.raw_os_error()) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The kernel takes only groups that our user namespace has; and none above 2^31 - 1.
fn highest_group(map: &str) -> u64 {
    let last = |line: &str| {
        let mut fields = line.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
        let (first, count) = (fields.next()?, fields.nth(1)?);
        Some((first + count).saturating_sub(1))
    };
    map.lines().filter_map(last).max().unwrap_or(0).min((1 << 31) - 1)
}

/// Writes a setting of the network namespace that this thread is in.
pub fn set(name: &str, value: &str) -> Result<(), Error> {
    let written = match write_to(CWD, &format!("/proc/sys/net/{name}"), value) {
        // As containers have it in which cooper may run.
        Err(Errno::ROFS) => match own_proc() {
            Some(proc) => write_to(proc.as_fd(), &format!("sys/net/{name}"), value),
            // Nobody can set it: the kernel's default stays.
            None => return Ok(()),
        },
        other => other,
    };
    match written {
        // A kernel without it (without IPv6, say) has nothing to set.
        Err(Errno::NOENT) => Ok(()),
        other => other.doing(|| format!("set /proc/sys/net/{name}")),
    }
}

/// What a setting of this thread's network namespace is; nothing where the kernel does not have it.
pub fn setting(name: &str) -> String {
    let value = std::fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap_or_default();
    value.trim().to_owned()
}

fn write_to(directory: BorrowedFd<'_>, path: &str, value: &str) -> rustix::io::Result<()> {
    let file = openat(directory, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(file, value.as_bytes()).map(drop)
}

/// A procfs of our own, which nobody made read-only; `None` where the kernel gives none, because parts of the one that we see are covered.
fn own_proc() -> Option<&'static OwnedFd> {
    static PROC: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let make = || {
        let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(context.as_fd())?;
        fsmount(
            context.as_fd(),
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
        )
    };
    PROC.get_or_init(|| make().ok()).as_ref()
}

/// A copy of a descriptor that several hold.
pub fn share(namespace: &OwnedFd) -> Result<OwnedFd, Error> {
    namespace
        .as_fd()
        .try_clone_to_owned()
        .doing(|| "duplicate a descriptor")
}

#[cfg(test)]
mod tests {
    use super::highest_group;

    #[test]
    fn the_highest_group_is_that_of_the_map() {
        for (map, want) in [
            ("         0          0 4294967295\n", 2_147_483_647),
            (
                "         0       1001          1\n         1     100000      65536\n",
                65536,
            ),
            ("0 1001 1\n", 0),
            ("", 0),
        ] {
            assert_eq!(highest_group(map), want, "{map:?}");
        }
    }
}
