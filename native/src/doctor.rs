//! What `cooper doctor` shows: what this machine allows, found by trying, and what to do about the rest.

use std::fs;

use crate::error::Error;
use crate::protocol::{CheckState, DoctorCheck, DoctorResult, Downgrade, Mode, Snapshotter, Userns};
use crate::sandbox;
use crate::sandbox::cgroup;
use crate::session::Session;
use crate::userns;

pub fn doctor(session: &Session) -> Result<DoctorResult, Error> {
    let mut checks = vec![mode(session)];
    checks.extend(rungs(session));
    checks.extend([
        snapshots(session),
        proc(session),
        subordinate_ids(),
        user_namespaces(),
        user_namespace_of_run(session),
        network(session),
        seccomp(),
        cgroup::doctor(),
    ]);
    Ok(DoctorResult { checks })
}

fn check(name: &str, state: CheckState, detail: impl Into<String>, hint: Option<&str>) -> DoctorCheck {
    DoctorCheck {
        name: name.to_owned(),
        state,
        detail: detail.into(),
        hint: hint.map(str::to_owned),
    }
}

fn mode(session: &Session) -> DoctorCheck {
    const NAME: &str = "mode";
    let because = |what: &str| match session.reason.as_str() {
        "" => what.to_owned(),
        reason => format!("{what}: {reason}"),
    };
    match session.mode {
        Mode::Root => check(NAME, CheckState::Ok, because("root"), None),
        Mode::Pod => check(NAME, CheckState::Ok, because("root of a user namespace"), None),
        Mode::Rootless => check(NAME, CheckState::Ok, because("rootless"), None),
        Mode::SingleId => check(
            NAME,
            CheckState::Degraded,
            because("one id, the others are emulated"),
            Some("docs/modes.md says what differs"),
        ),
        Mode::Chroot => check(NAME, CheckState::Degraded, because("chroot, without namespaces"), None),
        Mode::Unprivileged => check(
            NAME,
            CheckState::Degraded,
            because("unprivileged, RUN is not possible"),
            Some("everything else works; what would help stands with the rungs below"),
        ),
    }
}

/// Why not more: a line for each rung above.
fn rungs(session: &Session) -> Vec<DoctorCheck> {
    let line = |each: &Downgrade| {
        check(
            &format!("not {}", each.rung),
            CheckState::Degraded,
            each.reason.clone(),
            each.hint.as_deref(),
        )
    };
    session.downgrades.iter().map(line).collect()
}

fn snapshots(session: &Session) -> DoctorCheck {
    match session.snapshotter {
        Snapshotter::Overlay => check("snapshots", CheckState::Ok, "overlay", None),
        Snapshotter::OverlayUserxattr => check("snapshots", CheckState::Ok, "overlay with userxattr", None),
        Snapshotter::FuseOverlayfs => check(
            "snapshots",
            CheckState::Degraded,
            "fuse-overlayfs: every access to a file costs more than with the kernel's overlay",
            None,
        ),
        Snapshotter::Copy => check(
            "snapshots",
            CheckState::Degraded,
            "copies: no overlay can be mounted, so the first step of a stage copies its base",
            Some("a store on another filesystem (--root, COOPER_ROOT)"),
        ),
        Snapshotter::None => check(
            "snapshots",
            CheckState::Missing,
            format!("none: {}", session.reason),
            None,
        ),
    }
}

fn proc(session: &Session) -> DoctorCheck {
    if session.own_proc {
        return check("proc", CheckState::Ok, "each container has its own", None);
    }
    let detail = "containers see the processes around cooper: a part of /proc is covered";
    check("proc", CheckState::Degraded, detail, Some(sandbox::proc::HINT))
}

fn subordinate_ids() -> DoctorCheck {
    const NAME: &str = "subordinate ids";
    let missing: Vec<_> = ["newuidmap", "newgidmap"]
        .into_iter()
        .filter(|program| userns::find_program(program).is_none())
        .collect();
    if !missing.is_empty() {
        let detail = format!("\"{}\" is not installed", missing.join("\" and \""));
        return check(
            NAME,
            CheckState::Missing,
            detail,
            Some("install the package uidmap for rootless builds"),
        );
    }
    let files = ["/etc/subuid", "/etc/subgid"];
    let empty: Vec<_> = files
        .into_iter()
        .filter(|file| fs::read_to_string(file).unwrap_or_default().trim().is_empty())
        .collect();
    if empty.is_empty() {
        return check(NAME, CheckState::Ok, "newuidmap, newgidmap and ranges are there", None);
    }
    let detail = format!("{} has no range", empty.join(" and "));
    check(
        NAME,
        CheckState::Degraded,
        detail,
        Some("give a user one with usermod --add-subuids and --add-subgids"),
    )
}

fn user_namespaces() -> DoctorCheck {
    const NAME: &str = "user namespaces";
    if fs::read_to_string("/proc/sys/user/max_user_namespaces").map_or(true, |most| most.trim() == "0") {
        let hint = Some("set sysctl user.max_user_namespaces for rootless builds");
        return check(NAME, CheckState::Missing, "the kernel allows none", hint);
    }
    if userns::is_restricted_by_apparmor() {
        let detail = "AppArmor restricts them to programs with a profile";
        return check(NAME, CheckState::Degraded, detail, Some(userns::APPARMOR_HINT));
    }
    let detail = if userns::is_initial() {
        "allowed"
    } else {
        "allowed, and we are in one"
    };
    check(NAME, CheckState::Ok, detail, None)
}

/// Whether containers of root have other ids than the machine's.
fn user_namespace_of_run(session: &Session) -> DoctorCheck {
    const NAME: &str = "user namespace of RUN";
    let state = match session.try_idmap() {
        Ok(_) => {
            return check(
                NAME,
                CheckState::Ok,
                "on: a container's root is not the machine's",
                None,
            );
        }
        // Without root, and where somebody asked for it, nothing is missing.
        Err(_) if session.mode != Mode::Root || session.userns == Userns::Host => CheckState::Ok,
        Err(_) => CheckState::Degraded,
    };
    let reason = session.try_idmap().err().unwrap_or_default();
    let hint = (state == CheckState::Degraded).then_some("containers have the machine's ids, as Docker's have");
    check(NAME, state, format!("off: {reason}"), hint)
}

fn network(session: &Session) -> DoctorCheck {
    const NAME: &str = "network";
    match session.network.probe(session.idmap().map(|idmap| &idmap.keeper)) {
        Ok(detail) => check(NAME, CheckState::Ok, detail, None),
        Err(reason) => {
            let detail = format!("containers share the machine's: {}", reason.message);
            check(NAME, CheckState::Degraded, detail, reason.hint.as_deref())
        }
    }
}

fn seccomp() -> DoctorCheck {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    if actions.split_whitespace().any(|action| action == "errno") {
        check("seccomp", CheckState::Ok, "filters are available", None)
    } else {
        check(
            "seccomp",
            CheckState::Missing,
            "the kernel has no seccomp filters",
            Some("containers need CONFIG_SECCOMP_FILTER"),
        )
    }
}
