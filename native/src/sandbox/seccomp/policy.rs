//! What is decided for each system call where nobody gave a profile: what Docker's default profile decides (moby/profiles, seccomp v0.2.3), by
//! groups of what is refused, each with its reason and the capabilities that lift it. oracle.rs compares the two, and has the list of
//! differences. A number that no table has is answered ENOSYS, not EPERM: the C library then takes the older call.

use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use crate::sandbox::capabilities;

use super::action::{Action, Condition, Decision, Operator, Rule};
use super::architecture::{Entry, Machine};
use super::emit::Part;

/// What the policy depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The container's bounding set, in the kernel's bits.
    pub capabilities: u64,
}

impl Default for Options {
    /// Docker's default set.
    fn default() -> Self {
        Self {
            capabilities: capabilities::DEFAULT.bits(),
        }
    }
}

/// All CLONE_NEW… flags: namespaces need CAP_SYS_ADMIN.
pub const CLONE_NAMESPACES: u64 = 0x7E02_0000;
/// PER_LINUX, PER_LINUX32, each with UNAME26, and the query.
pub const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF];
/// AF_ALG, the kernel's cryptography, has a history of holes; AF_VSOCK reaches the hypervisor past every network namespace.
const REFUSED_FAMILIES: [u64; 2] = [38, 40];

/// No capability lifts it.
const NONE: CapabilitySet = CapabilitySet::empty();

/// Refused system calls (EPERM): the reason, the capabilities of which one is enough to allow them, the names.
pub const REFUSED: &[(&str, CapabilitySet, &[&str])] = &[
    (
        "mounts",
        CapabilitySet::SYS_ADMIN,
        &[
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "umount",
            "umount2",
        ],
    ),
    ("the root of a mount namespace", NONE, &["pivot_root"]),
    ("namespaces", CapabilitySet::SYS_ADMIN, &["setns", "unshare"]),
    ("the root directory", CapabilitySet::SYS_CHROOT, &["chroot"]),
    (
        "kernel modules",
        CapabilitySet::SYS_MODULE,
        &["delete_module", "finit_module", "init_module"],
    ),
    ("the machine's end", CapabilitySet::SYS_BOOT, &["reboot"]),
    ("another kernel", NONE, &["kexec_file_load", "kexec_load"]),
    (
        "programs in the kernel",
        CapabilitySet::SYS_ADMIN.union(CapabilitySet::BPF),
        &["bpf"],
    ),
    (
        "tracing of the kernel",
        CapabilitySet::SYS_ADMIN.union(CapabilitySet::PERFMON),
        &["perf_event_open"],
    ),
    (
        "the kernel's log",
        CapabilitySet::SYS_ADMIN.union(CapabilitySet::SYSLOG),
        &["syslog"],
    ),
    (
        "keyrings, which are in no namespace",
        NONE,
        &["add_key", "keyctl", "request_key"],
    ),
    (
        "the clock, which is in no namespace",
        CapabilitySet::SYS_TIME,
        &["clock_settime", "clock_settime64", "settimeofday", "stime"],
    ),
    (
        "other processes' insides",
        CapabilitySet::SYS_PTRACE,
        &["kcmp", "pidfd_getfd", "process_madvise"],
    ),
    (
        "where memory lies",
        CapabilitySet::SYS_NICE,
        &["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"],
    ),
    ("where other memory lies", NONE, &["migrate_pages", "move_pages"]),
    ("raw hardware", CapabilitySet::SYS_RAWIO, &["ioperm", "iopl"]),
    (
        "files by their inode, past every mount",
        CapabilitySet::DAC_READ_SEARCH,
        &["open_by_handle_at"],
    ),
    ("accounting of processes", CapabilitySet::SYS_PACCT, &["acct"]),
    ("terminals of others", CapabilitySet::SYS_TTY_CONFIG, &["vhangup"]),
    (
        "the machine's own affairs",
        CapabilitySet::SYS_ADMIN,
        &[
            "fanotify_init",
            "lookup_dcookie",
            "lsm_get_self_attr",
            "lsm_list_modules",
            "lsm_set_self_attr",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
        ],
    ),
    ("memory on disk", NONE, &["swapoff", "swapon"]),
    (
        "much abused, and not needed",
        NONE,
        &["io_uring_enter", "io_uring_register", "io_uring_setup", "userfaultfd"],
    ),
    (
        "of the past, or never made: nothing of today calls them",
        NONE,
        &[
            "_sysctl",
            "afs_syscall",
            "bdflush",
            "break",
            "create_module",
            "ftime",
            "get_kernel_syms",
            "getpmsg",
            "gtty",
            "idle",
            "lock",
            "mpx",
            "nfsservctl",
            "nice",
            "oldfstat",
            "oldlstat",
            "oldolduname",
            "oldstat",
            "olduname",
            "pciconfig_iobase",
            "pciconfig_read",
            "pciconfig_write",
            "prof",
            "profil",
            "putpmsg",
            "query_module",
            "readdir",
            "security",
            "sgetmask",
            "sigaction",
            "signal",
            "sigpending",
            "sigsuspend",
            "ssetmask",
            "stty",
            "sysfs",
            "tuxcall",
            "ulimit",
            "uprobe",
            "uselib",
            "usr26",
            "usr32",
            "ustat",
            "vm86",
            "vm86old",
            "vserver",
        ],
    ),
];

