//! Numbers and names of the system calls of each way into a kernel. The numbers are those of the kernel's own tables, by the crate `syscalls`;
//! what that lacks is here.

use syscalls::{aarch64, arm, x86, x86_64};

/// A family of ways into one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    X86_64,
    Aarch64,
}

impl Machine {
    pub const fn here() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Aarch64
        } else {
            Self::X86_64
        }
    }

    /// The names that Docker's profiles have for it, as in `includes.arches`.
    pub fn docker_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Its own way in first.
    pub fn entries(self) -> Vec<Entry> {
        match self {
            Self::X86_64 => vec![x86_64_entry(), x32_entry(), x86_entry()],
            Self::Aarch64 => vec![aarch64_entry(), arm_entry()],
        }
    }
}

/// One way into the kernel, with numbers of its own.
pub struct Entry {
    /// As in profiles: `SCMP_ARCH_…`.
    pub name: &'static str,
    /// `AUDIT_ARCH_…`, by which a filter tells it. x32 has that of x86-64, and numbers that begin at `first`.
    pub audit: u32,
    pub first: u32,
    /// Whether arguments have 64 bits.
    pub wide: bool,
    /// Ascending; without `first`.
    pub calls: Vec<(u32, &'static str)>,
    /// Calls that can also be made through another one (`socketcall`, `ipc`), whose first argument says which.
    pub multiplexed: &'static [(&'static str, &'static [(&'static str, u64)])],
}

const X86_64_AUDIT: u32 = 0xC000_003E;
pub const X32_FIRST: u32 = 0x4000_0000;

fn entry(name: &'static str, audit: u32, wide: bool, calls: impl Iterator<Item = (u32, &'static str)>) -> Entry {
    // One of them is a word of Rust's: `r#break`.
    let mut calls: Vec<_> = calls
        .map(|(number, name)| (number, name.trim_start_matches("r#")))
        .collect();
    calls.sort_unstable();
    Entry {
        name,
        audit,
        first: 0,
        wide,
        calls,
        multiplexed: &[],
    }
}

fn x86_64_entry() -> Entry {
    let calls = x86_64::Sysno::iter().map(|call| (call as u32, call.name()));
    entry("SCMP_ARCH_X86_64", X86_64_AUDIT, true, calls)
}

/// Those of x86-64, but for what takes structures with pointers: these have numbers from 512 on.
fn x32_entry() -> Entry {
    let common = x86_64::Sysno::iter()
        .map(|call| (call as u32, call.name()))
        .filter(|(_, name)| !X32_OWN.contains(name) && !X32_LACKS.contains(name));
    let own = (512..).zip(X32_OWN);
    Entry {
        first: X32_FIRST,
        ..entry("SCMP_ARCH_X32", X86_64_AUDIT, false, common.chain(own))
    }
}

fn x86_entry() -> Entry {
    let calls = x86::Sysno::iter().map(|call| (call as u32, call.name()));
    Entry {
        multiplexed: &[("socketcall", SOCKET_CALLS), ("ipc", IPC_CALLS)],
        ..entry("SCMP_ARCH_X86", 0x4000_0003, false, calls)
    }
}

fn aarch64_entry() -> Entry {
    let calls = aarch64::Sysno::iter()
        .map(|call| (call as u32, call.name()))
        // Calls with times of 64 bits are for machines of 32 bits.
        .filter(|(number, _)| !(403..=423).contains(number))
        .map(|(number, name)| (number, if name == "fstatat" { "newfstatat" } else { name }));
    entry("SCMP_ARCH_AARCH64", 0xC000_00B7, true, calls)
}

fn arm_entry() -> Entry {
    let calls = arm::Sysno::iter().map(|call| (call as u32, call.name()));
    entry("SCMP_ARCH_ARM", 0x4000_0028, false, calls.chain(ARM_PRIVATE))
}

/// From 512 on, in this order. Source: the kernel's arch/x86/entry/syscalls/syscall_64.tbl.
const X32_OWN: [&str; 36] = [
    "rt_sigaction",
    "rt_sigreturn",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "execve",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
    "execveat",
    "preadv2",
    "pwritev2",
];

/// Marked `64` in that table.
const X32_LACKS: [&str; 14] = [
    "_sysctl",
    "create_module",
    "epoll_ctl_old",
    "epoll_wait_old",
    "get_kernel_syms",
    "get_thread_area",
    "map_shadow_stack",
    "nfsservctl",
    "query_module",
    "set_thread_area",
    "uprobe",
    "uretprobe",
    "uselib",
    "vserver",
];

/// Source: the kernel's arch/arm/include/uapi/asm/unistd.h.
const ARM_PRIVATE: [(u32, &str); 6] = [
    (0xF_0001, "breakpoint"),
    (0xF_0002, "cacheflush"),
    (0xF_0003, "usr26"),
    (0xF_0004, "usr32"),
    (0xF_0005, "set_tls"),
    (0xF_0006, "get_tls"),
];

/// Source: the kernel's include/uapi/linux/net.h.
const SOCKET_CALLS: &[(&str, u64)] = &[
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// Source: the kernel's include/uapi/linux/ipc.h.
const IPC_CALLS: &[(&str, u64)] = &[
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];
