//! Reads a directory in overlay form (a snapshot's files) as the entries of a layer. What marks whiteouts and opaque directories: marks.rs.
//! Sources: the kernel's Documentation/filesystems/overlayfs.rst, OCI image-spec layer.md.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::content::Content;
use super::layout::Item;
use super::marks::{is_opaque, is_whiteout};
use crate::error::{Doing, Error};
use crate::index::entry::{Entry, Kind, Meta};
use crate::index::path;
use crate::owner::{self, Owners};
use crate::tree::host::{Ident, describe, names, open_beneath};
use crate::tree::xattr;

/// All entries of a snapshot in the order of a walk, the root left out (but for an opaque one); sockets are skipped, as in Docker's layers.
/// Where ids are kept beside the files, `owners` has what the marks do not say.
pub fn read_upper(root: Arc<OwnedFd>, owners: Option<&Owners>) -> Result<Vec<Item>, Error> {
    let mut found = Vec::new();
    let top = open_beneath(&*root, b"", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
    let top = top.doing(|| "open a snapshot")?;
    if is_opaque(&top).doing(|| "read an overlay mark")? {
        let mut entry = Entry::new(Vec::new(), Meta::new(Kind::Directory, 0o755));
        entry.opaque = true;
        found.push((entry, None));
    }
    let reader = Reader { root: &root, owners };
    found.extend(reader.walk(b"", &top)?);
    Ok(with_links(root, found))
}

/// All entries of a directory that is no snapshot, the root left out, with what tells each file from its earlier states. Marks of overlays mean
/// nothing there, and sockets and devices are skipped.
pub fn read_plain(root: Arc<OwnedFd>) -> Result<Vec<(Item, Option<Ident>)>, Error> {
    let top = open_beneath(&*root, b"", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
    let top = top.doing(|| "open a cache mount")?;
    let reader = Reader {
        root: &root,
        owners: None,
    };
    let mut found = reader.walk(b"", &top)?;
    found.retain(|(entry, _)| !matches!(entry.meta.kind, Kind::Char | Kind::Block | Kind::Whiteout));
    for (entry, _) in &mut found {
        entry.opaque = false;
    }
    let idents: Vec<Option<Ident>> = found.iter().map(|(_, ident)| *ident).collect();
    Ok(with_links(root, found).into_iter().zip(idents).collect())
}

type Found = (Entry, Option<Ident>);

struct Reader<'a> {
    root: &'a OwnedFd,
    owners: Option<&'a Owners>,
}

impl Reader<'_> {
    /// What is below a directory; subdirectories side by side.
    fn walk(&self, at: &[u8], directory: &OwnedFd) -> Result<Vec<Found>, Error> {
        let mut names = names(directory).doing(|| format!("list \"{}\" of a snapshot", path::show(at)))?;
        names.sort_unstable();
        let below = |name: &Vec<u8>| -> Result<Vec<Found>, Error> {
            let here = path::join(at, name);
            path::check_length(&here)?;
            let Some((entry, ident)) = self.entry(directory, name, &here)? else {
                return Ok(Vec::new());
            };
            if !entry.meta.is_dir() {
                return Ok(vec![(entry, Some(ident))]);
            }
            let opened = open_beneath(self.root, &here, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
            let opened = opened.doing(|| format!("open \"{}\" of a snapshot", path::show(&here)))?;
            let mut entry = entry;
            entry.meta.xattrs = read_xattrs(&opened, &here)?;
            entry.opaque = is_opaque(&opened).doing(|| "read an overlay mark")?;
            self.read_marks(&opened, &here, &mut entry.meta)?;
            let mut found = vec![(entry, None)];
            found.extend(self.walk(&here, &opened)?);
            Ok(found)
        };
        // Few names are quicker done than handed out.
        let parts: Result<Vec<Vec<Found>>, Error> = if names.len() < 8 {
            names.iter().map(below).collect()
        } else {
            names.par_iter().with_min_len(4).map(below).collect()
        };
        Ok(parts?.into_iter().flatten().collect())
    }

    fn entry(&self, directory: &OwnedFd, name: &[u8], here: &[u8]) -> Result<Option<(Entry, Ident)>, Error> {
        let os_name = OsStr::from_bytes(name);
        let stat = rustix::fs::statat(directory, os_name, AtFlags::SYMLINK_NOFOLLOW);
        let stat = stat.doing(|| format!("stat \"{}\" of a snapshot", path::show(here)))?;
        let (mut meta, ident) = describe(directory, os_name, &stat)?;
        if is_whiteout(self.root, here, &stat).doing(|| "read an overlay mark")? {
            return Ok(Some((Entry::new(here.to_vec(), Meta::new(Kind::Whiteout, 0)), ident)));
        }
        match meta.kind {
            Kind::Socket => return Ok(None),
            Kind::File => {
                let file = open_beneath(self.root, here, OFlags::RDONLY | OFlags::NOFOLLOW, Mode::empty());
                let file = file.doing(|| format!("open \"{}\" of a snapshot", path::show(here)))?;
                meta.xattrs = read_xattrs(&file, here)?;
                self.read_marks(&file, here, &mut meta)?;
            }
            _ => {
                if let Some(owners) = self.owners {
                    let name = owner::lasting_name_at(directory, os_name)
                        .doing(|| format!("read the owner of \"{}\"", path::show(here)))?;
                    (meta.uid, meta.gid) = owners.of(here, name.as_deref());
                }
            }
        }
        Ok(Some((Entry::new(here.to_vec(), meta), ident)))
    }

    /// Where the kernel has one id: whose a file is, and which device it stands for.
    fn read_marks(&self, file: &OwnedFd, here: &[u8], meta: &mut Meta) -> Result<(), Error> {
        let Some(owners) = self.owners else { return Ok(()) };
        let doing = || format!("read the owner of \"{}\"", path::show(here));
        (meta.uid, meta.gid) = owner::read(file).doing(doing)?.unwrap_or(owners.maker);
        if meta.kind != Kind::File || meta.size != 0 {
            return Ok(());
        }
        let device = match xattr::get(file, owner::DEVICE.as_bytes()) {
            Ok(value) => owner::parse_device(&value),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => None,
            Err(error) => return Err(error).doing(doing),
        };
        if let Some((block, numbers)) = device {
            meta.kind = if block { Kind::Block } else { Kind::Char };
            meta.device = numbers;
        }
        Ok(())
    }
}

fn read_xattrs(file: impl AsFd, here: &[u8]) -> Result<crate::index::entry::Xattrs, Error> {
    xattr::read(file).doing(|| format!("read the extended attributes of \"{}\"", path::show(here)))
}

/// The first name of a file holds its content, the others become hard links to it.
fn with_links(root: Arc<OwnedFd>, found: Vec<Found>) -> Vec<Item> {
    let mut first: HashMap<(u64, u64), Vec<u8>> = HashMap::new();
    let item = |(mut entry, ident): Found| {
        if let Some(ident) = ident.filter(|ident| ident.links > 1 && entry.meta.kind == Kind::File) {
            match first.entry((ident.device, ident.inode)) {
                std::collections::hash_map::Entry::Occupied(link) => {
                    entry.meta.kind = Kind::Hardlink;
                    entry.meta.link.clone_from(link.get());
                    entry.meta.size = 0;
                    entry.meta.xattrs.clear();
                }
                std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(entry.path.clone())),
            }
        }
        let content = match entry.meta.kind {
            Kind::File => Content::Snapshot {
                root: root.clone(),
                path: entry.path.clone(),
            },
            _ => Content::None,
        };
        Item { entry, content }
    };
    found.into_iter().map(item).collect()
}
