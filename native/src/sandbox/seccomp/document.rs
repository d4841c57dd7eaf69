//! A profile as it is written: JSON, read with care, and its conditions answered.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::sandbox::capabilities;

use super::action::{Action, Condition, Operator, Rule};
use super::profile::Place;

/// Docker's own has 16 KiB.
const MOST_BYTES: usize = 1024 * 1024;
/// Numbers of errors are at most this. Source: the kernel's include/linux/err.h, `MAX_ERRNO`.
const MOST_ERROR: u64 = 4095;

/// `SECCOMP_FILTER_FLAG_…`. Source: the kernel's include/uapi/linux/seccomp.h.
const LOG: u32 = 2;
pub const SPEC_ALLOW: u32 = 4;

/// What is left of a profile in one place.
pub struct Document {
    pub default: Action,
    pub architectures: BTreeSet<String>,
    /// In the order written.
    pub rules: Vec<(String, Rule)>,
    /// Calls whose rules say what the default says.
    pub redundant: BTreeSet<String>,
    pub flags: u32,
}

/// The names are in lower case because Go, for which profiles are written, does not look at the case of a name.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
struct Written {
    defaultaction: Option<String>,
    defaulterrnoret: Option<u64>,
    architectures: Option<Vec<String>>,
    archmap: Option<Vec<WrittenArchitecture>>,
    flags: Option<Vec<String>>,
    syscalls: Option<Vec<WrittenRule>>,
}

#[derive(Deserialize)]
struct WrittenArchitecture {
    architecture: Option<String>,
    subarchitectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct WrittenRule {
    names: Option<Vec<String>>,
    name: Option<String>,
    action: Option<String>,
    errnoret: Option<u64>,
    args: Option<Vec<WrittenCondition>>,
    includes: Option<Filter>,
    excludes: Option<Filter>,
}

#[derive(Deserialize)]
struct WrittenCondition {
    index: Option<u64>,
    value: Option<u64>,
    valuetwo: Option<u64>,
    op: Option<String>,
}

#[derive(Deserialize)]
struct Filter {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    minkernel: Option<String>,
}

const FORMAT: &str =
    "a profile is JSON in Docker's format, as docs/seccomp.json is; for no filter at all say seccomp=unconfined";

pub fn invalid(what: impl std::fmt::Display) -> Error {
    Error::user("ARG_INVALID", format!("the seccomp profile {what}"))
}

/// Reads a profile, and leaves out what does not hold here.
pub fn read(text: &str, place: &Place<'_>) -> Result<Document, Error> {
    if text.len() > MOST_BYTES {
        return Err(invalid(format!("has more than {MOST_BYTES} bytes")));
    }
    let json = serde_json::from_str(text).map_err(|error| invalid(format!("is not JSON: {error}")).hint(FORMAT))?;
    let written: Written = serde_json::from_value(lower(json))
        .map_err(|error| invalid(format!("is not in Docker's format: {error}")).hint(FORMAT))?;
    let Some(default) = &written.defaultaction else {
        return Err(invalid("has no \"defaultAction\"").hint("for no filter at all say seccomp=unconfined"));
    };
    let mut document = Document {
        default: action(default, written.defaulterrnoret)?,
        architectures: architectures(&written, place)?,
        rules: Vec::new(),
        redundant: BTreeSet::new(),
        flags: flags(written.flags.as_deref())?,
    };
    for rule in written.syscalls.into_iter().flatten() {
        add(&mut document, rule, place)?;
    }
    Ok(document)
}

fn lower(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), lower(value)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(lower).collect()),
        other => other,
    }
}

fn architectures(written: &Written, place: &Place<'_>) -> Result<BTreeSet<String>, Error> {
    let listed = written.architectures.as_deref().unwrap_or_default();
    let mapped = written.archmap.as_deref().unwrap_or_default();
    if !listed.is_empty() && !mapped.is_empty() {
        return Err(invalid("has both \"architectures\" and \"archMap\"").hint("keep one of them"));
    }
    let own = place.machine.entries().first().map(|entry| entry.name);
    let subordinate = mapped.iter().find(|each| each.architecture.as_deref() == own);
    let subordinate = subordinate.and_then(|each| each.subarchitectures.as_deref());
    let names = listed.iter().chain(subordinate.unwrap_or_default());
    if let Some(unknown) = names.clone().find(|name| !name.starts_with("SCMP_ARCH_")) {
        return Err(invalid(format!("has the unknown architecture \"{unknown}\"")).hint("they begin with SCMP_ARCH_"));
    }
    Ok(names.cloned().collect())
}

/// Where none are asked for, mitigations that cost much and that the kernel itself has dropped stay off. Source: runc, `SetupSeccomp`.
fn flags(names: Option<&[String]>) -> Result<u32, Error> {
    let Some(names) = names.filter(|names| !names.is_empty()) else {
        return Ok(SPEC_ALLOW);
    };
    let mut flags = 0;
    for name in names {
        flags |= match name.as_str() {
            "SECCOMP_FILTER_FLAG_LOG" => LOG,
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => SPEC_ALLOW,
            // Programs begin with one thread.
            "SECCOMP_FILTER_FLAG_TSYNC" => 0,
            _ => return Err(invalid(format!("has the unknown flag \"{name}\""))),
        };
    }
    Ok(flags)
}

