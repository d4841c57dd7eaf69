//! Who started whom, by /proc.

use std::collections::BTreeMap;
use std::fs;

/// Of all processes that we see, the parent of each.
pub fn parents() -> BTreeMap<i32, i32> {
    let parent = |process: i32| parent_of(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?);
    all()
        .into_iter()
        .filter_map(|process| Some((process, parent(process)?)))
        .collect()
}

/// All processes that we see.
pub fn all() -> Vec<i32> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Of a line of /proc/PID/stat, in which the name may hold anything. Source: proc_pid_stat(5).
fn parent_of(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        assert_eq!(parent_of("12 (a) b) (c) S 7 12 12 0"), Some(7));
        assert_eq!(parent_of("12"), None);
    }

    #[test]
    fn our_own_parent_is_found() {
        let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get());
        assert_eq!(parents().get(&(std::process::id() as i32)).copied(), parent);
    }
}
