//! Limits as the kernel's files have them. Sources: the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst; runc, libcontainer/cgroups, for what
//! Docker makes of its options.

use crate::protocol::Limits;

use super::hierarchy::Version;

/// Docker's, in microseconds.
const CPU_PERIOD: u64 = 100_000;
/// The least quota that the kernel takes, in microseconds.
const LEAST_QUOTA: u64 = 1000;

/// What one controller is to be told.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    pub controller: &'static str,
    pub file: &'static str,
    pub value: String,
    /// Nobody asked for it by name: where the kernel lacks the file, it does without.
    pub optional: bool,
}

/// The controllers that limits need.
pub fn controllers(limits: &Limits) -> Vec<&'static str> {
    let wanted = [
        ("memory", limits.memory_bytes.is_some()),
        ("cpu", limits.cpus.is_some() || limits.cpu_shares.is_some()),
        ("cpuset", limits.cpuset_cpus.is_some()),
        ("pids", limits.pids.is_some()),
    ];
    wanted
        .into_iter()
        .filter(|(_, wanted)| *wanted)
        .map(|(name, _)| name)
        .collect()
}

/// What to write for one controller, in that order.
pub fn settings(limits: &Limits, controller: &str, version: Version) -> Vec<Setting> {
    match controller {
        "memory" => memory(limits, version),
        "cpu" => cpu(limits, version),
        "cpuset" => limits
            .cpuset_cpus
            .iter()
            .map(|cpus| setting("cpuset", "cpuset.cpus", cpus))
            .collect(),
        "pids" => limits
            .pids
            .iter()
            .map(|count| setting("pids", "pids.max", count))
            .collect(),
        _ => Vec::new(),
    }
}

fn setting(controller: &'static str, file: &'static str, value: impl ToString) -> Setting {
    Setting {
        controller,
        file,
        value: value.to_string(),
        optional: false,
    }
}

/// Without a word about swap there may be as much again of it, as in Docker. `memorySwapBytes` counts both; -1 is no limit.
fn memory(limits: &Limits, version: Version) -> Vec<Setting> {
    let Some(bytes) = limits.memory_bytes else {
        return Vec::new();
    };
    let both = limits
        .memory_swap_bytes
        .unwrap_or_else(|| i64::try_from(bytes.saturating_mul(2)).unwrap_or(-1));
    let swap = match (version, u64::try_from(both)) {
        (Version::V1, _) => setting("memory", "memory.memsw.limit_in_bytes", both),
        (Version::V2, Ok(both)) => setting("memory", "memory.swap.max", both.saturating_sub(bytes)),
        (Version::V2, Err(_)) => setting("memory", "memory.swap.max", "max"),
    };
    let file = match version {
        Version::V1 => "memory.limit_in_bytes",
        Version::V2 => "memory.max",
    };
    vec![
        setting("memory", file, bytes),
        Setting {
            optional: limits.memory_swap_bytes.is_none(),
            ..swap
        },
    ]
}

fn cpu(limits: &Limits, version: Version) -> Vec<Setting> {
    let quota = limits
        .cpus
        .map(|micro| (micro.saturating_mul(CPU_PERIOD) / 1_000_000).max(LEAST_QUOTA));
    let shares = limits.cpu_shares;
    match version {
        Version::V1 => {
            let quota = quota.map(|quota| {
                [
                    setting("cpu", "cpu.cfs_period_us", CPU_PERIOD),
                    setting("cpu", "cpu.cfs_quota_us", quota),
                ]
            });
            let shares = shares.map(|shares| setting("cpu", "cpu.shares", shares));
            quota.into_iter().flatten().chain(shares).collect()
        }
        Version::V2 => {
            let quota = quota.map(|quota| setting("cpu", "cpu.max", format!("{quota} {CPU_PERIOD}")));
            quota
                .into_iter()
                .chain(shares.map(|shares| setting("cpu", "cpu.weight", weight(shares))))
                .collect()
        }
    }
}

/// 2..=262144 of version 1 on 1..=10000 of version 2, in a straight line. Source: Kubernetes, KEP 2254.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limits: &Limits, version: Version) -> Vec<String> {
        let all = controllers(limits)
            .into_iter()
            .flat_map(|controller| settings(limits, controller, version));
        all.map(
            |Setting {
                 file, value, optional, ..
             }| format!("{file}={value}{}", if optional { "?" } else { "" }),
        )
        .collect()
    }

    /// Values as `runc` writes them for the same options of Docker.
    #[test]
    fn limits_become_what_the_kernel_wants() {
        let limits = Limits::default();
        let memory = Some(64 << 20);
        for (name, limits, v1, v2) in [
            ("nothing", limits.clone(), vec![], vec![]),
            (
                "memory alone: as much swap again",
                Limits {
                    memory_bytes: memory,
                    ..limits.clone()
                },
                vec![
                    "memory.limit_in_bytes=67108864",
                    "memory.memsw.limit_in_bytes=134217728?",
                ],
                vec!["memory.max=67108864", "memory.swap.max=67108864?"],
            ),
            (
                "no swap",
                Limits {
                    memory_bytes: memory,
                    memory_swap_bytes: Some(64 << 20),
                    ..limits.clone()
                },
                vec!["memory.limit_in_bytes=67108864", "memory.memsw.limit_in_bytes=67108864"],
                vec!["memory.max=67108864", "memory.swap.max=0"],
            ),
            (
                "any swap",
                Limits {
                    memory_bytes: memory,
                    memory_swap_bytes: Some(-1),
                    ..limits.clone()
                },
                vec!["memory.limit_in_bytes=67108864", "memory.memsw.limit_in_bytes=-1"],
                vec!["memory.max=67108864", "memory.swap.max=max"],
            ),
            (
                "one and a half processors",
                Limits {
                    cpus: Some(1_500_000),
                    cpu_shares: Some(1024),
                    ..limits.clone()
                },
                vec!["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000", "cpu.shares=1024"],
                vec!["cpu.max=150000 100000", "cpu.weight=39"],
            ),
            (
                "the rest",
                Limits {
                    cpuset_cpus: Some("0-1".to_owned()),
                    pids: Some(100),
                    ..limits
                },
                vec!["cpuset.cpus=0-1", "pids.max=100"],
                vec!["cpuset.cpus=0-1", "pids.max=100"],
            ),
        ] {
            assert_eq!(written(&limits, Version::V1), v1, "{name}, version 1");
            assert_eq!(written(&limits, Version::V2), v2, "{name}, version 2");
        }
    }
}
