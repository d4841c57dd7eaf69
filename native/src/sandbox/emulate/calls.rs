//! The system calls that are emulated, and the filter that hands them over.

use std::collections::HashMap;

use syscalls::{aarch64, arm, x86, x86_64};

use crate::syscalls::Instruction;

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
}

/// Which calls of a number are handed over: by the lower half of an argument, all that a filter can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// The argument of this place is one of these.
    Is(usize, &'static [u32]),
    /// It has one of these bits.
    Has(usize, u32),
}

/// A limit that no kernel since 2.4 looks at. Here it says whose credentials a process has (known.rs), so that programs see and set another.
pub const RLIMIT_LOCKS: u32 = 10;

pub const PR_SET_KEEPCAPS: u32 = 8;
pub const PR_SET_SECUREBITS: u32 = 28;
pub const PR_CAP_AMBIENT: u32 = 47;

/// Flags of open with which it makes a file: O_CREAT, and the bit that O_TMPFILE has for itself.
const MAKES: u32 = libc::O_CREAT as u32 | (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

impl Call {
    fn when(self) -> When {
        match self {
            Self::Control => When::Is(0, &[PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT]),
            Self::Open => When::Has(1, MAKES),
            Self::OpenAt => When::Has(2, MAKES),
            Self::GetLimit | Self::SetLimit => When::Is(0, &[RLIMIT_LOCKS]),
            Self::Limit => When::Is(1, &[RLIMIT_LOCKS]),
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
    // arm64's name of the same.
    ("fstatat", Call::StatAt),
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
];

/// Calls by architecture (`AUDIT_ARCH_…`) and number.
pub type Table = HashMap<(u32, u32), Call>;

const X86_64: u32 = 0xC000_003E;
const I386: u32 = 0x4000_0003;
const AARCH64: u32 = 0xC000_00B7;
const ARM: u32 = 0x4000_0028;

pub fn table() -> Table {
    let mut table = Table::new();
    let mut add = |architecture: u32, names: &mut dyn Iterator<Item = (u32, &'static str)>| {
        // Those whose ids have 16 bits go by the plain name.
        let narrow = matches!(architecture, I386 | ARM);
        for (number, name) in names {
            let wide = name.strip_suffix("32").filter(|_| narrow);
            let plain = CALLS.iter().find(|(each, _)| *each == wide.unwrap_or(name));
            let is_narrow = |call: Call| narrow && wide.is_none() && call.has_narrow_form();
            if let Some((_, call)) = plain.filter(|(_, call)| !is_narrow(*call)) {
                table.insert((architecture, number), *call);
            }
        }
    };
    if cfg!(target_arch = "aarch64") {
        add(
            AARCH64,
            &mut aarch64::Sysno::iter().map(|call| (call as u32, call.name())),
        );
        add(ARM, &mut arm::Sysno::iter().map(|call| (call as u32, call.name())));
    } else {
        add(
            X86_64,
            &mut x86_64::Sysno::iter().map(|call| (call as u32, call.name())),
        );
        add(I386, &mut x86::Sysno::iter().map(|call| (call as u32, call.name())));
    }
    table
}

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_SET: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const ALLOW: u32 = 0x7FFF_0000;
const NOTIFY: u32 = 0x7FC0_0000;
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// The lower half of an argument in `struct seccomp_data`: both architectures that we run on are little-endian.
fn argument(place: usize) -> u32 {
    16 + 8 * place as u32
}

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// Everything else is as the container's own filter has it: of two filters the stricter answer counts.
pub fn filter(table: &Table) -> Vec<Instruction> {
    let mut program = vec![instruction(LOAD, 0, 0, ARCHITECTURE)];
    for architecture in [X86_64, I386, AARCH64, ARM] {
        let mut calls: Vec<(u32, Call)> = table
            .iter()
            .filter(|(key, _)| key.0 == architecture)
            .map(|(key, call)| (key.1, *call))
            .collect();
        calls.sort_unstable_by_key(|(number, _)| *number);
        if calls.is_empty() {
            continue;
        }
        let mut part = vec![instruction(LOAD, 0, 0, NUMBER)];
        for (number, call) in calls {
            let answer = judge(call.when());
            part.push(instruction(JUMP_EQUAL, 0, answer.len() as u8, number));
            part.extend(answer);
        }
        part.push(instruction(RETURN, 0, 0, ALLOW));
        program.push(instruction(JUMP_EQUAL, 1, 0, architecture));
        program.push(instruction(JUMP, 0, 0, part.len() as u32));
        program.extend(part);
    }
    program.push(instruction(RETURN, 0, 0, ALLOW));
    program
}

/// Of a call whose number was found.
fn judge(when: When) -> Vec<Instruction> {
    let notify = instruction(RETURN, 0, 0, NOTIFY);
    match when {
        When::Always => vec![notify],
        When::Is(place, values) => {
            let mut steps = vec![instruction(LOAD, 0, 0, argument(place))];
            for value in values {
                steps.extend([instruction(JUMP_EQUAL, 0, 1, *value), notify]);
            }
            steps.push(instruction(RETURN, 0, 0, ALLOW));
            steps
        }
        When::Has(place, bits) => vec![
            instruction(LOAD, 0, 0, argument(place)),
            instruction(JUMP_SET, 0, 1, bits),
            notify,
            instruction(RETURN, 0, 0, ALLOW),
        ],
    }
}

#[cfg(test)]
mod tests {
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
            ("stat of 32 bits", I386, 106, None),
        ] {
            assert_eq!(table.get(&(architecture, number)).copied(), want, "{name}");
        }
    }
}
