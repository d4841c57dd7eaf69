//! Below which cgroup one of ours can be made. In version 2 that takes more than the right to: a cgroup gives controllers to its children
//! only while no process is in it itself. Source: the kernel's admin-guide/cgroup-v2.rst, "No Internal Process Constraint".

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::super::family;
use super::hierarchy::{Hierarchy, Version};

/// The cgroup that processes of ours go into when they stand in the way. It has no lease's name: whoever comes next is in it already.
const LEAF: &str = "cooper.self";

/// A cgroup that takes children, and what has to be done first.
#[derive(Debug, PartialEq, Eq)]
pub struct Base {
    pub path: PathBuf,
    /// Cgroups above it that have to give the controllers too, from the root on.
    pub above: Vec<PathBuf>,
    /// Controllers to be given to children.
    pub enable: Vec<String>,
    /// A child that the processes in it, all of them ours, have to move to.
    pub leaf: Option<PathBuf>,
}

/// Finds one, or says why there is none.
pub fn choose(hierarchy: &Hierarchy, needed: &[&str]) -> Result<Base, String> {
    let own = hierarchy
        .own
        .as_deref()
        .ok_or("the cgroup that cooper is in is not visible here")?;
    if hierarchy.version == Version::V1 {
        may_change(own, &[])?;
        return Ok(Base {
            path: own.to_owned(),
            above: Vec::new(),
            enable: Vec::new(),
            leaf: None,
        });
    }
    // The parent comes second, as in runc: the shell that started us is most often in our own. The root needs no luck, but root's rights.
    let above = own.parent().filter(|_| own != hierarchy.mount);
    let root = Some(hierarchy.mount.as_path()).filter(|root| Some(*root) != above && *root != own);
    let mut reasons = Vec::new();
    for path in [Some(own), above, root].into_iter().flatten() {
        match check(path, needed) {
            Ok(enable) if enable.is_empty() || !has_processes(path) => {
                return Ok(Base {
                    path: path.to_owned(),
                    above: Vec::new(),
                    enable,
                    leaf: None,
                });
            }
            Ok(_) => reasons.push(format!("\"{}\" has processes of others in it", path.display())),
            Err(reason) => reasons.push(reason),
        }
    }
    match check(own, needed) {
        Ok(enable) if all_ours(own) || own == hierarchy.mount => Ok(Base {
            path: own.to_owned(),
            above: Vec::new(),
            enable,
            leaf: Some(own.join(LEAF)),
        }),
        _ => Err(reasons.join("; ")),
    }
}

/// The one that was asked for. It need not be there yet, so nothing is known of it.
pub fn given(hierarchy: &Hierarchy, path: PathBuf, needed: &[&str]) -> Base {
    let is_shared = hierarchy.version == Version::V2;
    let mut above: Vec<_> = path
        .ancestors()
        .skip(1)
        .take_while(|each| each.starts_with(&hierarchy.mount))
        .map(Path::to_owned)
        .collect();
    above.reverse();
    let enable = needed
        .iter()
        .filter(|_| is_shared)
        .map(|&name| name.to_owned())
        .collect();
    Base {
        path,
        above,
        enable,
        leaf: None,
    }
}

/// What children of it lack of these controllers; `Err` says why they cannot have them.
pub fn check(path: &Path, needed: &[&str]) -> Result<Vec<String>, String> {
    let words = |file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
    let (there, given) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
    let lacks = |list: &str, name: &str| !list.split_whitespace().any(|word| word == name);
    if let Some(missing) = needed.iter().find(|name| lacks(&there, name)) {
        return Err(format!(
            "\"{}\" does not have the controller \"{missing}\"",
            path.display()
        ));
    }
    let enable: Vec<_> = needed
        .iter()
        .filter(|name| lacks(&given, name))
        .map(|&name| name.to_owned())
        .collect();
    let files: &[&str] = if enable.is_empty() {
        &["cgroup.procs"]
    } else {
        &["cgroup.procs", "cgroup.subtree_control"]
    };
    may_change(path, files)?;
    Ok(enable)
}

fn may_change(path: &Path, files: &[&str]) -> Result<(), String> {
    let refused = |path: &Path| {
        access(path, Access::WRITE_OK)
            .err()
            .map(|error| (path.display().to_string(), error))
    };
    match std::iter::once(refused(path))
        .chain(files.iter().map(|file| refused(&path.join(file))))
        .flatten()
        .next()
    {
        None => Ok(()),
        Some((path, error)) => Err(format!("\"{path}\" cannot be written: {}", std::io::Error::from(error))),
    }
}

