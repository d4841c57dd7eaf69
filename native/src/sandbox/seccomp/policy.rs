//! What is decided for each system call: our groups of denied ones, each with its reason, taken from the table of those that exist. A number
//! that the table does not have is answered ENOSYS, not EPERM: the C library then takes the older call.
//! Source of the groups: Docker's "Seccomp security profiles for Docker", for the capabilities that a container has by default.

use syscalls::{aarch64, arm, x86, x86_64};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// EPERM.
    Deny,
    /// ENOSYS.
    Missing,
    /// Allowed when none of these bits is set in the first argument.
    WithoutBits(u32),
    /// Allowed when the first argument is one of these.
    OneOf(&'static [u32]),
    /// Allowed when the first argument is not this.
    Not(u32),
}

/// An architecture that the kernel may report, and the decision for each of its numbers, ascending.
pub struct Architecture {
    /// `AUDIT_ARCH_…`.
    pub audit: u32,
    pub decisions: Vec<(u32, Decision)>,
}

/// All CLONE_NEW… flags: namespaces need CAP_SYS_ADMIN.
const CLONE_NAMESPACES: u32 = 0x7E02_0000;
/// PER_LINUX, PER_LINUX32, each with UNAME26, and the query.
const PERSONALITIES: &[u32] = &[0, 8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF];
/// Reaches the hypervisor's sockets, past every network namespace.
const AF_VSOCK: u32 = 40;

/// Denied system calls by the reason, each of them sorted.
const DENIED: [(&str, &[&str]); 11] = [
    (
        "mounts need CAP_SYS_ADMIN",
        &[
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "open_tree_attr",
            "pivot_root",
            "umount",
            "umount2",
        ],
    ),
    ("namespaces need CAP_SYS_ADMIN", &["setns", "unshare"]),
    (
        "kernel code needs CAP_SYS_MODULE or CAP_SYS_BOOT",
        &[
            "create_module",
            "delete_module",
            "finit_module",
            "get_kernel_syms",
            "init_module",
            "kexec_file_load",
            "kexec_load",
            "query_module",
            "reboot",
        ],
    ),
    (
        "tracing of the kernel needs CAP_BPF or CAP_PERFMON",
        &["bpf", "lookup_dcookie", "perf_event_open"],
    ),
    ("keyrings are not namespaced", &["add_key", "keyctl", "request_key"]),
    (
        "the clock is not namespaced and needs CAP_SYS_TIME",
        &["clock_settime", "clock_settime64", "settimeofday", "stime"],
    ),
    (
        "other processes' memory needs CAP_SYS_PTRACE",
        &["kcmp", "pidfd_getfd", "process_madvise"],
    ),
    (
        "placement of memory is the machine's and needs CAP_SYS_NICE",
        &[
            "get_mempolicy",
            "mbind",
            "migrate_pages",
            "move_pages",
            "set_mempolicy",
            "set_mempolicy_home_node",
        ],
    ),
    (
        "raw hardware needs CAP_SYS_RAWIO",
        &["ioperm", "iopl", "vm86", "vm86old"],
    ),
    (
        "the machine's own affairs need CAP_SYS_ADMIN or more",
        &[
            "acct",
            "fanotify_init",
            "lsm_set_self_attr",
            "nfsservctl",
            "open_by_handle_at",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
            "swapoff",
            "swapon",
            "syslog",
            "vhangup",
        ],
    ),
    (
        "old or much abused, and not needed",
        &[
            "_sysctl",
            "io_uring_enter",
            "io_uring_register",
            "io_uring_setup",
            "sysfs",
            "uselib",
            "userfaultfd",
            "ustat",
        ],
    ),
];

/// Decides by name.
pub fn decide(name: &str) -> Decision {
    match name {
        // The flags are behind a pointer, which a filter cannot follow: programs fall back to clone.
        "clone3" => Decision::Missing,
        "clone" => Decision::WithoutBits(CLONE_NAMESPACES),
        "personality" => Decision::OneOf(PERSONALITIES),
        "socket" => Decision::Not(AF_VSOCK),
        _ if DENIED.iter().any(|(_, names)| names.contains(&name)) => Decision::Deny,
        _ => Decision::Allow,
    }
}

/// The architectures that this machine's kernel may run, its own first.
pub fn architectures() -> Vec<Architecture> {
    match std::env::consts::ARCH {
        "aarch64" => vec![
            architecture(
                0xC000_00B7,
                aarch64::Sysno::iter().map(|call| (call as u32, call.name())),
            ),
            architecture(0x4000_0028, arm::Sysno::iter().map(|call| (call as u32, call.name()))),
        ],
        _ => vec![
            architecture(
                0xC000_003E,
                x86_64::Sysno::iter().map(|call| (call as u32, call.name())),
            ),
            architecture(0x4000_0003, x86::Sysno::iter().map(|call| (call as u32, call.name()))),
        ],
    }
}

fn architecture(audit: u32, calls: impl Iterator<Item = (u32, &'static str)>) -> Architecture {
    let mut decisions: Vec<_> = calls.map(|(number, name)| (number, decide(name))).collect();
    decisions.sort_by_key(|(number, _)| *number);
    Architecture { audit, decisions }
}
