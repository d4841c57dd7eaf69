//! Removal of cgroups, also of those that a killed worker left: each is written down in `tmp/<lease>/cgroups` before it is made.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::session::Session;
use crate::store::Store;

const LIST: &str = "cgroups";
const MOST_LIST_BYTES: u64 = 16 * 1024 * 1024;
/// Processes of a container that was just killed may still be on their way out.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);
/// Cgroups below ours are made by who was given all rights; so deep that is looked for.
const MOST_DEPTH: u32 = 64;

/// A name that nobody has had: the lease says whose it is.
pub fn group_name(session: &Session) -> String {
    session.temporary_name(&format!("cooper-{}", session.lease.name))
}

/// Writes down what is about to be made.
pub fn note(session: &Session, path: &Path) -> Result<(), Error> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file =
        openat(session.temporary(), LIST, flags, Mode::RUSR | Mode::WUSR).doing(|| "open the list of cgroups")?;
    File::from(file)
        .write_all(format!("{}\n", path.display()).as_bytes())
        .doing(|| "write the list of cgroups")
}

/// Removes what a dead lease's worker made. An error leaves the list where it is, for the next command.
pub fn sweep(store: &Store, lease: &str) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = match openat(store.root(), format!("tmp/{lease}/{LIST}"), flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error).doing(|| "open a list of cgroups"),
    };
    let mut list = String::new();
    file.take(MOST_LIST_BYTES)
        .read_to_string(&mut list)
        .doing(|| "read a list of cgroups")?;
    // A line without its end was never followed by a cgroup.
    let whole = list.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for path in whole.lines().rev() {
        let is_ours = path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with(&format!("cooper-{lease}-")));
        if is_ours {
            remove(Path::new(path)).doing(|| format!("remove cgroup \"{path}\""))?;
        } else {
            // A parent that it made for its own: others' containers may be in it by now, or it is gone.
            let _ = fs::remove_dir(path);
        }
    }
    Ok(())
}

/// Removes a cgroup and those below it, once their processes have ended. One that is gone is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    for attempt in 0..TRIES {
        match remove_tree(path, 0) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && attempt + 1 < TRIES => {
                // Version 2 has a file for that; elsewhere the end of the pid namespace has killed them.
                let _ = super::write(&path.join("cgroup.kill"), "1");
                sleep(PAUSE);
            }
            other => return other,
        }
    }
    Ok(())
}

fn remove_tree(path: &Path, depth: u32) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) && depth < MOST_DEPTH => {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    remove_tree(&entry.path(), depth + 1)?;
                }
            }
            fs::remove_dir(path)
        }
        other => other,
    }
}