fn action(name: &str, error: Option<u64>) -> Result<Action, Error> {
    let number = match error {
        None => libc::EPERM as u16,
        Some(error) if error <= MOST_ERROR => error as u16,
        Some(error) => {
            return Err(invalid(format!(
                "has the error number {error}, and the last is {MOST_ERROR}"
            )));
        }
    };
    Ok(match name {
        "SCMP_ACT_ALLOW" => Action::Allow,
        "SCMP_ACT_ERRNO" => Action::Errno(number),
        "SCMP_ACT_TRACE" => Action::Trace(number),
        "SCMP_ACT_LOG" => Action::Log,
        "SCMP_ACT_TRAP" => Action::Trap,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        "SCMP_ACT_NOTIFY" => {
            let hint = "there is no program that would answer: use another action";
            return Err(invalid("has the action \"SCMP_ACT_NOTIFY\"").hint(hint));
        }
        _ => return Err(invalid(format!("has the unknown action \"{name}\""))),
    })
}

fn add(document: &mut Document, written: WrittenRule, place: &Place<'_>) -> Result<(), Error> {
    let names = names(&written)?;
    // What is wrong is said, whether or not the rule counts here.
    let action = action(written.action.as_deref().unwrap_or(""), written.errnoret)?;
    let conditions = written.args.as_deref().unwrap_or_default();
    let conditions = conditions.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
    let included = match &written.includes {
        Some(filter) => holds(filter, place)?.iter().all(|holds| *holds),
        None => true,
    };
    let excluded = match &written.excludes {
        Some(filter) => holds(filter, place)?.contains(&true),
        None => false,
    };
    if !included || excluded {
        return Ok(());
    }
    for name in names {
        if action == document.default {
            document.redundant.insert(name);
        } else if conditions.is_empty() || each_once(&conditions) {
            let conditions = conditions.clone();
            document.rules.push((name, Rule { conditions, action }));
        } else {
            // Of two conditions on one argument either is enough. Source: runc, `matchCall`.
            let rules = conditions.iter().map(|condition| Rule {
                conditions: vec![*condition],
                action,
            });
            document.rules.extend(rules.map(|rule| (name.clone(), rule)));
        }
    }
    Ok(())
}

fn names(written: &WrittenRule) -> Result<BTreeSet<String>, Error> {
    let many = written.names.clone().unwrap_or_default();
    match &written.name {
        Some(name) if !name.is_empty() => {
            if many.is_empty() {
                return Ok([name.clone()].into());
            }
            Err(invalid(format!("has a rule with both \"name\" and \"names\", of \"{name}\"")).hint("keep one of them"))
        }
        _ if many.iter().any(String::is_empty) => Err(invalid("has a rule for a system call without name")),
        _ => Ok(many.into_iter().collect()),
    }
}

fn each_once(conditions: &[Condition]) -> bool {
    let arguments: BTreeSet<u8> = conditions.iter().map(|condition| condition.argument).collect();
    arguments.len() == conditions.len()
}

fn condition(written: &WrittenCondition) -> Result<Condition, Error> {
    let argument = match written.index.unwrap_or(0) {
        index @ 0..=5 => index as u8,
        index => return Err(invalid(format!("looks at argument {index}, and the last is 5"))),
    };
    let value = written.value.unwrap_or(0);
    let plain = Condition::equal(argument, value);
    let with = |operator| Condition { operator, ..plain };
    Ok(match written.op.as_deref().unwrap_or("") {
        "SCMP_CMP_EQ" => plain,
        "SCMP_CMP_NE" => plain.not(),
        "SCMP_CMP_GE" => with(Operator::AtLeast),
        "SCMP_CMP_LT" => with(Operator::AtLeast).not(),
        "SCMP_CMP_GT" => with(Operator::Above),
        "SCMP_CMP_LE" => with(Operator::Above).not(),
        // The first value is the mask.
        "SCMP_CMP_MASKED_EQ" => Condition {
            mask: value,
            value: written.valuetwo.unwrap_or(0) & value,
            ..plain
        },
        other => return Err(invalid(format!("has the unknown operator \"{other}\""))),
    })
}

/// For each thing that the filter asks of this place, whether it is so. An inclusion needs all of them, an exclusion one; of its
/// capabilities each counts.
fn holds(filter: &Filter, place: &Place<'_>) -> Result<Vec<bool>, Error> {
    let mut answers = Vec::new();
    if let Some(arches) = filter.arches.as_deref().filter(|arches| !arches.is_empty()) {
        answers.push(arches.iter().any(|arch| arch == place.machine.docker_name()));
    }
    for name in filter.caps.iter().flatten() {
        // A name that nobody knows is a capability that nobody has.
        let bit = capabilities::named(name).map_or(0, |capability| capability.bits());
        answers.push(place.capabilities & bit != 0);
    }
    if let Some(minimum) = filter.minkernel.as_deref().filter(|text| !text.is_empty()) {
        let Some(least) = version(minimum).filter(|_| minimum.split('.').count() == 2) else {
            return Err(invalid(format!("has the kernel version \"{minimum}\"")).hint("write it as \"4.8\""));
        };
        // A release that cannot be read is that of a kernel newer than all who wrote profiles.
        answers.push(version(place.release).is_none_or(|here| here >= least));
    }
    Ok(answers)
}

/// The first two numbers: all that Docker looks at.
fn version(text: &str) -> Option<(u32, u32)> {
    let digits = |text: &str| {
        let end = text.find(|each: char| !each.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok()
    };
    let (first, rest) = text.split_once('.')?;
    Some((first.parse().ok()?, digits(rest)?))
}
