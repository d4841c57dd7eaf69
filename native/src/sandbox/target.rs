//! Places within the container's root: found without leaving it, made where they are missing, and remembered when they are stubs only.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};

use crate::error::{Doing, Error};
use crate::owner;
use crate::resolve::{MOST_LINKS, openat2};
use crate::snapshots::clone::times;

use super::root::PROC_MAGIC;
use super::spec::{Stubs, Touched};
use super::user::User;

const PATH_ONLY: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// The root of the container, after pivot_root: nothing else of the machine can be reached from it.
pub struct Root {
    pub directory: OwnedFd,
    /// `/proc/self/fd` of a procfs of ours: names the place of an open file.
    pub names: OwnedFd,
    pub stubs: Stubs,
}

/// What of a tree is to be mounted, without leaving it.
pub fn find_part(whole: impl AsFd, path: &str, target: &str) -> Result<OwnedFd, Error> {
    match openat2(whole, path, PATH_ONLY, Mode::empty(), IN_ROOT) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {
            let message = format!("\"{path}\", to be mounted at \"{target}\", is not there");
            Err(Error::user("COPY_SOURCE_MISSING", message))
        }
        found => found.doing(|| format!("find \"{path}\", to be mounted at \"{target}\"")),
    }
}

impl Root {
    /// Opens a file for reading; magic links and whatever lies outside are refused by the kernel.
    pub fn open_file(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        openat2(&self.directory, path, flags, Mode::empty(), IN_ROOT)
    }

    pub fn find(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { "/" } else { path };
        openat2(&self.directory, path, PATH_ONLY, Mode::empty(), IN_ROOT)
    }

    /// Hangs a mount at `path`; makes a stub where there is nothing. `check` is shown what is there, once: looked up again it may be something
    /// else, where others write.
    pub fn attach(
        &mut self,
        mount: BorrowedFd<'_>,
        path: &str,
        check: impl Fn(BorrowedFd<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let directory = is_directory(mount)?;
        let target = match self.find(path) {
            Ok(target) => check(target.as_fd()).map(|()| target)?,
            Err(Errno::NOENT) => self.make_stub(path, directory)?,
            Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {
                return Err(Error::user(
                    "UNSUPPORTED",
                    format!("nothing can be mounted at \"{path}\" of the image"),
                ));
            }
            Err(error) => return Err(error).doing(|| format!("find mount target \"{path}\"")),
        };
        if is_directory(target.as_fd())? != directory {
            let (is, wants) = if directory {
                ("a file", "a directory")
            } else {
                ("a directory", "a file")
            };
            let message = format!("mount target \"{path}\" is {is} in the image, and {wants} is to be mounted there");
            return Err(Error::user("UNSUPPORTED", message));
        }
        place(mount, target.as_fd()).doing(|| format!("mount at \"{path}\""))
    }

    fn make_stub(&mut self, path: &str, directory: bool) -> Result<OwnedFd, Error> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let (above, name) = split(&path);
            let parent = walk(self, above, &For::Mount, MOST_LINKS)?;
            if let Some(next) = follow(above, &parent, name)? {
                path = next;
                continue;
            }
            self.remember(&parent)?;
            let before = fstat(&parent).doing(|| "stat a directory")?;
            if directory {
                made(&path, mkdirat(&parent, name, Mode::from_raw_mode(0o755)))?;
            } else {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                made(&path, openat(&parent, name, flags, Mode::from_raw_mode(0o644)))?;
            }
            restore_time(&parent, &before)?;
            let stub = made(
                &path,
                openat(&parent, name, PATH_ONLY | OFlags::NOFOLLOW, Mode::empty()),
            )?;
            let place = self.name_of(&stub)?;
            self.stubs.made.push(place);
            return Ok(stub);
        }
        Err(Error::user(
            "UNSUPPORTED",
            format!("mount target \"{path}\" is behind too many symlinks"),
        ))
    }

    /// Notes a directory that gets a stub, as it is now, unless it is a stub itself.
    fn remember(&mut self, directory: &OwnedFd) -> Result<(), Error> {
        let path = self.name_of(directory)?;
        if self.stubs.made.contains(&path) || self.stubs.touched.iter().any(|touched| touched.path == path) {
            return Ok(());
        }
        let stat = fstat(directory).doing(|| "stat a directory")?;
        let mtime = (stat.st_mtime, stat.st_mtime_nsec as i64);
        self.stubs.touched.push(Touched {
            path,
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime,
        });
        Ok(())
    }

    /// Where an open file lies, relative to the root.
    fn name_of(&self, file: &OwnedFd) -> Result<String, Error> {
        use std::os::fd::AsRawFd as _;
        let path =
            readlinkat(&self.names, file.as_raw_fd().to_string(), Vec::new()).doing(|| "read the name of a file")?;
        let path = path
            .into_string()
            .map_err(|_| Error::user("UNSUPPORTED", "a mount target's name is not UTF-8"))?;
        Ok(path.trim_start_matches('/').to_owned())
    }
}

/// Moves a detached mount onto an open place.
pub fn place(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let by_descriptor = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, c"", target, c"", by_descriptor)
}

