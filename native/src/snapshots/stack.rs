//! What directories in overlay form show when they lie on each other, read as overlayfs reads them. Source: the kernel's
//! Documentation/filesystems/overlayfs.rst.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, statat};

use crate::error::{Doing, Error};
use crate::index::path;
use crate::layer::marks;
use crate::tree::host::{names, open_beneath};

/// Layers, base first.
pub struct Stack<'a>(pub &'a [OwnedFd]);

/// A name in a directory of a stack.
pub struct Shown {
    pub stat: Stat,
    pub what: What,
}

pub enum What {
    Whiteout,
    /// Of this layer.
    Leaf(usize),
    Directory(Members),
}

/// The layers that a directory is made of, the top one first.
pub struct Members {
    pub layers: Vec<usize>,
    /// Whether something in the stack hides what lies below the lowest of them.
    pub opaque: bool,
}

impl Stack<'_> {
    /// All layers: what the root is made of.
    pub fn root(&self) -> Members {
        Members {
            layers: (0..self.0.len()).rev().collect(),
            opaque: false,
        }
    }

    /// Opens a directory of one layer.
    pub fn open(&self, layer: usize, at: &[u8]) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        open_beneath(&self.0[layer], at, flags, Mode::empty())
            .doing(|| format!("open \"{}\" of a layer", path::show(at)))
    }

    /// What is directly in a directory.
    pub fn list(&self, at: &[u8], members: &Members) -> Result<BTreeMap<Vec<u8>, Shown>, Error> {
        let mut shown: BTreeMap<Vec<u8>, Shown> = BTreeMap::new();
        for &layer in &members.layers {
            let directory = self.open(layer, at)?;
            for name in names(&directory).doing(|| format!("list \"{}\" of a layer", path::show(at)))? {
                match shown.get_mut(&name) {
                    None => {
                        let found = self.read(layer, at, &directory, &name)?;
                        shown.insert(name, found);
                    }
                    Some(Shown {
                        what: What::Directory(above),
                        ..
                    }) if !above.opaque => {
                        match self.read(layer, at, &directory, &name)?.what {
                            What::Directory(below) => {
                                above.layers.extend(below.layers);
                                above.opaque = below.opaque;
                            }
                            // What is no directory, or gone, hides what is below it all the same.
                            What::Whiteout | What::Leaf(_) => above.opaque = true,
                        }
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(shown)
    }

    fn read(&self, layer: usize, at: &[u8], directory: &OwnedFd, name: &[u8]) -> Result<Shown, Error> {
        let here = path::join(at, name);
        let doing = || format!("stat \"{}\" of a layer", path::show(&here));
        let stat = statat(directory, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW).doing(doing)?;
        let what = if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            What::Directory(Members {
                layers: vec![layer],
                opaque: marks::is_opaque(&self.open(layer, &here)?).doing(doing)?,
            })
        } else if marks::is_whiteout(&self.0[layer], &here, &stat).doing(doing)? {
            What::Whiteout
        } else {
            What::Leaf(layer)
        };
        Ok(Shown { stat, what })
    }
}
