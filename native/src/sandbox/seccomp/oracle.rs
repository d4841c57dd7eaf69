//! Our filters against libseccomp's, decision by decision: of Docker's own default profile, of ours written in its format, and of odd ones.
//! Needs gcc and libseccomp-dev. fixtures/seccomp has Docker's profile, and where it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::action::Action;
use super::architecture::{Entry, Machine};
use super::interpreter::{Call, run};
use super::profile::Place;
use super::{Options, emit, policy, profile};
use crate::sandbox::capabilities;
use crate::syscalls::Instruction;

const MACHINES: [Machine; 2] = [Machine::X86_64, Machine::Aarch64];
const RELEASE: &str = "6.18.5-1-amd64";

/// What libseccomp made of a list of rules, and the names that it does not know.
struct Reference {
    program: Vec<Instruction>,
    unknown: BTreeSet<String>,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn oracle() -> &'static PathBuf {
    static BINARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, binary) = BINARY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("seccomp-oracle");
        let source = repository().join("test/support/seccomp-oracle.c");
        let built = Command::new("gcc")
            .arg(source)
            .arg("-o")
            .arg(&binary)
            .arg("-lseccomp")
            .status();
        assert!(built.unwrap().success(), "gcc and libseccomp-dev are needed");
        (directory, binary)
    });
    binary
}

/// A profile, resolved by rules of our own: whatever profile.rs does wrong is not done wrong here too.
fn reference(profile: &Value, machine: Machine, capabilities: u64) -> Reference {
    let names: &[&str] = match machine {
        Machine::X86_64 => &["x86_64", "x86", "x32"],
        Machine::Aarch64 => &["aarch64", "arm"],
    };
    let mut list: String = names.iter().map(|name| format!("arch {name}\n")).collect();
    let default = action(&profile["defaultAction"], &profile["defaultErrnoRet"]);
    writeln!(list, "default {default}").unwrap();
    for rule in profile["syscalls"].as_array().unwrap() {
        if !applies(rule, machine, capabilities) {
            continue;
        }
        let action = action(&rule["action"], &rule["errnoRet"]);
        if action == default {
            continue;
        }
        let conditions: String = rule["args"].as_array().into_iter().flatten().map(condition).collect();
        for name in rule["names"].as_array().unwrap() {
            writeln!(list, "rule {action} {}{conditions}", name.as_str().unwrap()).unwrap();
        }
    }
    let mut child = Command::new(oracle())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let instruction = |bytes: &[u8]| Instruction {
        code: u16::from_le_bytes([bytes[0], bytes[1]]),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    };
    Reference {
        program: output.stdout.chunks_exact(8).map(instruction).collect(),
        unknown: said.lines().map(str::to_owned).collect(),
    }
}

fn applies(rule: &Value, machine: Machine, capabilities: u64) -> bool {
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let has = |name: &String| capabilities & capabilities::named(name).unwrap().bits() != 0;
    let here = |arches: &[String]| arches.iter().any(|arch| arch == machine.docker_name());
    let (include, exclude) = (&rule["includes"], &rule["excludes"]);
    let arches = texts(&include["arches"]);
    // The only version that a rule of the fixtures asks for is 4.8.
    (arches.is_empty() || here(&arches))
        && texts(&include["caps"]).iter().all(has)
        && !here(&texts(&exclude["arches"]))
        && !texts(&exclude["caps"]).iter().any(has)
}

fn action(name: &Value, error: &Value) -> u32 {
    let error = error.as_u64().unwrap_or(1) as u32;
    match name.as_str().unwrap() {
        "SCMP_ACT_ALLOW" => 0x7FFF_0000,
        "SCMP_ACT_ERRNO" => 0x0005_0000 | error,
        "SCMP_ACT_TRACE" => 0x7FF0_0000 | error,
        "SCMP_ACT_LOG" => 0x7FFC_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_KILL" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        other => panic!("{other}"),
    }
}

fn condition(written: &Value) -> String {
    // In the order of libseccomp's enum scmp_compare, from 1 on.
    let names = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
    let name = written["op"].as_str().unwrap().strip_prefix("SCMP_CMP_").unwrap();
    let operator = 1 + names.iter().position(|each| *each == name).unwrap();
    let number = |field: &str| written[field].as_u64().unwrap_or(0);
    format!(
        " {}:{operator}:{}:{}",
        number("index"),
        number("value"),
        number("valueTwo")
    )
}

