//! Profiles in Docker's format (`--security-opt seccomp=FILE`), compiled to a filter. They mean what they mean to Docker with runc and libseccomp,
//! down to what those leave out: names that nobody knows, rules that say no more than the default. Source: moby/profiles, seccomp; runc,
//! libcontainer/seccomp; libseccomp, src/db.c.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::syscalls::Instruction;

use super::action::{Action, Condition, Decision, Rule};
use super::architecture::{Entry, Machine, X32_FIRST};
use super::document::{self, Document};
use super::emit::{self, Part};

/// More than the kernel could take: a program has 4096 instructions at most.
const MOST_RULES_OF_A_CALL: usize = 1000;
const MOST_INSTRUCTIONS: usize = 4096;

/// A filter, as the kernel takes it.
#[derive(Debug)]
pub struct Compiled {
    pub program: Vec<Instruction>,
    /// `SECCOMP_FILTER_FLAG_…`.
    pub flags: u32,
}

/// Where a profile applies: its conditions ask for these.
pub struct Place<'a> {
    pub machine: Machine,
    /// The container's bounding set, in the kernel's bits.
    pub capabilities: u64,
    /// As uname gives it.
    pub release: &'a str,
}

pub fn compile(text: &str, place: &Place<'_>) -> Result<Compiled, Error> {
    let document = document::read(text, place)?;
    let mut rules: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for (name, rule) in &document.rules {
        let of_call = rules.entry(name).or_default();
        of_call.push(rule);
        if of_call.len() > MOST_RULES_OF_A_CALL {
            return Err(document::invalid(format!(
                "has more than {MOST_RULES_OF_A_CALL} rules for \"{name}\""
            )));
        }
    }
    let program = emit::program(&parts(&document, &rules, place.machine));
    if program.len() > MOST_INSTRUCTIONS {
        let length = program.len();
        return Err(document::invalid(format!(
            "makes a filter of {length} instructions, and the kernel takes {MOST_INSTRUCTIONS}"
        )));
    }
    Ok(Compiled {
        program,
        flags: document.flags,
    })
}

type Rules<'a> = BTreeMap<&'a str, Vec<&'a Rule>>;

fn parts(document: &Document, rules: &Rules<'_>, machine: Machine) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for entry in machine.entries() {
        let enabled = parts.is_empty() || document.architectures.contains(entry.name);
        if !enabled && entry.first != X32_FIRST {
            continue;
        }
        let (decisions, gaps) = if enabled {
            (decisions(&entry, document, rules), gaps(&entry, document, rules))
        } else {
            (Vec::new(), vec![(entry.first, Action::KillThread.into())])
        };
        match parts.iter_mut().find(|part| part.audit == entry.audit) {
            Some(part) => {
                part.decisions.extend(decisions);
                part.gaps.extend(gaps);
            }
            None => parts.push(Part {
                audit: entry.audit,
                decisions,
                gaps,
            }),
        }
    }
    parts
}

fn decisions(entry: &Entry, document: &Document, rules: &Rules<'_>) -> Vec<(u32, Decision)> {
    let of_call = |name: &str| -> Option<Decision> {
        let own = rules.get(name).into_iter().flatten().map(|rule| (*rule).clone());
        let all: Vec<Rule> = own.chain(multiplexed(entry, name, rules)).collect();
        (!all.is_empty()).then(|| combine(all, document.default))
    };
    let narrow = |decision: Decision| if entry.wide { decision } else { decision.narrow() };
    let decided = entry
        .calls
        .iter()
        .map(|(number, name)| (entry.first + number, of_call(name)));
    decided
        .filter_map(|(number, decision)| Some((number, narrow(decision?))))
        .collect()
}

/// What is decided of a call holds too where it is made through another one. Only its number can be seen there, not its arguments.
fn multiplexed<'a>(entry: &Entry, through: &str, rules: &'a Rules<'_>) -> impl Iterator<Item = Rule> + use<'a> {
    let calls = entry.multiplexed.iter().find(|(name, _)| *name == through);
    let calls = calls.map_or(&[][..], |(_, calls)| *calls).iter();
    calls.flat_map(|(name, number)| {
        rules.get(name).into_iter().flatten().map(|rule| Rule {
            conditions: vec![Condition::equal(0, *number)],
            action: rule.action,
        })
    })
}

/// A rule without conditions counts before all that have some, wherever it stands.
fn combine(rules: Vec<Rule>, default: Action) -> Decision {
    match rules.iter().find(|rule| rule.conditions.is_empty()) {
        Some(always) => always.action.into(),
        None => Decision {
            rules,
            otherwise: default,
        },
    }
}

/// Numbers that the profile says nothing of: its default; but newer calls than the newest that it names are not there (ENOSYS), so that
/// programs take older ones. Source: runc, `patchbpf`.
fn gaps(entry: &Entry, document: &Document, rules: &Rules<'_>) -> Vec<(u32, Decision)> {
    let mut gaps = vec![(entry.first, document.default.into())];
    let permissive = matches!(document.default, Action::Allow | Action::Log | Action::Trace(_));
    let named = |name: &str| rules.contains_key(name) || document.redundant.contains(name);
    let last = entry.calls.iter().rev().find(|(_, name)| named(name));
    if let (Some((last, _)), false) = (last, permissive) {
        gaps.push((entry.first + last + 1, Action::MISSING.into()));
    }
    gaps
}
