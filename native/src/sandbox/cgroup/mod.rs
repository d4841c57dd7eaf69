//! A cgroup for a container, where a limit or a parent is asked for: otherwise none is made. It is a directory in each tree that has to do
//! with it, named after the lease; the next command removes what a killed one left.

mod base;
mod hierarchy;
mod settings;
pub mod sweep;
mod usage;
pub mod view;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::context::lock;
use crate::error::Error;
use crate::protocol::{CheckState, DoctorCheck, Limits, SandboxParams};
use crate::session::Session;

use base::Base;
use hierarchy::{Hierarchy, Version};
pub use usage::{Counter, Usage};

/// What `docker` and ours can limit.
const CONTROLLERS: [&str; 4] = ["memory", "cpu", "cpuset", "pids"];

/// One at a time makes room for cgroups of version 2.
static MAKING: Mutex<()> = Mutex::new(());

/// Parents that were asked for, and that we made. Containers share them: the last one to go takes them along.
static PARENTS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
/// Another command may remove a parent in the moment in which we need it.
const PARENT_TRIES: u32 = 16;

/// The cgroup of one container, in one tree or several. Removed when it is dropped, which is to be after the container's end.
pub struct Group {
    directories: Vec<PathBuf>,
    /// Where processes are put into it, by writing "0".
    entrances: Vec<OwnedFd>,
    memory: Option<(PathBuf, Version)>,
}

/// `None` when nothing was asked for.
pub fn make(session: &Session, params: &SandboxParams) -> Result<Option<Group>, Error> {
    if params.limits.is_none() && params.cgroup_parent.is_none() {
        return Ok(None);
    }
    let limits = params.limits.clone().unwrap_or_default();
    let _one = lock(&MAKING);
    let hierarchies = hierarchy::find(Path::new("/proc/self"))?;
    let plan = plan(&hierarchies, &limits, params.cgroup_parent.as_deref()).map_err(refused)?;
    let name = sweep::group_name(session);
    let mut group = Group {
        directories: Vec::new(),
        entrances: Vec::new(),
        memory: None,
    };
    for (base, version, controllers) in plan {
        group.add(session, &base, &name, version).map_err(refused)?;
        let directory = base.path.join(&name);
        for controller in controllers {
            apply(&directory, &limits, controller, version).map_err(|reason| match controller {
                "cpuset" => refused(reason).hint(allowed_processors()),
                _ => refused(reason),
            })?;
            if controller == "memory" {
                group.memory = Some((directory.clone(), version));
            }
        }
    }
    Ok(Some(group))
}

fn refused(reason: String) -> Error {
    Error::user("LIMIT_UNAVAILABLE", format!("the limit cannot be set here: {reason}"))
        .hint("\"cooper doctor\" says which limits this machine allows; without root, start cooper with \"systemd-run --user --scope -p Delegate=yes\"")
}

/// Of a set that the kernel does not take: what there is to choose from.
fn allowed_processors() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    match list.map(str::trim) {
        Some(list) => format!("name processors that cooper itself may run on: {list}"),
        None => "name processors that cooper itself may run on".to_owned(),
    }
}

