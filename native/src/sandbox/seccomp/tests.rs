use super::architecture::Machine;
use super::interpreter::{Call, run};
use super::profile::{self, Place};
use super::{Options, When, default_filter, handing_over};
use crate::sandbox::capabilities;

const X86_64: u32 = 0xC000_003E;
const I386: u32 = 0x4000_0003;
const X32: u32 = 0x4000_0000;
const ALLOW: u32 = 0x7FFF_0000;
const KILL: u32 = 0;
const EPERM: u32 = 0x5_0001;
const ENOSYS: u32 = 0x5_0026;

const AARCH64: u32 = 0xC000_00B7;

fn call(architecture: u32, number: u32, argument: u64) -> Call {
    Call {
        architecture,
        number,
        arguments: [argument, 0, 0, 0, 0, 0],
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn decisions_by_number() {
    let filter = default_filter(&Options {
        capabilities: capabilities::DEFAULT.bits(),
    });
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
        ("socket AF_ALG", X86_64, 41, 38, EPERM),
        ("socket AF_VSOCK", X86_64, 41, 40, EPERM),
        ("socket AF_VSOCK with a bit above", X86_64, 41, 40 | 1 << 32, EPERM),
        ("a number of the future", X86_64, 5000, 0, ENOSYS),
        ("a gap", X86_64, 400, 0, ENOSYS),
        ("the last number", X86_64, u32::MAX, 0, ENOSYS),
        ("x32 read", X86_64, X32, 0, ALLOW),
        ("x32 execve", X86_64, X32 + 520, 0, ALLOW),
        ("execve of 64 bits by x32", X86_64, X32 + 59, 0, ENOSYS),
        ("x32 mount", X86_64, X32 + 165, 0, EPERM),
        ("i386 read", I386, 3, 0, ALLOW),
        ("i386 mount", I386, 21, 0, EPERM),
        ("i386 umount", I386, 22, 0, EPERM),
        ("i386 clone with NEWNET", I386, 120, 0x4000_0000, EPERM),
        ("i386 clone3", I386, 435, 0, ENOSYS),
        ("an architecture that is not here", 0xC000_00B7, 0, 0, KILL),
    ] {
        assert_eq!(
            run(&filter.program, call(architecture, number, argument)),
            want,
            "{name}"
        );
    }
}

#[test]
fn capabilities_lift_what_needs_them() {
    for (name, capability, number) in [
        ("mount", "CAP_SYS_ADMIN", 165),
        ("syslog", "CAP_SYSLOG", 103),
        ("bpf", "CAP_BPF", 321),
        ("reboot", "CAP_SYS_BOOT", 169),
    ] {
        let capabilities = capabilities::named(capability).unwrap().bits();
        let place = |capabilities| Options { capabilities };
        let answer = |options: &Options| {
            let parts = super::policy::parts(Machine::X86_64, options);
            run(&super::emit::program(&parts), call(X86_64, number, 0))
        };
        assert_eq!(answer(&place(0)), EPERM, "{name}");
        assert_eq!(answer(&place(capabilities)), ALLOW, "{name}");
    }
}

fn place() -> Place<'static> {
    Place {
        machine: Machine::X86_64,
        capabilities: 1 << 7,
        release: "5.15.0-91-generic",
    }
}

/// Profiles, and what they say of getpid (39) on x86-64.
#[test]
fn profiles_are_read_as_docker_reads_them() {
    let errno = |number: u32| 0x5_0000 | number;
    for (what, profile, want) in [
        ("no rule", r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, ALLOW),
        (
            "no rules",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":null}"#,
            EPERM,
        ),
        (
            "another error",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":13}"#,
            errno(13),
        ),
        ("the case of a name", r#"{"DEFAULTACTION":"SCMP_ACT_ALLOW"}"#, ALLOW),
        (
            "fields that nobody knows",
            r#"{"defaultAction":"SCMP_ACT_ALLOW","more":{"a":[1]}}"#,
            ALLOW,
        ),
        (
            "the old form",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"name":"getpid","action":"SCMP_ACT_ALLOW","args":[]}]}"#,
            ALLOW,
        ),
        (
            "names twice",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid","getpid"],"action":"SCMP_ACT_ALLOW","args":null}]}"#,
            ALLOW,
        ),
        (
            "a capability that is there",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SETUID"]}}]}"#,
            ALLOW,
        ),
        (
            "one that is there and one that is not",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SETUID","CAP_SYS_ADMIN"]}}]}"#,
            EPERM,
        ),
        (
            "a capability that excludes",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN","CAP_SETUID"]}}]}"#,
            EPERM,
        ),
        (
            "another machine",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["arm64","s390x"]}}]}"#,
            EPERM,
        ),
        (
            "this machine",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["amd64"]}}]}"#,
            ALLOW,
        ),
        (
            "an older kernel",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"5.15"}}]}"#,
            ALLOW,
        ),
        (
            "a newer kernel",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"5.16"}}]}"#,
            EPERM,
        ),
        (
            "not on newer kernels",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","excludes":{"minKernel":"5.4"}}]}"#,
            EPERM,
        ),
        (
            "either of two conditions on one argument",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":5,"op":"SCMP_CMP_EQ"},{"index":0,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#,
            ALLOW,
        ),
        (
            "newer calls than any that is named",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#,
            ENOSYS,
        ),
    ] {
        let compiled = profile::compile(profile, &place()).unwrap();
        assert_eq!(run(&compiled.program, call(X86_64, 39, 0)), want, "{what}");
        // Only the machine's own way in, unless the profile names others.
        assert_eq!(run(&compiled.program, call(I386, 20, 0)), KILL, "{what}");
        assert_eq!(run(&compiled.program, call(X86_64, X32 + 39, 0)), KILL, "{what}");
    }
    let both =
        r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_S390"]}"#;
    let compiled = profile::compile(both, &place()).unwrap();
    assert_eq!(run(&compiled.program, call(I386, 20, 0)), ALLOW);
    assert_eq!(run(&compiled.program, call(X86_64, X32 + 39, 0)), ALLOW);
}