/// As if the kernel were older (ENOSYS): newer than all that Docker's profile names, and what takes its flags behind a pointer, which a
/// filter can't follow.
const MISSING: &[&str] = &["file_getattr", "file_setattr", "get_tls", "open_tree_attr"];

/// Decides by name; `options` may lift what is refused.
pub fn decide(name: &str, options: &Options) -> Decision {
    let capabilities = CapabilitySet::from_bits_retain(options.capabilities);
    let admin = capabilities.contains(CapabilitySet::SYS_ADMIN);
    match name {
        "clone3" if !admin => Action::MISSING.into(),
        "clone" if !admin => only(without_bits(CLONE_NAMESPACES)),
        "personality" => Decision {
            rules: PERSONALITIES
                .map(|known| allow(vec![Condition::equal(0, known)]))
                .into(),
            otherwise: Action::DENY,
        },
        // Only the half that the kernel takes for the family, whatever is in the other.
        "socket" => only(
            REFUSED_FAMILIES
                .map(|family| Condition::equal(0, family).not().narrow())
                .into(),
        ),
        _ if MISSING.contains(&name) => Action::MISSING.into(),
        _ => {
            let refused = REFUSED.iter().find(|(_, _, names)| names.contains(&name));
            match refused {
                Some((_, lifted_by, _)) if !capabilities.intersects(*lifted_by) => Action::DENY.into(),
                _ => Action::Allow.into(),
            }
        }
    }
}

/// The policy for all ways into this kernel.
pub fn parts(machine: Machine, options: &Options) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for entry in machine.entries() {
        let decisions = entry.calls.iter().map(|(number, name)| {
            let decision = decide(name, options);
            (
                entry.first + number,
                if entry.wide { decision } else { decision.narrow() },
            )
        });
        match parts.iter_mut().find(|part| part.audit == entry.audit) {
            Some(part) => part.decisions.extend(decisions),
            None => parts.push(part(&entry, decisions.collect())),
        }
    }
    parts
}

fn part(entry: &Entry, decisions: Vec<(u32, Decision)>) -> Part {
    Part {
        audit: entry.audit,
        decisions,
        gaps: vec![(0, Action::MISSING.into())],
    }
}

fn allow(conditions: Vec<Condition>) -> Rule {
    Rule {
        conditions,
        action: Action::Allow,
    }
}

fn only(conditions: Vec<Condition>) -> Decision {
    Decision {
        rules: vec![allow(conditions)],
        otherwise: Action::DENY,
    }
}

fn without_bits(mask: u64) -> Vec<Condition> {
    vec![Condition {
        argument: 0,
        mask,
        operator: Operator::Equal,
        value: 0,
        negated: false,
    }]
}
