//! From decisions to a BPF program: the architecture is switched on, then a binary search over ranges of numbers with one decision.

use crate::syscalls::Instruction;

use super::policy::{Architecture, Decision};

// Offsets in `struct seccomp_data`; the low half of the first argument (little-endian) holds all that is compared.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_NOT_BELOW: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_BITS: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

const ALLOW: u32 = 0x7FFF_0000;
const KILL: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const EPERM: u32 = ERRNO | 1;
const ENOSYS: u32 = ERRNO | 38;

/// The program for these architectures; any other is killed, as no decision of ours would fit its numbers.
pub fn program(architectures: &[Architecture]) -> Vec<Instruction> {
    let mut program = vec![instruction(LOAD, 0, 0, ARCHITECTURE)];
    for architecture in architectures {
        let body = search(&ranges(&architecture.decisions));
        program.push(instruction(JUMP_EQUAL, 1, 0, architecture.audit));
        program.push(instruction(JUMP, 0, 0, body.len() as u32 + 1));
        program.push(instruction(LOAD, 0, 0, NUMBER));
        program.extend(body);
    }
    program.push(give(KILL));
    program
}

/// First number of each range, and its decision. Gaps and all numbers after the last (x32's among them) do not exist.
fn ranges(decisions: &[(u32, Decision)]) -> Vec<(u32, Decision)> {
    let mut ranges = vec![(0, Decision::Missing)];
    let mut next = 0;
    let mut put = |first: u32, decision: Decision| match ranges.last_mut() {
        Some((last, old)) if *last == first => *old = decision,
        Some((_, old)) if *old == decision => {}
        _ => ranges.push((first, decision)),
    };
    for &(number, decision) in decisions {
        if number > next {
            put(next, Decision::Missing);
        }
        put(number, decision);
        next = number + 1;
    }
    put(next, Decision::Missing);
    ranges
}

/// Jumps of a condition reach 255 instructions only, so the far side is reached by a jump without one.
fn search(ranges: &[(u32, Decision)]) -> Vec<Instruction> {
    if let [(_, decision)] = ranges {
        return leaf(*decision);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let (below, above) = (search(low), search(high));
    let mut out = vec![
        instruction(JUMP_NOT_BELOW, 0, 1, high[0].0),
        instruction(JUMP, 0, 0, below.len() as u32),
    ];
    out.extend(below);
    out.extend(above);
    out
}

fn leaf(decision: Decision) -> Vec<Instruction> {
    let argument = instruction(LOAD, 0, 0, FIRST_ARGUMENT);
    match decision {
        Decision::Allow => vec![give(ALLOW)],
        Decision::Deny => vec![give(EPERM)],
        Decision::Missing => vec![give(ENOSYS)],
        Decision::WithoutBits(bits) => vec![argument, instruction(JUMP_BITS, 0, 1, bits), give(EPERM), give(ALLOW)],
        Decision::Not(value) => vec![argument, instruction(JUMP_EQUAL, 0, 1, value), give(EPERM), give(ALLOW)],
        Decision::OneOf(values) => {
            let mut out = vec![argument];
            for (place, value) in values.iter().enumerate() {
                // Over the remaining comparisons and the refusal.
                out.push(instruction(JUMP_EQUAL, (values.len() - place) as u8, 0, *value));
            }
            out.extend([give(EPERM), give(ALLOW)]);
            out
        }
    }
}

fn give(action: u32) -> Instruction {
    instruction(RETURN, 0, 0, action)
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::seccomp::default_filter;

    const X86_64: u32 = 0xC000_003E;
    const I386: u32 = 0x4000_0003;

    /// Runs a program as the kernel would: the instructions that we emit, on the words of `struct seccomp_data`.
    fn run(program: &[Instruction], architecture: u32, number: u32, argument: u64) -> u32 {
        let load = |offset| match offset {
            0 => number,
            4 => architecture,
            16 => argument as u32,
            20 => (argument >> 32) as u32,
            other => panic!("load of {other}"),
        };
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let holds = match code {
                0x20 => {
                    accumulator = load(k);
                    continue;
                }
                0x05 => {
                    at += k as usize;
                    continue;
                }
                0x06 => return k,
                0x15 => accumulator == k,
                0x35 => accumulator >= k,
                0x45 => accumulator & k != 0,
                other => panic!("instruction {other:#x}"),
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn decisions_by_number() {
        let program = default_filter();
        assert!(program.len() < 4096, "BPF_MAXINSNS");
        // Numbers from the kernel's syscall tables.
        for (name, architecture, number, argument, want) in [
            ("read", X86_64, 0, 0, ALLOW),
            ("ptrace", X86_64, 101, 0, ALLOW),
            ("chroot", X86_64, 161, 0, ALLOW),
            ("mount", X86_64, 165, 0, EPERM),
            ("unshare", X86_64, 272, 0, EPERM),
            ("keyctl", X86_64, 250, 0, EPERM),
            ("bpf", X86_64, 321, 0, EPERM),
            ("io_uring_setup", X86_64, 425, 0, EPERM),
            ("open_by_handle_at", X86_64, 304, 0, EPERM),
            ("clone of a thread", X86_64, 56, 0x3D_0F00, ALLOW),
            ("clone with NEWUSER", X86_64, 56, 0x1000_0011, EPERM),
            ("clone with NEWNS", X86_64, 56, 0x2_0011, EPERM),
            ("clone3", X86_64, 435, 0, ENOSYS),
            ("personality of Linux", X86_64, 135, 0, ALLOW),
            ("personality query", X86_64, 135, 0xFFFF_FFFF, ALLOW),
            ("personality without ASLR", X86_64, 135, 0x4_0000, EPERM),
            ("socket AF_INET", X86_64, 41, 2, ALLOW),
            ("socket AF_VSOCK", X86_64, 41, 40, EPERM),
            ("a number of the future", X86_64, 5000, 0, ENOSYS),
            ("a gap", X86_64, 400, 0, ENOSYS),
            ("x32 mount", X86_64, 0x4000_0000 + 165, 0, ENOSYS),
            ("i386 read", I386, 3, 0, ALLOW),
            ("i386 mount", I386, 21, 0, EPERM),
            ("i386 umount", I386, 22, 0, EPERM),
            ("i386 clone with NEWNET", I386, 120, 0x4000_0000, EPERM),
            ("i386 clone3", I386, 435, 0, ENOSYS),
            ("an architecture that is not here", 0xC000_00B7, 0, 0, KILL),
        ] {
            assert_eq!(run(&program, architecture, number, argument), want, "{name}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn every_number_gets_its_decision() {
        let program = default_filter();
        for call in syscalls::x86_64::Sysno::iter() {
            let want = match super::super::policy::decide(call.name()) {
                Decision::Deny => EPERM,
                Decision::Missing => ENOSYS,
                _ => ALLOW,
            };
            assert_eq!(run(&program, X86_64, call as u32, 0), want, "{}", call.name());
        }
    }
}