#[test]
fn profiles_that_mean_nothing_are_refused() {
    let many = |count: usize| {
        let rule = r#"{"index":0,"value":1,"op":"SCMP_CMP_EQ"}"#;
        let rules = vec![rule; count].join(",");
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["read","write"],"action":"SCMP_ACT_ALLOW","args":[{rules}]}}]}}"#
        )
    };
    let of_each = |text: &str| format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{text}]}}"#);
    for (profile, want) in [
        ("{}".to_owned(), "has no \"defaultAction\""),
        ("[".to_owned(), "is not JSON"),
        ("[]".to_owned(), "is not in Docker's format"),
        ("[".repeat(100_000), "is not JSON"),
        (" ".repeat(1 << 21), "has more than 1048576 bytes"),
        (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#.to_owned(), "has the action \"SCMP_ACT_NOTIFY\""),
        (r#"{"defaultAction":"ALLOW"}"#.to_owned(), "has the unknown action \"ALLOW\""),
        (r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096}"#.to_owned(), "has the error number 4096"),
        (r#"{"defaultAction":"SCMP_ACT_ERRNO","flags":["X"]}"#.to_owned(), "has the unknown flag \"X\""),
        (r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["amd64"]}"#.to_owned(), "has the unknown architecture \"amd64\""),
        (r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"archMap":[{"architecture":"SCMP_ARCH_X86_64"}]}"#.to_owned(), "has both"),
        (of_each(r#"{"names":["read"]}"#), "has the unknown action \"\""),
        (of_each(r#"{"names":["read"],"name":"write","action":"SCMP_ACT_ALLOW"}"#), "both \"name\" and \"names\""),
        (of_each(r#"{"names":[""],"action":"SCMP_ACT_ALLOW"}"#), "without name"),
        (of_each(r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}"#), "looks at argument 6"),
        (of_each(r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"EQ"}]}"#), "unknown operator \"EQ\""),
        (of_each(r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]}"#), "is not in Docker's format"),
        (of_each(r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4"}}"#), "has the kernel version \"4\""),
        (many(1001), "has more than 1000 rules"),
        (many(900), "instructions, and the kernel takes 4096"),
    ] {
        let error = profile::compile(&profile, &place()).map(drop).unwrap_err();
        assert_eq!(error.code(), "ARG_INVALID");
        assert!(error.to_string().contains(want), "{error}");
    }
}

#[test]
fn only_the_named_calls_are_handed_over() {
    let filter = handing_over([
        ((X86_64, 133), When::Always),
        ((X86_64, 259), When::Always),
        ((X86_64, 157), When::Is(0, &[8, 28])),
        ((X86_64, 2), When::Has(0, 0o100)),
        ((I386, 14), When::Always),
    ]);
    let (ask, pass) = (libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_ALLOW);
    for (architecture, number, argument, want) in [
        (X86_64, 133, 0, ask),
        (X86_64, 259, 0, ask),
        (X86_64, 0, 0, pass),
        (X86_64, 14, 0, pass),
        (X86_64, 134, 0, pass),
        (X86_64, 157, 8, ask),
        (X86_64, 157, 28, ask),
        (X86_64, 157, 1 << 32 | 28, ask),
        (X86_64, 157, 9, pass),
        (X86_64, 2, 0o2101, ask),
        (X86_64, 2, 0o2001, pass),
        (X86_64, 2, 1 << 32, pass),
        (X86_64, X32 + 133, 0, pass),
        (X86_64, u32::MAX, 0, pass),
        (I386, 14, 0, ask),
        (I386, 133, 0, pass),
        (AARCH64, 133, 0, pass),
    ] {
        assert_eq!(
            run(&filter, call(architecture, number, argument)),
            want,
            "{architecture:#x} {number} {argument:#x}"
        );
    }
}