/// The root of all is exempt from the rule, and lacks the file.
fn has_processes(path: &Path) -> bool {
    path.join("cgroup.type").exists() && !processes(path).is_empty()
}

pub fn processes(path: &Path) -> Vec<i32> {
    let list = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    list.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Whether those in it are what started us, or what we started: nobody else minds when they are moved.
fn all_ours(path: &Path) -> bool {
    let parents = family::parents();
    let ancestors = |process: i32| std::iter::successors(Some(process), |each| parents.get(each).copied());
    let own = std::process::id() as i32;
    let ours: Vec<_> = ancestors(own).take(parents.len() + 1).collect();
    processes(path)
        .into_iter()
        .all(|process| ours.contains(&process) || ancestors(process).take(parents.len() + 1).any(|each| each == own))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a cgroup of version 2: controllers, those that children have, processes.
    fn cgroup(path: &Path, controllers: &str, given: &str, processes: &str) {
        fs::create_dir_all(path).unwrap();
        for (name, text) in [
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", given),
            ("cgroup.procs", processes),
            ("cgroup.type", "domain"),
        ] {
            fs::write(path.join(name), text).unwrap();
        }
    }

    fn hierarchy(mount: &Path, own: &str) -> Hierarchy {
        Hierarchy {
            version: Version::V2,
            controllers: vec![],
            mount: mount.to_owned(),
            own: Some(mount.join(own)),
        }
    }

    /// Layouts of real machines: `(path, controllers, given, processes)`.
    #[test]
    fn a_place_is_found_on_each_kind_of_machine() {
        type Layout<'a> = &'a [(&'a str, &'a str, &'a str, &'a str)];
        let me = std::process::id().to_string();
        let all = "cpuset cpu io memory pids";
        /// Path, controllers to enable, whether room has to be made; or why not.
        type Want<'a> = Result<(&'a str, &'a [&'a str], bool), &'a str>;
        let cases: &[(&str, &str, Layout<'_>, Want<'_>)] = &[
            (
                "systemd's session of root: the slice above has the controllers",
                "user.slice/session.scope",
                &[
                    ("", all, all, ""),
                    ("user.slice", all, "memory pids", ""),
                    ("user.slice/session.scope", "memory pids", "", "1\n"),
                ],
                Ok(("user.slice", &[], false)),
            ),
            (
                "a delegated scope in which we are alone, below a slice that has what is needed",
                "app.slice/build.scope",
                &[
                    ("", all, all, ""),
                    ("app.slice", all, all, ""),
                    ("app.slice/build.scope", all, "", &me),
                ],
                Ok(("app.slice", &[], false)),
            ),
            (
                "a container with its own cgroup namespace: its root, and we have to make room",
                "",
                &[("", all, "", &me)],
                Ok(("", &["memory"], true)),
            ),
            (
                "after that: we are in the leaf",
                "cooper.self",
                &[("", all, "memory", ""), ("cooper.self", all, "", &me)],
                Ok(("", &[], false)),
            ),
            (
                "the controller was not delegated",
                "user.slice",
                &[("", "cpu pids", "cpu pids", ""), ("user.slice", "cpu pids", "", &me)],
                Err("does not have the controller \"memory\""),
            ),
            (
                "others are in the way everywhere",
                "a/b",
                &[
                    ("", all, "", "999999999\n"),
                    ("a", all, "", "999999999\n"),
                    ("a/b", all, "", "999999999\n"),
                ],
                Err("has processes of others in it"),
            ),
        ];
        for (name, own, layout, want) in cases {
            let mount = tempfile::tempdir().unwrap();
            for (path, controllers, given, processes) in *layout {
                cgroup(&mount.path().join(path), controllers, given, processes);
            }
            let got = choose(&hierarchy(mount.path(), own), &["memory"]);
            match (got, want) {
                (Ok(base), Ok((path, enable, leaf))) => {
                    assert_eq!(base.path, mount.path().join(path), "{name}");
                    assert_eq!(
                        (base.enable, base.leaf.is_some()),
                        (enable.iter().map(|&each| each.to_owned()).collect(), *leaf),
                        "{name}"
                    );
                }
                (Err(reason), Err(want)) => assert!(reason.contains(want), "{name}: {reason}"),
                (got, _) => panic!("{name}: {got:?}"),
            }
        }
    }
}
