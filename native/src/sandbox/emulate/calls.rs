//! The system calls that are emulated.

use std::collections::HashMap;

use super::super::seccomp::{Machine, When};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    User,
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Real,
    Effective,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Chown {
        follow: bool,
    },
    DescriptorChown,
    ChownAt,
    Node,
    NodeAt,
    Stat {
        follow: bool,
    },
    DescriptorStat,
    StatAt,
    ExtendedStat,
    /// One id, two, or three.
    Set(Whose, usize),
    /// For files alone: answered with the effective one, and nothing changes.
    SetFile(Whose),
    Get(Whose, Which),
    GetAll(Whose),
    GetGroups,
    SetGroups,
    Open,
    OpenAt,
    Create,
    Directory,
    DirectoryAt,
    Symlink,
    SymlinkAt,
    GetCapabilities,
    SetCapabilities,
    /// Only what has to do with capabilities.
    Control,
    GetLimit,
    SetLimit,
    /// Of any process, both at once.
    Limit,
    SocketOption,
}

/// A limit that no kernel since 2.4 looks at. Here it says whose credentials a process has (known.rs), so that programs see and set another.
pub const RLIMIT_LOCKS: u32 = 10;

pub const PR_SET_KEEPCAPS: u32 = 8;
pub const PR_SET_SECUREBITS: u32 = 28;
pub const PR_CAP_AMBIENT: u32 = 47;

/// Flags of open with which it makes a file: O_CREAT, and the bit that O_TMPFILE has for itself.
const MAKES: u32 = libc::O_CREAT as u32 | (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

impl Call {
    /// Which of them are handed over.
    pub fn when(self) -> When {
        match self {
            Self::Control => When::Is(0, &[PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT]),
            Self::Open => When::Has(1, MAKES),
            Self::OpenAt => When::Has(2, MAKES),
            Self::GetLimit | Self::SetLimit => When::Is(0, &[RLIMIT_LOCKS]),
            Self::Limit => When::Is(1, &[RLIMIT_LOCKS]),
            Self::SocketOption => When::Is(2, &[libc::SO_PEERCRED as u32]),
            _ => When::Always,
        }
    }

    /// On 32-bit architectures the plain name of these has ids of 16 bits, or another structure.
    fn has_narrow_form(self) -> bool {
        matches!(
            self,
            Self::Chown { .. }
                | Self::DescriptorChown
                | Self::Stat { .. }
                | Self::DescriptorStat
                | Set(..)
                | SetFile(_)
                | Get(..)
                | GetAll(_)
                | Self::GetGroups
                | Self::SetGroups
        )
    }
}

use Call::{Get, GetAll, Set, SetFile};
use Which::{Effective, Real};
use Whose::{Group, User};

/// By their names on all architectures; those with 16-bit ids (32-bit architectures have them besides) are nobody's any more.
const CALLS: [(&str, Call); 42] = [
    ("chown", Call::Chown { follow: true }),
    ("lchown", Call::Chown { follow: false }),
    ("fchown", Call::DescriptorChown),
    ("fchownat", Call::ChownAt),
    ("stat", Call::Stat { follow: true }),
    ("lstat", Call::Stat { follow: false }),
    ("fstat", Call::DescriptorStat),
    ("newfstatat", Call::StatAt),
    ("statx", Call::ExtendedStat),
    ("mknod", Call::Node),
    ("mknodat", Call::NodeAt),
    ("open", Call::Open),
    ("openat", Call::OpenAt),
    ("creat", Call::Create),
    ("mkdir", Call::Directory),
    ("mkdirat", Call::DirectoryAt),
    ("symlink", Call::Symlink),
    ("symlinkat", Call::SymlinkAt),
    ("setuid", Set(User, 1)),
    ("setreuid", Set(User, 2)),
    ("setresuid", Set(User, 3)),
    ("setgid", Set(Group, 1)),
    ("setregid", Set(Group, 2)),
    ("setresgid", Set(Group, 3)),
    ("setfsuid", SetFile(User)),
    ("setfsgid", SetFile(Group)),
    ("getuid", Get(User, Real)),
    ("geteuid", Get(User, Effective)),
    ("getgid", Get(Group, Real)),
    ("getegid", Get(Group, Effective)),
    ("getresuid", GetAll(User)),
    ("getresgid", GetAll(Group)),
    ("getgroups", Call::GetGroups),
    ("setgroups", Call::SetGroups),
    ("capget", Call::GetCapabilities),
    ("capset", Call::SetCapabilities),
    ("prctl", Call::Control),
    ("getrlimit", Call::GetLimit),
    // i386's.
    ("ugetrlimit", Call::GetLimit),
    ("setrlimit", Call::SetLimit),
    ("prlimit64", Call::Limit),
    ("getsockopt", Call::SocketOption),
];

/// Calls by architecture (`AUDIT_ARCH_…`) and number.
pub type Table = HashMap<(u32, u32), Call>;

pub fn table() -> Table {
    let mut table = Table::new();
    // x32's calls have other structures.
    for entry in Machine::here().entries().iter().filter(|entry| entry.first == 0) {
        for (number, name) in &entry.calls {
            // Those whose ids have 16 bits go by the plain name.
            let wide = name.strip_suffix("32").filter(|_| !entry.wide);
            let plain = CALLS.iter().find(|(each, _)| *each == wide.unwrap_or(name));
            let is_narrow = |call: Call| !entry.wide && wide.is_none() && call.has_narrow_form();
            if let Some((_, call)) = plain.filter(|(_, call)| !is_narrow(*call)) {
                table.insert((entry.audit, *number), *call);
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::super::notify::{I386, X86_64};
    use super::*;

    /// Numbers from the kernel's syscall tables.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn calls_are_found_by_number() {
        let table = table();
        for (name, architecture, number, want) in [
            ("chown", X86_64, 92, Some(Call::Chown { follow: true })),
            ("lchown", X86_64, 94, Some(Call::Chown { follow: false })),
            ("fchownat", X86_64, 260, Some(Call::ChownAt)),
            ("setresuid", X86_64, 117, Some(Set(User, 3))),
            ("getegid", X86_64, 108, Some(Get(Group, Effective))),
            ("getgroups", X86_64, 115, Some(Call::GetGroups)),
            ("read", X86_64, 0, None),
            ("setuid with 16 bits", I386, 23, None),
            ("setuid32", I386, 213, Some(Set(User, 1))),
            ("chown32", I386, 212, Some(Call::Chown { follow: true })),
            ("getuid32", I386, 199, Some(Get(User, Real))),
            ("setgroups32", I386, 206, Some(Call::SetGroups)),
            ("mknod", I386, 14, Some(Call::Node)),
            ("prlimit64", X86_64, 302, Some(Call::Limit)),
            ("prlimit64", I386, 340, Some(Call::Limit)),
            ("openat", X86_64, 257, Some(Call::OpenAt)),
            ("open", I386, 5, Some(Call::Open)),
            ("mkdir", X86_64, 83, Some(Call::Directory)),
            ("prctl", X86_64, 157, Some(Call::Control)),
            ("capset", I386, 185, Some(Call::SetCapabilities)),
            ("getsockopt", X86_64, 55, Some(Call::SocketOption)),
            ("getsockopt", I386, 365, Some(Call::SocketOption)),
            ("stat of 32 bits", I386, 106, None),
        ] {
            assert_eq!(table.get(&(architecture, number)).copied(), want, "{name}");
        }
    }
}
