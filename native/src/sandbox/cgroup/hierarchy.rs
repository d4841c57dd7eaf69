//! Where this machine has its cgroups and where we are in them: version 1 (a tree for each controller), version 2 (one tree) or both, as
//! /proc/self/cgroup and /proc/self/mountinfo say. Source: cgroups(7).

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::{Doing, Error};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// One tree of cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    pub version: Version,
    /// Of version 1: what it controls, `name=…` for one that only groups. Those of version 2 stand in its own files.
    pub controllers: Vec<String>,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The cgroup that we are in; `None` when the mount does not show it.
    pub own: Option<PathBuf>,
}

/// All trees that are mounted, in the order of /proc/self/cgroup. `proc` is `/proc/self`, but in tests.
pub fn find(proc: &Path) -> Result<Vec<Hierarchy>, Error> {
    let read = |name: &str| fs::read_to_string(proc.join(name)).doing(|| format!("read /proc/self/{name}"));
    let (memberships, mounts) = (read("cgroup")?, read("mountinfo")?);
    Ok(memberships
        .lines()
        .filter_map(|line| hierarchy(line, &mounts))
        .collect())
}

/// Of one line of /proc/self/cgroup: `4:cpu,cpuacct:/path`, or `0::/path` of version 2.
fn hierarchy(line: &str, mounts: &str) -> Option<Hierarchy> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let version = if controllers.is_empty() {
        Version::V2
    } else {
        Version::V1
    };
    let controllers: Vec<_> = controllers
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let shown = mounts
        .lines()
        .filter_map(mount)
        .filter(|mount| mount.is_of(version, &controllers));
    let mut places: Vec<_> = shown.map(|mount| (mount.own(path), mount.point)).collect();
    // Of several mounts of one tree one that shows us; the sort is stable.
    places.sort_by_key(|(own, _)| own.is_none());
    let (own, mount) = places.into_iter().next()?;
    Some(Hierarchy {
        version,
        controllers,
        mount,
        own,
    })
}

/// A line of mountinfo. Source: proc(5).
struct Mount<'a> {
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: Vec<&'a str>,
}

fn mount(line: &str) -> Option<Mount<'_>> {
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ').skip(3);
    let (root, point) = (unescape(front.next()?), unescape(front.next()?));
    let mut back = back.split(' ');
    let (kind, _source) = (back.next()?, back.next()?);
    let options = back.next().unwrap_or_default().split(',').collect();
    Some(Mount {
        root,
        point,
        kind,
        options,
    })
}

impl Mount<'_> {
    fn is_of(&self, version: Version, controllers: &[String]) -> bool {
        match version {
            Version::V2 => self.kind == "cgroup2",
            Version::V1 => {
                self.kind == "cgroup" && controllers.iter().all(|name| self.options.contains(&name.as_str()))
            }
        }
    }

    /// Where a cgroup is seen. Those outside of a cgroup namespace begin with `/..`.
    fn own(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        plain.then(|| self.point.join(below))
    }
}

/// The kernel writes space, tab, newline and backslash as `\040` and its like.
fn unescape(text: &str) -> PathBuf {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => plain.push(char::from(byte)),
            None => plain.push('\\'),
        }
        plain.push_str(part.get(3..).unwrap_or_default());
    }
    PathBuf::from(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchies(cgroup: &str, mountinfo: &str) -> Vec<Hierarchy> {
        let proc = tempfile::tempdir().unwrap();
        fs::write(proc.path().join("cgroup"), cgroup).unwrap();
        fs::write(proc.path().join("mountinfo"), mountinfo).unwrap();
        find(proc.path()).unwrap()
    }

    fn v1(controllers: &[&str], mount: &str, own: Option<&str>) -> Hierarchy {
        Hierarchy {
            version: Version::V1,
            controllers: controllers.iter().map(|&name| name.to_owned()).collect(),
            mount: mount.into(),
            own: own.map(PathBuf::from),
        }
    }

    fn v2(mount: &str, own: Option<&str>) -> Hierarchy {
        Hierarchy {
            version: Version::V2,
            ..v1(&[], mount, own)
        }
    }

    /// Lines as the kernel prints them on machines of each kind.
    #[test]
    fn each_kind_of_machine_is_understood() {
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
            35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let memory = "/sys/fs/cgroup/memory";
        let unified = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
        for (name, cgroup, mountinfo, want) in [
            (
                "hybrid",
                "9:name=systemd:/user.slice\n4:memory:/a/b\n1:cpu,cpuacct:/\n0::/user.slice\n",
                hybrid,
                vec![
                    v1(
                        &["name=systemd"],
                        "/sys/fs/cgroup/systemd",
                        Some("/sys/fs/cgroup/systemd/user.slice"),
                    ),
                    v1(&["memory"], memory, Some("/sys/fs/cgroup/memory/a/b")),
                    v1(
                        &["cpu", "cpuacct"],
                        "/sys/fs/cgroup/cpu,cpuacct",
                        Some("/sys/fs/cgroup/cpu,cpuacct"),
                    ),
                    v2("/sys/fs/cgroup/unified", Some("/sys/fs/cgroup/unified/user.slice")),
                ],
            ),
            (
                "version 2",
                "0::/user.slice/user-1000.slice/session-2.scope\n",
                unified,
                vec![v2(
                    "/sys/fs/cgroup",
                    Some("/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope"),
                )],
            ),
            (
                "a container of version 1 without a cgroup namespace",
                "4:memory:/docker/0123\n",
                "35 31 0:32 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
                vec![v1(&["memory"], memory, Some(memory))],
            ),
            (
                "a cgroup outside of the namespace",
                "0::/../other\n",
                unified,
                vec![v2("/sys/fs/cgroup", None)],
            ),
            ("a controller that is mounted nowhere", "4:memory:/\n", unified, vec![]),
            (
                "of two mounts the one that shows us",
                "0::/a\n",
                "30 23 0:26 /b /other rw - cgroup2 cgroup2 rw\n31 23 0:26 /a /a\\040place rw - cgroup2 cgroup2 rw\n",
                vec![v2("/a place", Some("/a place"))],
            ),
            ("nothing", "", "", vec![]),
        ] {
            assert_eq!(hierarchies(cgroup, mountinfo), want, "{name}");
        }
    }
}
