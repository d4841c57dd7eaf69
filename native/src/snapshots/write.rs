//! Writes what a stack of layers shows to a directory.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags, Stat, XattrFlags, linkat, mkdirat};
use rustix::io::Errno;

use super::clone;
use super::stack::{Members, Shown, Stack, What};
use crate::context::CancelToken;
use crate::error::{Doing, Error};
use crate::index::path;
use crate::layer::marks;
use crate::tree::host::open_beneath;

/// How files come into the new directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Other names of the same files, for what is never written in place, with whiteouts and this mark of opaque directories.
    Block { opaque: &'static [u8] },
    /// The same for a stack that stands on nothing, where whiteouts have done their work.
    Links,
    /// Files of its own, of such a stack: one for each name. An overlay keeps no names together either, once one of them is written to.
    Copies,
}

/// Writes to an empty directory, whose own attributes stay.
pub fn write(stack: &Stack<'_>, target: &OwnedFd, how: How, cancel: Option<&CancelToken>) -> Result<(), Error> {
    let writer = Writer {
        stack,
        target,
        how,
        cancel,
    };
    writer.directory(b"", &stack.root())
}

struct Writer<'a> {
    stack: &'a Stack<'a>,
    target: &'a OwnedFd,
    how: How,
    cancel: Option<&'a CancelToken>,
}

impl Writer<'_> {
    fn directory(&self, at: &[u8], members: &Members) -> Result<(), Error> {
        self.check()?;
        let target = self.open(at)?;
        let entries: Vec<(Vec<u8>, Shown)> = self.stack.list(at, members)?.into_iter().collect();
        let entry = |(name, shown): &(Vec<u8>, Shown)| self.entry(at, name, shown, &target);
        // Few names are quicker done than handed out.
        if entries.len() < 8 {
            entries.iter().try_for_each(entry)
        } else {
            entries.par_iter().with_min_len(4).try_for_each(entry)
        }
    }

    fn check(&self) -> Result<(), Error> {
        self.cancel.map_or(Ok(()), CancelToken::check)
    }

    fn entry(&self, at: &[u8], name: &[u8], shown: &Shown, target: &OwnedFd) -> Result<(), Error> {
        let here = path::join(at, name);
        match &shown.what {
            What::Whiteout => match self.how {
                How::Block { opaque } => {
                    marks::make_whiteout(target, name, opaque).doing(|| doing("make a whiteout of", &here))
                }
                How::Links | How::Copies => Ok(()),
            },
            What::Leaf(layer) => self.leaf(*layer, &here, &shown.stat),
            What::Directory(members) => {
                mkdirat(target, OsStr::from_bytes(name), Mode::RWXU).doing(|| doing("make", &here))?;
                self.directory(&here, members)?;
                self.finish(&here, members, &shown.stat)
            }
        }
    }

    fn leaf(&self, layer: usize, at: &[u8], stat: &Stat) -> Result<(), Error> {
        let (parent, name) = path::split(at);
        let name = OsStr::from_bytes(name);
        let (source, target) = (self.stack.open(layer, parent)?, self.open(parent)?);
        if self.how != How::Copies {
            match linkat(&source, name, &target, name, AtFlags::empty()) {
                Ok(()) => return Ok(()),
                // A file can have so many names only (65,000 on ext4), or none but its own: then it is copied.
                Err(Errno::MLINK | Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error).doing(|| doing("link", at)),
            }
        }
        clone::leaf(&source, &target, name, stat).doing(|| doing("copy", at))
    }

    fn open(&self, at: &[u8]) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        open_beneath(self.target, at, flags, Mode::empty()).doing(|| doing("open", at))
    }

    /// A directory has the attributes of the top one.
    fn finish(&self, at: &[u8], members: &Members, stat: &Stat) -> Result<(), Error> {
        let target = self.open(at)?;
        if let Some(&top) = members.layers.first() {
            let source = self.stack.open(top, at)?;
            clone::attributes(&source, &target, stat).doing(|| doing("set the attributes of", at))?;
        }
        if let How::Block { opaque } = self.how
            && members.opaque
        {
            rustix::fs::fsetxattr(&target, opaque, b"y", XattrFlags::empty()).doing(|| doing("mark", at))?;
        }
        Ok(())
    }
}

fn doing(what: &str, at: &[u8]) -> String {
    format!("{what} \"{}\" of a directory of layers", path::show(at))
}