/// Where a cgroup has to be made, and for which controllers.
type Planned = (Base, Version, Vec<&'static str>);

fn plan(hierarchies: &[Hierarchy], limits: &Limits, parent: Option<&str>) -> Result<Vec<Planned>, String> {
    let needed = settings::controllers(limits);
    if let Some(missing) = needed
        .iter()
        .find(|name| !hierarchies.iter().any(|hierarchy| has(hierarchy, name)))
    {
        return Err(format!("this machine has no cgroups with the controller \"{missing}\""));
    }
    let mut left = needed;
    let mut planned = Vec::new();
    for hierarchy in hierarchies {
        let (here, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|name| has(hierarchy, name));
        left = others;
        match parent {
            // Everything in it is to be counted there, so each tree has it.
            Some(parent) if !here.is_empty() || hierarchy.own.is_some() => {
                let path = below(&hierarchy.mount, parent)?;
                planned.push((base::given(hierarchy, path, &here), hierarchy.version, here));
            }
            None if !here.is_empty() => planned.push((base::choose(hierarchy, &here)?, hierarchy.version, here)),
            _ => {}
        }
    }
    Ok(planned)
}

fn has(hierarchy: &Hierarchy, controller: &str) -> bool {
    match hierarchy.version {
        Version::V1 => hierarchy.controllers.iter().any(|name| name == controller),
        Version::V2 => {
            let list = fs::read_to_string(hierarchy.mount.join("cgroup.controllers")).unwrap_or_default();
            list.split_whitespace().any(|name| name == controller)
        }
    }
}

/// A parent is a path from the root of the tree, as in BuildKit. The builder has checked it; here it cannot leave the tree either.
fn below(mount: &Path, parent: &str) -> Result<PathBuf, String> {
    let names: Vec<_> = parent
        .split('/')
        .filter(|name| !name.is_empty() && *name != ".")
        .collect();
    if names.iter().any(|name| *name == ".." || name.contains('\0')) {
        return Err(format!("\"{parent}\" is no cgroup"));
    }
    Ok(names.iter().fold(mount.to_owned(), |path, name| path.join(name)))
}

impl Group {
    /// Makes it below one base.
    fn add(&mut self, session: &Session, base: &Base, name: &str, version: Version) -> Result<(), String> {
        let directory = base.path.join(name);
        note(session, &directory)?;
        let mut tries = 0..PARENT_TRIES;
        while let Err(reason) = make_below(session, base, &directory, version) {
            // Otherwise another command has taken a parent along.
            if base.path.exists() || tries.next().is_none() {
                return Err(reason);
            }
        }
        self.directories.push(directory.clone());
        if version == Version::V1 {
            inherit_cpuset(&directory);
        }
        let procs = directory.join("cgroup.procs");
        let entrance = OpenOptions::new()
            .write(true)
            .open(&procs)
            .map_err(|error| told("open", &procs, &error))?;
        self.entrances.push(entrance.into());
        Ok(())
    }

    pub fn entrances(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.entrances.iter().map(AsFd::as_fd)
    }

    /// What its memory came to; `None` where it does not count memory.
    pub fn usage(&self) -> Option<Usage> {
        let (directory, version) = self.memory.as_ref()?;
        Some(Usage::of(directory, *version))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in self.directories.iter().rev() {
            if let Err(error) = sweep::remove(directory) {
                eprintln!("cooper-worker: remove cgroup {}: {error}", directory.display());
            }
        }
        remove_parents();
    }
}

/// Its name is written down first: of what is not there the sweep removes nothing.
fn note(session: &Session, path: &Path) -> Result<(), String> {
    sweep::note(session, path).map_err(|error| error.to_string())
}

/// A parent that was asked for and is not there is made, and goes again with the last of our containers, when nobody else uses it.
fn make_parents(session: &Session, path: &Path, version: Version) -> Result<(), String> {
    let mut missing: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
    missing.reverse();
    for path in missing {
        note(session, path)?;
        match fs::create_dir(path) {
            Ok(()) => lock(&PARENTS).insert(path.to_owned()),
            // Another command was quicker: it is that one's.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            // It went while we looked: whoever needs it looks again.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(told("make", path, &error)),
        };
        if version == Version::V1 {
            inherit_cpuset(path);
        }
    }
    Ok(())
}

fn make_below(session: &Session, base: &Base, directory: &Path, version: Version) -> Result<(), String> {
    make_parents(session, &base.path, version)?;
    if let Some(leaf) = &base.leaf {
        make_room(&base.path, leaf)?;
    }
    for path in base.above.iter().chain([&base.path]) {
        enable(path, &base.enable)?;
    }
    fs::create_dir(directory).map_err(|error| told("make", directory, &error))
}

/// Never with what is in them: that is other containers', ours or another command's. A parent that is in use stays.
fn remove_parents() {
    let mut parents = lock(&PARENTS);
    // A path comes before those below it.
    let deepest_first: Vec<_> = parents.iter().rev().cloned().collect();
    for path in deepest_first {
        match fs::remove_dir(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {}
            _ => drop(parents.remove(&path)),
        }
    }
}

fn told(doing: &str, path: &Path, error: &std::io::Error) -> String {
    format!("{doing} \"{}\": {error}", path.display())
}

fn apply(directory: &Path, limits: &Limits, controller: &str, version: Version) -> Result<(), String> {
    for setting in settings::settings(limits, controller, version) {
        let file = directory.join(setting.file);
        if setting.optional && !file.exists() {
            continue;
        }
        write(&file, &setting.value)
            .map_err(|error| told(&format!("write \"{}\" to", setting.value), &file, &error))?;
    }
    Ok(())
}

/// Never makes a file.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

/// What is given already is left alone: it may be somebody else's to give.
fn enable(path: &Path, controllers: &[String]) -> Result<(), String> {
    let file = path.join("cgroup.subtree_control");
    let given = fs::read_to_string(&file).unwrap_or_default();
    let lacking = controllers
        .iter()
        .filter(|name| !given.split_whitespace().any(|word| word == **name));
    for name in lacking {
        write(&file, &format!("+{name}")).map_err(|error| told("write", &file, &error))?;
    }
    Ok(())
}

/// Moves all processes of a cgroup to a child of it. New ones may appear while we do.
fn make_room(path: &Path, leaf: &Path) -> Result<(), String> {
    const ROUNDS: usize = 16;
    if !leaf.exists() {
        fs::create_dir(leaf).map_err(|error| told("make", leaf, &error))?;
    }
    for _ in 0..ROUNDS {
        let there = base::processes(path);
        if there.is_empty() {
            break;
        }
        for process in there {
            match write(&leaf.join("cgroup.procs"), &process.to_string()) {
                Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                    return Err(told("move processes to", leaf, &error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// A new cgroup of version 1 has no processors and no memory nodes, and takes no process without. Other trees lack the files.
fn inherit_cpuset(directory: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let above = directory
            .parent()
            .and_then(|parent| fs::read_to_string(parent.join(file)).ok());
        if let Some(above) = above {
            // What is missing then is said when the program is put into it.
            let _ = write(&directory.join(file), above.trim());
        }
    }
}

/// Which limits can be had here.
pub fn doctor() -> DoctorCheck {
    let hierarchies = hierarchy::find(Path::new("/proc/self")).unwrap_or_default();
    let is_there = |version| hierarchies.iter().any(|hierarchy| hierarchy.version == version);
    let version = match (is_there(Version::V1), is_there(Version::V2)) {
        (true, true) => "version 1 and 2 (hybrid)",
        (true, false) => "version 1",
        (false, true) => "version 2",
        (false, false) => "none",
    };
    let find = |name: &'static str| hierarchies.iter().find(|hierarchy| has(hierarchy, name));
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for name in CONTROLLERS {
        match find(name).map(|hierarchy| base::choose(hierarchy, &[name])) {
            Some(Ok(_)) => can.push(name),
            Some(Err(reason)) => cannot.push(format!("{name} cannot be limited: {reason}")),
            None => cannot.push(format!("{name} cannot be limited: no cgroup has it")),
        }
    }
    let able = if can.is_empty() {
        String::new()
    } else {
        format!("; {} can be limited", can.join(", "))
    };
    let detail = [format!("{version}{able}")]
        .into_iter()
        .chain(cannot.iter().cloned())
        .collect::<Vec<_>>()
        .join("; ");
    DoctorCheck {
        name: "cgroups".to_owned(),
        // Only for limits: without them a step runs all the same.
        state: if cannot.is_empty() {
            CheckState::Ok
        } else {
            CheckState::Degraded
        },
        detail,
        hint: (!cannot.is_empty()).then(|| {
            "run cooper as root, or in a delegated cgroup: systemd-run --user --scope -p Delegate=yes cooper ..."
                .to_owned()
        }),
    }
}

/// Puts the calling process into a cgroup.
pub fn enter<'a>(entrances: impl Iterator<Item = &'a OwnedFd>) -> Result<(), Error> {
    for entrance in entrances {
        rustix::io::write(entrance, b"0").map_err(|error| {
            refused(format!(
                "put the program into its cgroup: {}",
                std::io::Error::from(error)
            ))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    struct Sleeper(Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A cgroup that looks to us like the root of a container's namespace, below the one that we are in.
    fn top() -> Option<(Hierarchy, String)> {
        let found = hierarchy::find(Path::new("/proc/self")).ok()?;
        let own = found.into_iter().find(|tree| tree.version == Version::V2)?.own?;
        let top = own.join(format!(
            "cooper-test-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::create_dir(&top).ok()?;
        let controllers = fs::read_to_string(top.join("cgroup.controllers")).ok()?;
        let Some(controller) = controllers.split_whitespace().next() else {
            fs::remove_dir(&top).unwrap();
            return None;
        };
        let hierarchy = Hierarchy {
            version: Version::V2,
            controllers: Vec::new(),
            mount: top.clone(),
            own: Some(top),
        };
        Some((hierarchy, controller.to_owned()))
    }

    #[test]
    fn version_2_gets_room_made_and_everything_goes_again() {
        let Some((hierarchy, controller)) = top() else {
            eprintln!("skipped: no cgroup of version 2 with a controller can be made here");
            return;
        };
        let top = hierarchy.mount.clone();
        let sleeper = Sleeper(Command::new("sleep").arg("100000").spawn().unwrap());
        let process = sleeper.0.id().to_string();
        write(&top.join("cgroup.procs"), &process).unwrap();
        let base = base::choose(&hierarchy, &[&controller]).unwrap();
        let leaf = base.leaf.clone().unwrap();
        assert_eq!(base.enable, [controller.as_str()]);
        enable(&top, &base.enable).expect_err("the kernel lets no cgroup with processes give controllers away");
        make_room(&top, &leaf).unwrap();
        enable(&top, &base.enable).unwrap();
        let group = top.join("group");
        fs::create_dir(&group).unwrap();
        write(&group.join("cgroup.procs"), &process).unwrap();
        assert!(
            fs::read_to_string(group.join("cgroup.controllers"))
                .unwrap()
                .contains(&controller)
        );
        // Its process is killed for that.
        sweep::remove(&group).unwrap();
        assert!(!group.exists());
        sweep::remove(&top).unwrap();
        assert!(!top.exists());
        drop(sleeper);
    }

    #[test]
    fn a_parent_that_was_asked_for_gets_the_controllers_from_the_root_on() {
        let Some((hierarchy, controller)) = top() else {
            eprintln!("skipped: no cgroup of version 2 with a controller can be made here");
            return;
        };
        let parent = hierarchy.mount.join("ci/builds");
        fs::create_dir_all(&parent).unwrap();
        let base = base::given(&hierarchy, parent.clone(), &[&controller]);
        for path in base.above.iter().chain([&base.path]) {
            enable(path, &base.enable).unwrap();
        }
        assert!(
            fs::read_to_string(parent.join("cgroup.subtree_control"))
                .unwrap()
                .contains(&controller)
        );
        sweep::remove(&hierarchy.mount).unwrap();
    }

    #[test]
    fn a_parent_goes_with_the_last_container_and_never_before() {
        let Some((hierarchy, _)) = top() else {
            eprintln!("skipped: no cgroup of version 2 with a controller can be made here");
            return;
        };
        let parent = hierarchy.mount.join("ci");
        let other = parent.join("other");
        fs::create_dir_all(&other).unwrap();
        lock(&PARENTS).insert(parent.clone());
        let mut sleeper = Sleeper(Command::new("sleep").arg("100000").spawn().unwrap());
        write(&other.join("cgroup.procs"), &sleeper.0.id().to_string()).unwrap();
        remove_parents();
        assert!(other.exists());
        assert!(
            sleeper.0.try_wait().unwrap().is_none(),
            "a program of another container was killed"
        );
        drop(sleeper);
        sweep::remove(&other).unwrap();
        remove_parents();
        assert!(!parent.exists());
        sweep::remove(&hierarchy.mount).unwrap();
    }

    #[test]
    fn a_parent_stays_within_the_tree() {
        let mount = Path::new("/sys/fs/cgroup");
        for (parent, want) in [
            ("/ci//builds/", Some("/sys/fs/cgroup/ci/builds")),
            ("ci/./x", Some("/sys/fs/cgroup/ci/x")),
            ("/ci/../..", None),
        ] {
            assert_eq!(below(mount, parent).ok().as_deref(), want.map(Path::new), "{parent}");
        }
    }
}
