//! A filter that hands calls over to a listener (notify/, emulate/), and lets all others pass.

use std::collections::BTreeMap;

use crate::syscalls::Instruction;

use super::action::{Action, Condition, Decision, Rule};
use super::emit::{self, Part};

/// Which calls of a number are handed over: by the lower half of an argument, which is all of an int.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// The argument of this place is one of these.
    Is(u8, &'static [u32]),
    /// It has one of these bits.
    Has(u8, u32),
}

/// Of calls by architecture (`AUDIT_ARCH_…`) and number. x32's numbers are above all of these, so they pass.
pub fn handing_over(calls: impl IntoIterator<Item = ((u32, u32), When)>) -> Vec<Instruction> {
    let mut decisions: BTreeMap<u32, Vec<(u32, Decision)>> = BTreeMap::new();
    for ((audit, number), when) in calls {
        decisions.entry(audit).or_default().push((number, decision(when)));
    }
    let part = |(audit, decisions)| Part {
        audit,
        decisions,
        gaps: vec![(0, Action::Allow.into())],
    };
    let parts: Vec<_> = decisions.into_iter().map(part).collect();
    emit::program_else(&parts, Action::Allow)
}

fn decision(when: When) -> Decision {
    let is = |argument, value: u32| Condition::equal(argument, value.into()).narrow();
    let conditions = match when {
        When::Always => return Action::Notify.into(),
        When::Is(argument, values) => values.iter().map(|value| is(argument, *value)).collect(),
        When::Has(argument, bits) => {
            let none = Condition {
                mask: bits.into(),
                ..is(argument, 0)
            };
            vec![none.not()]
        }
    };
    let rule = |condition| Rule {
        conditions: vec![condition],
        action: Action::Notify,
    };
    Decision {
        rules: conditions.into_iter().map(rule).collect(),
        otherwise: Action::Allow,
    }
}