/// One of each class of values that a profile of ours tells apart, for an argument.
fn values() -> Vec<u64> {
    let near = [
        0_u64,
        8,
        38,
        40,
        0x2_0000,
        0x2_0008,
        0xFFFF_FFFF,
        100,
        0x5_0000_0007,
        1 << 40,
    ];
    let mut values: BTreeSet<u64> = near
        .iter()
        .flat_map(|value| [value.wrapping_sub(1), *value, value + 1])
        .collect();
    values.extend(near.iter().map(|value| value | 1 << 32));
    values.extend((0..64).map(|bit| 1 << bit));
    values.extend(1..30);
    values.extend([u64::MAX, 0x0123_4567_89AB_CDEF, 0x3D_0F00]);
    values.into_iter().collect()
}

/// Every number that could matter; with arguments of each class where somebody looks at them.
fn calls(entry: &Entry, looked_at: &BTreeSet<String>) -> Vec<Call> {
    let names: BTreeMap<u32, &str> = entry.calls.iter().copied().collect();
    let private = if entry.name == "SCMP_ARCH_ARM" {
        0xF_0000..0xF_0010
    } else {
        0..0
    };
    let mut calls = Vec::new();
    for number in (0..=600).chain(private) {
        let looked_at = names.get(&number).is_some_and(|name| looked_at.contains(*name));
        let values = if looked_at { values() } else { vec![0, 0xFFFF_FFFF] };
        for value in values {
            // Of a machine of 32 bits the kernel shows 32; x32's registers have 64.
            if !entry.wide && entry.first == 0 && value > u64::from(u32::MAX) {
                continue;
            }
            for second in [0, 7] {
                calls.push(Call {
                    architecture: entry.audit,
                    number: entry.first + number,
                    arguments: [value, second, 0, 0, 0, value],
                });
            }
        }
    }
    calls
}

/// Calls whose arguments the profile looks at, and those through which others are made.
fn looked_at(profile: &Value) -> BTreeSet<String> {
    let rules = profile["syscalls"].as_array().unwrap().iter();
    let rules = rules.filter(|rule| rule["args"].as_array().is_some_and(|args| !args.is_empty()));
    let names = rules.flat_map(|rule| rule["names"].as_array().unwrap());
    let names = names.map(|name| name.as_str().unwrap().to_owned());
    names.chain(["socketcall", "ipc"].map(str::to_owned)).collect()
}

/// What Docker answers, by runc with a libseccomp that knows all names.
struct Docker {
    reference: Reference,
    /// Of names that libseccomp does not know.
    simple: BTreeMap<String, u32>,
    default: u32,
    /// Numbers past it are ENOSYS.
    last: u32,
}

fn docker(profile: &Value, machine: Machine, entry: &Entry, capabilities: u64) -> Docker {
    let mut simple = BTreeMap::new();
    let mut named = BTreeSet::new();
    for rule in profile["syscalls"].as_array().unwrap() {
        for name in rule["names"].as_array().unwrap() {
            // Names are looked for in rules that apply.
            if applies(rule, machine, capabilities) {
                let name = name.as_str().unwrap().to_owned();
                named.insert(name.clone());
                simple.insert(name, action(&rule["action"], &rule["errnoRet"]));
            }
        }
    }
    let default = action(&profile["defaultAction"], &profile["defaultErrnoRet"]);
    let last = entry.calls.iter().rev().find(|(_, name)| named.contains(*name));
    let permissive = [0x7FFF_0000, 0x7FFC_0000].contains(&default) || default >> 16 == 0x7FF0;
    Docker {
        reference: reference(profile, machine, capabilities),
        simple,
        default,
        last: if permissive {
            u32::MAX
        } else {
            last.map_or(u32::MAX, |(number, _)| *number)
        },
    }
}

impl Docker {
    fn answer(&self, entry: &Entry, name: Option<&str>, call: Call) -> u32 {
        if call.number - entry.first > self.last {
            return Action::MISSING.value();
        }
        match name {
            Some(name) if self.reference.unknown.contains(name) => *self.simple.get(name).unwrap_or(&self.default),
            _ => run(&self.reference.program, call),
        }
    }
}