/// Opens a directory; makes it and its parents, 0755 and the user's, where they are missing. Source: BuildKit, `runcExecutor.Run`.
pub fn make_directories(root: &Root, path: &str, user: &User, emulated: bool) -> Result<OwnedFd, Error> {
    let mut scratch = Root {
        directory: clone(&root.directory)?,
        names: clone(&root.names)?,
        stubs: Stubs::default(),
    };
    walk(&mut scratch, path, &For::User(user, emulated), MOST_LINKS)
}

/// What directories are made for.
enum For<'a> {
    /// They go again.
    Mount,
    /// They stay. Whether ids are emulated.
    User(&'a User, bool),
}

fn clone(descriptor: &OwnedFd) -> Result<OwnedFd, Error> {
    descriptor.try_clone().doing(|| "duplicate a descriptor")
}

/// Goes down one name at a time, each resolved from the root, so that a symlink in the middle leads where it leads the program.
fn walk(root: &mut Root, path: &str, made_for: &For<'_>, links: u32) -> Result<OwnedFd, Error> {
    match root.find(path) {
        Ok(found) if is_directory(found.as_fd())? => return Ok(found),
        Ok(_) => {
            return Err(Error::user(
                "RUN_FAILED",
                format!("\"{path}\" is not a directory in the image"),
            ));
        }
        Err(Errno::NOENT) if links > 0 => {}
        // A magic link of /proc, for one, would lead to whatever is open somewhere.
        Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {
            return Err(Error::user(
                "RUN_FAILED",
                format!("\"{path}\" leads to no directory of the image"),
            ));
        }
        Err(error) => return Err(error).doing(|| format!("find \"{path}\"")),
    }
    let (above, name) = split(path);
    if name.is_empty() {
        return Err(Error::internal("the container has no root"));
    }
    let parent = walk(root, above, made_for, links)?;
    if let Some(next) = follow(above, &parent, name)? {
        return walk(root, &next, made_for, links - 1);
    }
    let before = fstat(&parent).doing(|| "stat a directory")?;
    if matches!(made_for, For::Mount) {
        root.remember(&parent)?;
    }
    made(path, mkdirat(&parent, name, Mode::from_raw_mode(0o755)))?;
    let flags = PATH_ONLY | OFlags::NOFOLLOW | OFlags::DIRECTORY;
    let directory = made(path, openat(&parent, name, flags, Mode::empty()))?;
    match made_for {
        For::Mount => {
            restore_time(&parent, &before)?;
            let place = root.name_of(&directory)?;
            root.stubs.made.push(place);
        }
        For::User(user, emulated) => {
            // By a descriptor that can hold an attribute.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(&parent, name, flags, Mode::empty())
                .and_then(|directory| owner::give(directory, (user.uid, user.gid), *emulated))
                .doing(|| format!("give \"{path}\" its owner"))?;
        }
    }
    Ok(directory)
}

/// What was not there is made, and then opened. That it is there now, or is gone or something else, is the doing of who shares a mount with us.
fn made<T>(path: &str, outcome: rustix::io::Result<T>) -> Result<T, Error> {
    match outcome {
        Err(Errno::EXIST | Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            let message = format!("\"{path}\" was changed by another program while it was made");
            Err(Error::user("RUN_FAILED", message).hint("steps that change a cache mount at once need sharing=locked"))
        }
        other => other.doing(|| format!("make \"{path}\"")),
    }
}

/// Where a dangling symlink leads, as a path from the root.
fn follow(above: &str, parent: &OwnedFd, name: &str) -> Result<Option<String>, Error> {
    // There a link is no path: what it shows may be a descriptor that was opened on the way here.
    if rustix::fs::fstatfs(parent).doing(|| "stat a directory")?.f_type as i64 == PROC_MAGIC {
        return Err(Error::user(
            "RUN_FAILED",
            format!("\"{above}/{name}\" is not there, and nothing can be made in /proc"),
        ));
    }
    let link = match readlinkat(parent, name, Vec::new()) {
        Ok(link) => link,
        // Nothing there, or no symlink.
        Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
        Err(error) => return Err(error).doing(|| format!("read symlink \"{above}/{name}\"")),
    };
    let link = link
        .into_string()
        .map_err(|_| Error::user("UNSUPPORTED", "a symlink to a mount target is not UTF-8"))?;
    Ok(Some(if link.starts_with('/') {
        link
    } else {
        format!("{above}/{link}")
    }))
}

/// A directory that only got a stub looks as it did.
fn restore_time(directory: &OwnedFd, before: &rustix::fs::Stat) -> Result<(), Error> {
    rustix::fs::utimensat(directory, ".", &times(before), AtFlags::empty()).doing(|| "set the time of a directory")
}

fn split(path: &str) -> (&str, &str) {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').unwrap_or(("", path))
}

pub fn is_directory(file: BorrowedFd<'_>) -> Result<bool, Error> {
    let stat = fstat(file).doing(|| "stat a mount")?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn paths_split_at_their_last_name() {
        for (path, want) in [
            ("/a/b", ("/a", "b")),
            ("/a", ("", "a")),
            ("/a/b/", ("/a", "b")),
            ("/", ("", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split(path), want, "{path}");
        }
    }
}
