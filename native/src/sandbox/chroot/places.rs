//! Places in a step's directory that hold something else while its program runs: what stood there waits aside, and comes back. Everything is done
//! by descriptors below the directory; what the program does with the paths meanwhile leads nowhere else.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, openat, readlinkat, renameat, statat,
    unlinkat,
};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::resolve::{MOST_LINKS, openat2};
use crate::session::{DIRECTORY, Session};
use crate::snapshots::clone::set_times;
use crate::store::make_directory;

pub struct Places<'a> {
    session: &'a Session,
    root: OwnedFd,
    /// Where everything waits: a folder in `tmp/<lease>`.
    aside: OwnedFd,
    folder: String,
    done: Vec<Done>,
    /// Paths whose ctime is our doing.
    touched: Vec<String>,
}

/// A name in a directory of the root.
pub struct Place {
    pub parent: OwnedFd,
    pub name: String,
    path: String,
}

/// Where a directory goes back to.
pub struct Home {
    pub parent: OwnedFd,
    pub name: String,
}

/// What is undone, the last first.
enum Done {
    /// A directory that only leads to a place.
    Made(Place),
    /// `waiting`: the name of what stood there; `erase`: bytes that must not lie around.
    Filled {
        place: Place,
        waiting: Option<String>,
        home: Option<Home>,
        erase: bool,
    },
}

/// What a place is wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
}

impl<'a> Places<'a> {
    pub fn new(session: &'a Session, root: &OwnedFd) -> Result<Self, Error> {
        let folder = session.temporary_name("aside");
        make_directory(session.temporary(), &folder)?;
        let aside = openat(session.temporary(), &folder, DIRECTORY, Mode::empty()).doing(|| "open a folder")?;
        let root = root.try_clone().doing(|| "duplicate a descriptor")?;
        Ok(Self {
            session,
            root,
            aside,
            folder,
            done: Vec::new(),
            touched: Vec::new(),
        })
    }

    /// A new directory, to be filled and moved to its place.
    pub fn new_directory(&self) -> Result<(Home, OwnedFd), Error> {
        let name = self.session.temporary_name("new");
        make_directory(self.aside.as_fd(), &name)?;
        let directory = openat(&self.aside, &name, DIRECTORY, Mode::empty()).doing(|| "open a folder")?;
        let parent = self.aside.try_clone().doing(|| "duplicate a descriptor")?;
        Ok((Home { parent, name }, directory))
    }

    /// Makes a place free, fills it, and remembers how it was.
    pub fn fill(
        &mut self,
        target: &str,
        kind: Kind,
        fill: impl FnOnce(&Place) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let place = self.find(target, kind)?;
        let before = fstat(&place.parent).doing(|| "stat a directory")?;
        let waiting = self.put_aside(&place)?;
        // Noted first: what is filled in part is cleared too.
        self.done.push(Done::Filled {
            place,
            waiting,
            home: None,
            erase: false,
        });
        let Some(Done::Filled { place, .. }) = self.done.last() else {
            return Err(Error::internal("a place was not noted"));
        };
        fill(place)?;
        set_times(&place.parent, &before).doing(|| "set the time of a directory")
    }

    /// Moves a directory to a place. What it leaves goes with the folder that it came from.
    pub fn put(&mut self, target: &str, from: &Home) -> Result<(), Error> {
        self.fill(target, Kind::Directory, |place| {
            renameat(&from.parent, &*from.name, &place.parent, &*place.name)
                .doing(|| format!("move a directory to \"{target}\""))
        })
    }

    /// Moves a directory to a place; it goes home in the end.
    pub fn lend(&mut self, target: &str, from: Home) -> Result<(), Error> {
        self.put(target, &from)?;
        if let Some(Done::Filled { home, .. }) = self.done.last_mut() {
            *home = Some(from);
        }
        Ok(())
    }

    /// Overwrites the file of the last place before it goes.
    pub fn erase_last(&mut self) {
        if let Some(Done::Filled { erase, .. }) = self.done.last_mut() {
            *erase = true;
        }
    }

    fn put_aside(&self, place: &Place) -> Result<Option<String>, Error> {
        let waiting = self.session.temporary_name("waiting");
        match renameat(&place.parent, &*place.name, &self.aside, &*waiting) {
            Ok(()) => Ok(Some(waiting)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).doing(|| format!("move \"{}\" aside", place.path)),
        }
    }

