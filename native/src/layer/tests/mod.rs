//! Layers against other writers and readers of them, and against archives that mean harm.

mod budget;
mod desync;
mod extract;
mod leak;
mod pack;
mod tar_read;
mod xz;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use super::content::Content;
use super::extract::{Extract, Lower};
use super::tar_read::TarReader;
use super::write::Form;
use crate::error::Error;
use crate::index::entry::Entry;

/// As root snapshots are written.
const FORM: Form = Form {
    opaque: Some(b"trusted.overlay.opaque"),
    owners: crate::layer::write::Owners::Real,
    devices: true,
};

/// Whether the test may do what it needs root for; says so where it may not.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

/// Standard output of a program that must end well.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("TZ", "UTC").output().unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn open(path: &Path) -> OwnedFd {
    std::fs::File::open(path).unwrap().into()
}

/// Nothing below.
struct Scratch;

impl Lower for Scratch {
    fn stat(&self, _: &[u8]) -> Result<Option<Entry>, Error> {
        Ok(None)
    }

    fn content(&self, _: &[u8]) -> Result<Content, Error> {
        Ok(Content::None)
    }
}

/// Unpacks a tar into a directory; gives its entries.
fn extract(tar: &[u8], into: &Path, lower: &dyn Lower) -> Result<Vec<Entry>, Error> {
    let root = open(into);
    let mut extract = Extract::new(Some((&root, FORM)), lower);
    let mut tar = TarReader::new(tar);
    while let Some(header) = tar.next()? {
        extract.add(header, &mut |sink| {
            let mut buffer = [0; 4096];
            loop {
                match tar.read(&mut buffer)? {
                    0 => return Ok(()),
                    count => sink.write_all(&buffer[..count]).unwrap(),
                }
            }
        })?;
    }
    extract.finish()
}
