//! The filter that asks the supervisor: a few numbers of each architecture; everything else passes.

use crate::syscalls::Instruction;

use super::Trap;

// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Short, as every call of the container passes it: each architecture is a comparison, and then its own numbers.
pub fn program(traps: &[Trap]) -> Vec<Instruction> {
    let mut architectures: Vec<u32> = traps.iter().map(|(architecture, _)| *architecture).collect();
    architectures.sort_unstable();
    architectures.dedup();
    let mut program = vec![instruction(LOAD, 0, 0, ARCHITECTURE)];
    for architecture in architectures {
        let numbers = traps.iter().filter(|trap| trap.0 == architecture).map(|trap| trap.1);
        let body = body(&numbers.collect::<Vec<_>>());
        program.push(instruction(JUMP_EQUAL, 0, body.len() as u8, architecture));
        program.extend(body);
    }
    program.push(instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    program
}

/// x32's numbers have a bit set that none of ours has: they pass, to be refused by the filter that keeps the container in.
fn body(numbers: &[u32]) -> Vec<Instruction> {
    let mut body = vec![instruction(LOAD, 0, 0, NUMBER)];
    for (place, number) in numbers.iter().enumerate() {
        // Over the remaining comparisons and the pass.
        body.push(instruction(JUMP_EQUAL, (numbers.len() - place) as u8, 0, *number));
    }
    body.push(instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    body.push(instruction(RETURN, 0, 0, libc::SECCOMP_RET_USER_NOTIF));
    body
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::super::{AARCH64, I386, X86_64};
    use super::*;

    /// Runs a program as the kernel would.
    fn run(program: &[Instruction], architecture: u32, number: u32) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            match code {
                LOAD if k == NUMBER => accumulator = number,
                LOAD => accumulator = architecture,
                RETURN => return k,
                _ => at += usize::from(if accumulator == k { jt } else { jf }),
            }
        }
    }

    #[test]
    fn only_the_named_calls_are_asked_about() {
        let program = program(&[(X86_64, 133), (X86_64, 259), (I386, 14)]);
        let (ask, pass) = (libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_ALLOW);
        for (architecture, number, want) in [
            (X86_64, 133, ask),
            (X86_64, 259, ask),
            (X86_64, 0, pass),
            (X86_64, 14, pass),
            (X86_64, 134, pass),
            (X86_64, 0x4000_0000 + 133, pass),
            (I386, 14, ask),
            (I386, 133, pass),
            (AARCH64, 133, pass),
        ] {
            assert_eq!(run(&program, architecture, number), want, "{architecture:#x} {number}");
        }
    }
}