    /// Where a path of the image leads to; directories on the way are made.
    fn find(&mut self, target: &str, kind: Kind) -> Result<Place, Error> {
        let mut path = target.to_owned();
        for _ in 0..MOST_LINKS {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let parent = self.directory(above)?;
            match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                    let link = readlinkat(&parent, name, Vec::new()).doing(|| "read a symlink")?;
                    let link = link.into_string().map_err(|_| unsupported(target))?;
                    path = super::super::mounts::clean(&if link.starts_with('/') {
                        link
                    } else {
                        format!("/{}/{link}", self.name_of(&parent)?)
                    });
                }
                Ok(stat) => return self.check(parent, name, &stat, (target, kind)),
                Err(Errno::NOENT) => return self.place(parent, name),
                Err(error) => return Err(error).doing(|| format!("find \"{target}\"")),
            }
        }
        Err(unsupported(target))
    }

    fn check(&self, parent: OwnedFd, name: &str, stat: &Stat, (target, kind): (&str, Kind)) -> Result<Place, Error> {
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_directory == (kind == Kind::Directory) {
            return self.place(parent, name);
        }
        let (is, wants) = if is_directory {
            ("a directory", "a file")
        } else {
            ("a file", "a directory")
        };
        let message = format!("mount target \"{target}\" is {is} in the image, and {wants} is to be mounted there");
        Err(Error::user("UNSUPPORTED", message))
    }

    fn place(&self, parent: OwnedFd, name: &str) -> Result<Place, Error> {
        let path = format!("{}/{name}", self.name_of(&parent)?);
        Ok(Place {
            parent,
            name: name.to_owned(),
            path: path.trim_start_matches('/').to_owned(),
        })
    }

    /// Opens a directory of the image, as its symlinks lead; makes what is missing.
    pub fn directory(&mut self, path: &str) -> Result<OwnedFd, Error> {
        let wanted = if path.is_empty() { "/" } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.root, wanted, flags, Mode::empty(), resolve) {
            Ok(found) => return Ok(found),
            Err(Errno::NOENT) if !path.is_empty() => {}
            Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Err(unsupported(path)),
            Err(error) => return Err(error).doing(|| format!("open \"{path}\" of the image")),
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.directory(above)?;
        let before = fstat(&parent).doing(|| "stat a directory")?;
        match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            // A symlink that leads nowhere.
            Err(Errno::EXIST) => return Err(unsupported(path)),
            made => made.doing(|| format!("make \"{path}\""))?,
        }
        set_times(&parent, &before).doing(|| "set the time of a directory")?;
        let made = openat(&parent, name, DIRECTORY, Mode::empty()).doing(|| format!("open \"{path}\""))?;
        let place = self.place(parent, name)?;
        self.done.push(Done::Made(place));
        Ok(made)
    }

    /// Where an open directory lies below the root.
    fn name_of(&self, directory: &OwnedFd) -> Result<String, Error> {
        let path = |file: &OwnedFd| {
            readlinkat(CWD, format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new())
                .doing(|| "read the name of a directory")
        };
        let (root, path) = (path(&self.root)?, path(directory)?);
        let within = Path::new(OsStr::from_bytes(path.to_bytes())).strip_prefix(OsStr::from_bytes(root.to_bytes()));
        within
            .ok()
            .and_then(Path::to_str)
            .map(str::to_owned)
            .ok_or_else(|| Error::user("UNSUPPORTED", "a mount target's name is not UTF-8"))
    }

    /// Puts everything back. Gives the paths whose ctime is our doing.
    pub fn undo(mut self) -> Result<Vec<String>, Error> {
        self.undo_all()?;
        Ok(std::mem::take(&mut self.touched))
    }

    /// One that cannot be undone keeps no other from it; the first error counts.
    fn undo_all(&mut self) -> Result<(), Error> {
        let mut result = Ok(());
        while let Some(done) = self.done.pop() {
            result = result.and(self.undo_one(done));
        }
        result
    }

    fn undo_one(&mut self, done: Done) -> Result<(), Error> {
        let parent = match &done {
            Done::Made(place) | Done::Filled { place, .. } => &place.parent,
        };
        let parent = parent.try_clone().doing(|| "duplicate a descriptor")?;
        let before = fstat(&parent).doing(|| "stat a directory")?;
        let place = match done {
            Done::Made(place) => {
                match unlinkat(&parent, &*place.name, AtFlags::REMOVEDIR) {
                    // The program put something into it, or has removed it: then it is the program's.
                    Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR) => {}
                    Err(error) => return Err(error).doing(|| format!("remove \"{}\"", place.path)),
                }
                place
            }
            Done::Filled {
                place,
                waiting,
                home,
                erase,
            } => {
                if erase {
                    erase_file(&place)?;
                }
                self.empty(&place, home)?;
                if let Some(waiting) = waiting {
                    self.put_back(&place, &waiting)?;
                }
                place
            }
        };
        set_times(&parent, &before).doing(|| "set the time of a directory")?;
        let above = place.path.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
        self.touched.extend([above, place.path]);
        Ok(())
    }

    fn empty(&self, place: &Place, home: Option<Home>) -> Result<(), Error> {
        let gone = self.session.temporary_name("gone");
        let moved = match &home {
            Some(home) => renameat(&place.parent, &*place.name, &home.parent, &*home.name),
            None => renameat(&place.parent, &*place.name, &self.aside, &*gone),
        };
        match moved {
            // The program has removed it.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error).doing(|| format!("clear \"{}\"", place.path)),
        }
    }

    fn put_back(&self, place: &Place, waiting: &str) -> Result<(), Error> {
        match renameat(&self.aside, waiting, &place.parent, &*place.name) {
            // The program has removed the directory around it.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error).doing(|| format!("put \"{}\" back", place.path)),
        }
    }
}

/// More than any secret has: what is longer the program has made so.
const MOST_ERASED_BYTES: u64 = 1024 * 1024;

/// Whatever other names the program has given it, the bytes are gone.
fn erase_file(place: &Place) -> Result<(), Error> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // The program may have put something else there, which has nothing to be erased.
    let Ok(file) = openat(&place.parent, &*place.name, flags, Mode::empty()) else {
        return Ok(());
    };
    let stat = fstat(&file).doing(|| "stat a secret")?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(());
    }
    let zeros = vec![0; (stat.st_size as u64).min(MOST_ERASED_BYTES) as usize];
    let mut at = 0;
    while at < zeros.len() {
        at += rustix::io::pwrite(&file, &zeros[at..], at as u64).doing(|| "erase a secret")?;
    }
    Ok(())
}

fn unsupported(path: &str) -> Error {
    Error::user(
        "UNSUPPORTED",
        format!("nothing can be mounted at \"{path}\" of the image"),
    )
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        let undone = self.undo_all();
        for error in [undone, self.session.discard_temporary(&self.folder)]
            .into_iter()
            .filter_map(Result::err)
        {
            eprintln!("cooper-worker: {error}");
        }
    }
}
