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
}

use Call::{Get, GetAll, Set, SetFile};
use Which::{Effective, Real};
use Whose::{Group, User};

/// By their names on all architectures; those with 16-bit ids (32-bit architectures have them besides) are nobody's any more.
const CALLS: [(&str, Call); 28] = [
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
            let has_wide = narrow && wide.is_none() && !matches!(name, "fchownat" | "mknod" | "mknodat" | "statx");
            if let Some((_, call)) = plain.filter(|_| !has_wide) {
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
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const ALLOW: u32 = 0x7FFF_0000;
const NOTIFY: u32 = 0x7FC0_0000;
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// Everything else is as the container's own filter has it: of two filters the stricter answer counts.
pub fn filter(table: &Table) -> Vec<Instruction> {
    let instruction = |code, jt, jf, k| Instruction { code, jt, jf, k };
    let mut program = vec![instruction(LOAD, 0, 0, ARCHITECTURE)];
    for architecture in [X86_64, I386, AARCH64, ARM] {
        let mut numbers: Vec<u32> = table
            .keys()
            .filter(|key| key.0 == architecture)
            .map(|key| key.1)
            .collect();
        numbers.sort_unstable();
        if numbers.is_empty() {
            continue;
        }
        let length = 2 * numbers.len() as u32 + 2;
        program.push(instruction(JUMP_EQUAL, 1, 0, architecture));
        program.push(instruction(JUMP, 0, 0, length));
        program.push(instruction(LOAD, 0, 0, NUMBER));
        for number in numbers {
            program.push(instruction(JUMP_EQUAL, 0, 1, number));
            program.push(instruction(RETURN, 0, 0, NOTIFY));
        }
        program.push(instruction(RETURN, 0, 0, ALLOW));
    }
    program.push(instruction(RETURN, 0, 0, ALLOW));
    program
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
        ] {
            assert_eq!(table.get(&(architecture, number)).copied(), want, "{name}");
        }
    }
}