/// Where, a name or "no call", their answer, ours.
type Difference = (&'static str, String, u32, u32);

/// Compares for all ways into all machines.
fn differences(profile: &Value, capabilities: u64, ours: impl Fn(Machine) -> Vec<Instruction>) -> BTreeSet<Difference> {
    let mut found = BTreeSet::new();
    for machine in MACHINES {
        let program = ours(machine);
        assert!(program.len() <= 4096, "BPF_MAXINSNS");
        for entry in machine.entries() {
            let docker = docker(profile, machine, &entry, capabilities);
            let names: BTreeMap<u32, &str> = entry.calls.iter().copied().collect();
            for call in calls(&entry, &looked_at(profile)) {
                let name = names.get(&(call.number - entry.first)).copied();
                let (want, got) = (docker.answer(&entry, name, call), run(&program, call));
                if want != got {
                    let which = name.map_or_else(|| "no call".to_owned(), str::to_owned);
                    found.insert((entry.name, which, want, got));
                }
            }
        }
    }
    found
}

fn moby() -> Value {
    let text = std::fs::read_to_string(repository().join("fixtures/seccomp/moby-default.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn options(capabilities: u64) -> Options {
    Options { capabilities }
}

fn compiled(profile: &Value, machine: Machine, capabilities: u64) -> Vec<Instruction> {
    let place = Place {
        machine,
        capabilities,
        release: RELEASE,
    };
    profile::compile(&profile.to_string(), &place).unwrap().program
}

fn sets() -> [(&'static str, u64); 4] {
    let default = capabilities::DEFAULT.bits();
    let all = (1 << 41) - 1;
    [
        ("default", default),
        ("none", 0),
        ("all", all),
        (
            "one more",
            default | capabilities::named("CAP_SYS_PTRACE").unwrap().bits(),
        ),
    ]
}

/// Our policy in Docker's format. It can say all of it but what is answered to numbers that no call has.
fn written() -> Value {
    let every: BTreeSet<&str> = MACHINES
        .iter()
        .flat_map(|machine| machine.entries())
        .flat_map(|entry| entry.calls)
        .map(|(_, name)| name)
        .collect();
    let special = ["clone", "clone3", "personality", "socket"];
    let everything = options(u64::MAX);
    let gated: BTreeSet<&str> = policy::REFUSED
        .iter()
        .flat_map(|(_, _, names)| *names)
        .copied()
        .collect();
    let plain = every.iter().filter(|name| {
        !special.contains(name) && !gated.contains(*name) && policy::decide(name, &everything) == Action::Allow.into()
    });
    let allow = |names: Value, more: Value| {
        let mut rule = json!({ "names": names, "action": "SCMP_ACT_ALLOW" });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    let first =
        |op: &str, value: u64| json!({ "args": [{ "index": 0, "op": format!("SCMP_CMP_{op}"), "value": value }] });
    let mut rules = vec![allow(plain.copied().collect(), json!({}))];
    for (op, value) in [("LT", 38), ("EQ", 39), ("GT", 40)] {
        rules.push(allow(json!(["socket"]), first(op, value)));
    }
    rules.extend(policy::PERSONALITIES.map(|value| allow(json!(["personality"]), first("EQ", value))));
    let admin = json!({ "caps": ["CAP_SYS_ADMIN"] });
    let mut clone = allow(json!(["clone"]), first("MASKED_EQ", policy::CLONE_NAMESPACES));
    clone["excludes"] = admin.clone();
    rules.push(clone);
    rules.push(json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": admin }));
    rules.push(allow(json!(["clone", "clone3"]), json!({ "includes": admin })));
    for (reason, lifted_by, names) in policy::REFUSED {
        for capability in capabilities::names_of(*lifted_by) {
            let more = json!({ "comment": reason, "includes": { "caps": [format!("CAP_{capability}")] } });
            rules.push(allow(json!(names), more));
        }
    }
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [
            { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
            { "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"] },
        ],
        "syscalls": rules,
    })
}

/// What our default policy answers otherwise than Docker's default profile, on purpose. docs/differences.md says why.
fn is_intended((entry, which, theirs, ours): &Difference) -> bool {
    const EPERM: u32 = 0x5_0001;
    const ENOSYS: u32 = 0x5_0026;
    const ALLOW: u32 = 0x7FFF_0000;
    let wide = ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"].contains(entry);
    match (which.as_str(), *theirs, *ours) {
        // A number between two calls, of which nothing is known.
        ("no call", EPERM, ENOSYS) => true,
        // Bits above those that the kernel takes for an address family lead past Docker's comparison.
        ("socket", ALLOW, EPERM) => wide,
        // Newer than all that the profile names; but these two ways in have old calls with higher numbers, so runc sees nothing new.
        ("file_getattr" | "file_setattr" | "open_tree_attr", EPERM, ENOSYS) => {
            ["SCMP_ARCH_ARM", "SCMP_ARCH_X32"].contains(entry)
        }
        _ => false,
    }
}

#[test]
fn the_default_is_dockers() {
    for profile in [moby(), written()] {
        for (name, capabilities) in sets() {
            let mut found = differences(&profile, capabilities, |machine| {
                emit::program(&policy::parts(machine, &options(capabilities)))
            });
            found.retain(|each| !is_intended(each));
            assert!(found.is_empty(), "{name}: {found:#x?}");
        }
    }
}

/// docs/seccomp.json is for users to start a profile of their own from. Written anew with COOPER_UPDATE=1.
#[test]
fn the_default_is_written_down() {
    let path = repository().join("docs/seccomp.json");
    let text = format!("{:#}\n", written());
    if std::env::var_os("COOPER_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == text,
        "docs/seccomp.json is of another policy"
    );
    for (name, capabilities) in sets() {
        let found = differences(&moby(), capabilities, |machine| {
            compiled(&written(), machine, capabilities)
        });
        assert!(found.is_empty(), "{name}: {found:#x?}");
    }
}

#[test]
fn dockers_default_as_a_profile() {
    for (name, capabilities) in sets() {
        let found = differences(&moby(), capabilities, |machine| {
            compiled(&moby(), machine, capabilities)
        });
        assert!(found.is_empty(), "{name}: {found:#x?}");
    }
}

/// One rule of each kind, and combinations, on calls that all machines have, and on those that i386 makes through another.
#[test]
fn odd_profiles() {
    let rule = |names: &[&str], action: &str, args: Value| json!({ "names": names, "action": action, "args": args });
    let compare = |index: u32, op: &str, value: u64, two: u64| json!({ "index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": two });
    let mut profiles = vec![];
    for op in ["NE", "LT", "LE", "EQ", "GE", "GT"] {
        for value in [0, 40, 0xFFFF_FFFF, 0x5_0000_0007] {
            profiles.push(json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [
                    rule(&["read", "write", "futex"], "SCMP_ACT_ALLOW", json!([compare(0, op, value, 0)])),
                    rule(&["close"], "SCMP_ACT_LOG", json!([compare(0, op, value, 0), compare(1, "EQ", 7, 0)])),
                ],
            }));
        }
    }
    for (mask, value) in [(0xFF, 8), (0xFF_0000_0000, 1 << 32), (0x7E02_0000, 0), (0x0F0F, 0xFFFF)] {
        profiles.push(json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [rule(&["read", "dup3"], "SCMP_ACT_ERRNO", json!([compare(0, "MASKED_EQ", mask, value)]))],
        }));
    }
    profiles.push(json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            rule(&["socket", "connect", "accept", "semop", "shmget", "bogus_call"], "SCMP_ACT_ERRNO", json!([])),
            json!({ "names": ["uname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }),
            rule(&["getuid"], "SCMP_ACT_KILL", json!([])),
            rule(&["getgid"], "SCMP_ACT_KILL_PROCESS", json!([])),
            rule(&["getpid"], "SCMP_ACT_TRAP", json!([])),
            json!({ "names": ["getppid"], "action": "SCMP_ACT_TRACE", "errnoRet": 5 }),
        ],
    }));
    // What has no condition counts, wherever it stands.
    for order in [[0, 1], [1, 0]] {
        let rules = [
            rule(&["read"], "SCMP_ACT_ALLOW", json!([compare(0, "EQ", 3, 0)])),
            rule(&["read"], "SCMP_ACT_LOG", json!([])),
        ];
        let rules: Vec<_> = order.iter().map(|place| rules[*place].clone()).collect();
        profiles.push(json!({ "defaultAction": "SCMP_ACT_TRAP", "syscalls": rules }));
    }
    for mut profile in profiles {
        profile["archMap"] = moby()["archMap"].clone();
        let found = differences(&profile, 0, |machine| compiled(&profile, machine, 0));
        assert!(found.is_empty(), "{profile}\n{found:#x?}");
    }
}
