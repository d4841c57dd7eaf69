//! From decisions to a BPF program: the architecture is switched on, then a binary search over ranges of numbers with one decision.

use crate::syscalls::Instruction;

use super::action::{Action, Condition, Decision, Operator, Rule};

// Offsets in `struct seccomp_data`, little-endian: the lower half of an argument comes first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_ABOVE: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const JUMP_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// As far as a jump with a condition reaches.
const FAR: usize = u8::MAX as usize;

/// The decisions for one architecture that the kernel may report.
pub struct Part {
    /// `AUDIT_ARCH_…`.
    pub audit: u32,
    pub decisions: Vec<(u32, Decision)>,
    /// For numbers without a decision of their own: from which number on it is what. The first is 0.
    pub gaps: Vec<(u32, Decision)>,
}

/// The program for these architectures; any other is killed, as no decision of ours would fit its numbers.
pub fn program(parts: &[Part]) -> Vec<Instruction> {
    program_else(parts, Action::KillThread)
}

/// `otherwise`: what becomes of any other architecture.
pub fn program_else(parts: &[Part], otherwise: Action) -> Vec<Instruction> {
    let mut program = vec![instruction(LOAD, 0, 0, ARCHITECTURE)];
    for part in parts {
        let body = search(&ranges(part));
        if body.len() < FAR {
            program.push(instruction(JUMP_EQUAL, 0, body.len() as u8 + 1, part.audit));
        } else {
            program.push(instruction(JUMP_EQUAL, 1, 0, part.audit));
            program.push(instruction(JUMP, 0, 0, body.len() as u32 + 1));
        }
        program.push(instruction(LOAD, 0, 0, NUMBER));
        program.extend(body);
    }
    program.push(give(otherwise));
    program
}

/// First number of each range, and its decision.
fn ranges(part: &Part) -> Vec<(u32, &Decision)> {
    let mut decisions: Vec<_> = part
        .decisions
        .iter()
        .map(|(number, decision)| (*number, decision))
        .collect();
    decisions.sort_by_key(|(number, _)| *number);
    let mut starts: Vec<u32> = part.gaps.iter().map(|(first, _)| *first).collect();
    starts.extend(
        decisions
            .iter()
            .flat_map(|(number, _)| [Some(*number), number.checked_add(1)])
            .flatten(),
    );
    starts.sort_unstable();
    starts.dedup();
    let mut ranges: Vec<(u32, &Decision)> = Vec::new();
    for start in starts {
        let decision = match decisions.binary_search_by_key(&start, |(number, _)| *number) {
            Ok(place) => decisions[place].1,
            Err(_) => &part.gaps[part.gaps.partition_point(|(first, _)| *first <= start) - 1].1,
        };
        if ranges.last().is_none_or(|(_, last)| *last != decision) {
            ranges.push((start, decision));
        }
    }
    ranges
}

fn search(ranges: &[(u32, &Decision)]) -> Vec<Instruction> {
    if let [(_, decision)] = ranges {
        return leaf(decision);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let (below, above) = (search(low), search(high));
    let mut out = if below.len() <= FAR {
        vec![instruction(JUMP_AT_LEAST, below.len() as u8, 0, high[0].0)]
    } else {
        vec![
            instruction(JUMP_AT_LEAST, 0, 1, high[0].0),
            instruction(JUMP, 0, 0, below.len() as u32),
        ]
    };
    out.extend(below);
    out.extend(above);
    out
}

fn leaf(decision: &Decision) -> Vec<Instruction> {
    let mut out: Vec<_> = decision.rules.iter().flat_map(rule).collect();
    out.push(give(decision.otherwise));
    out
}

/// Where a comparison goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Next,
    /// This condition holds.
    Holds,
    /// The rule does not fit.
    Fails,
}

struct Step {
    code: u16,
    value: u32,
    yes: To,
    no: To,
}

/// Falls through to what follows where the rule does not fit.
fn rule(rule: &Rule) -> Vec<Instruction> {
    let conditions: Vec<_> = rule.conditions.iter().map(steps).collect();
    // Past the answer, counted from the rule's first instruction. At most six conditions of eight instructions: every jump reaches.
    let end = conditions.iter().map(Vec::len).sum::<usize>() + 1;
    let mut out = Vec::with_capacity(end);
    for steps in conditions {
        let holds = out.len() + steps.len();
        for step in steps {
            let next = out.len() + 1;
            let distance = |to: To| match to {
                To::Next => 0,
                To::Holds => (holds - next) as u8,
                To::Fails => (end - next) as u8,
            };
            out.push(instruction(
                step.code,
                distance(step.yes),
                distance(step.no),
                step.value,
            ));
        }
    }
    out.push(give(rule.action));
    out
}

fn steps(condition: &Condition) -> Vec<Step> {
    let step = |code, value, yes, no| Step { code, value, yes, no };
    let (holds, fails) = if condition.negated {
        (To::Fails, To::Holds)
    } else {
        (To::Holds, To::Fails)
    };
    let halves = |number: u64| [number as u32, (number >> 32) as u32];
    let ([low_mask, high_mask], [low, high]) = (halves(condition.mask), halves(condition.value));
    let load = |half: u32, mask: u32| {
        let place = ARGUMENTS + 8 * u32::from(condition.argument) + 4 * half;
        let mut out = vec![step(LOAD, place, To::Next, To::Next)];
        if mask != u32::MAX {
            out.push(step(AND, mask, To::Next, To::Next));
        }
        out
    };
    let mut out = Vec::new();
    // What is masked away is 0, as it is in the value.
    if high_mask != 0 {
        out.extend(load(1, high_mask));
        if condition.operator != Operator::Equal {
            out.push(step(JUMP_ABOVE, high, holds, To::Next));
        }
        out.push(step(JUMP_EQUAL, high, To::Next, fails));
    }
    out.extend(load(0, low_mask));
    let code = match condition.operator {
        Operator::Equal => JUMP_EQUAL,
        Operator::AtLeast => JUMP_AT_LEAST,
        Operator::Above => JUMP_ABOVE,
    };
    out.push(step(code, low, holds, fails));
    out
}

fn give(action: Action) -> Instruction {
    instruction(RETURN, 0, 0, action.value())
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}
