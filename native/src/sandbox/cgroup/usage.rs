//! What a cgroup says of memory: the most that was used, and how many processes were killed for want of it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::hierarchy::{self, Version};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// `None` where the kernel does not say.
    pub peak_bytes: Option<u64>,
    pub kills: u64,
}

impl Usage {
    pub fn of(directory: &Path, version: Version) -> Self {
        let read = |file: &str| fs::read_to_string(directory.join(file)).unwrap_or_default();
        let (peak, events) = match version {
            Version::V1 => ("memory.max_usage_in_bytes", "memory.oom_control"),
            Version::V2 => ("memory.peak", "memory.events"),
        };
        Self {
            peak_bytes: read(peak).trim().parse().ok(),
            kills: kills(&read(events)),
        }
    }
}

/// Of `memory.oom_control`, `memory.events` and /proc/vmstat, which all have a line `oom_kill 3`.
fn kills(text: &str) -> u64 {
    let count = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    text.lines().find_map(count).unwrap_or(0)
}

/// Counts kills around containers without a cgroup of their own: in the cgroup that we are in, else on the whole machine.
pub struct Counter(Option<File>);

impl Counter {
    pub fn open() -> Self {
        let hierarchies = hierarchy::find(Path::new("/proc/self")).unwrap_or_default();
        let places = hierarchies.iter().filter_map(|hierarchy| {
            let file = match hierarchy.version {
                Version::V1 => "memory.oom_control",
                Version::V2 => "memory.events",
            };
            File::open(hierarchy.own.as_ref()?.join(file)).ok()
        });
        Self(places.into_iter().next().or_else(|| File::open("/proc/vmstat").ok()))
    }

    /// 0 where nothing counts.
    pub fn read(&self) -> u64 {
        let mut bytes = [0; 16 * 1024];
        let count = self
            .0
            .as_ref()
            .and_then(|file| file.read_at(&mut bytes, 0).ok())
            .unwrap_or(0);
        kills(&String::from_utf8_lossy(&bytes[..count]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files as kernels 4.19 to 6.18 have them.
    #[test]
    fn kills_are_found_in_all_files_that_count_them() {
        for (text, want) in [
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
            ("low 0\nhigh 0\nmax 61\noom 1\noom_kill 1\noom_group_kill 0\n", 1),
            ("nr_free_pages 1\noom_kill 7\nnuma_hit 1\n", 7),
            ("oom_kill_disable 0\nunder_oom 0\n", 0),
        ] {
            assert_eq!(kills(text), want, "{text}");
        }
    }

    #[test]
    fn a_cgroup_is_read_in_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("memory.max_usage_in_bytes", "67108864\n"),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
            ("memory.events", "oom_kill 3\n"),
        ] {
            fs::write(folder.path().join(file), text).unwrap();
        }
        assert_eq!(
            Usage::of(folder.path(), Version::V1),
            Usage {
                peak_bytes: Some(64 << 20),
                kills: 1
            }
        );
        // memory.peak came with 5.19.
        assert_eq!(
            Usage::of(folder.path(), Version::V2),
            Usage {
                peak_bytes: None,
                kills: 3
            }
        );
    }
}
