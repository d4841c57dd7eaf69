//! Where the bytes of an entry come from while a layer is packed.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use crate::error::{Doing, Error};
use crate::index::path;
use crate::tree::host::{HostDir, open_beneath};

/// The bytes of one file, not yet opened.
#[derive(Debug, Clone)]
pub enum Content {
    /// Of anything that is no regular file.
    None,
    Bytes(Arc<[u8]>),
    /// A file that the user may be writing to: the bytes count that it had when it was found, even if it grows meanwhile.
    Live {
        directory: HostDir,
        path: Vec<u8>,
    },
    /// A part of a file of our own.
    Part {
        file: Arc<File>,
        offset: u64,
        size: u64,
    },
    /// A file of a snapshot: nobody changes it any more.
    Snapshot {
        root: Arc<OwnedFd>,
        path: Vec<u8>,
    },
}

impl Content {
    /// Opens it for reading at any offset.
    pub fn open(&self) -> Result<Opened<'_>, Error> {
        match self {
            Self::None => Ok(Opened {
                source: Bytes::Memory(&[]),
                path: b"",
            }),
            Self::Bytes(bytes) => Ok(Opened {
                source: Bytes::Memory(bytes),
                path: b"",
            }),
            Self::Live { directory, path } => Ok(Opened {
                source: Bytes::File(directory.open(path)?),
                path,
            }),
            Self::Part { file, offset, size } => Ok(Opened {
                source: Bytes::Part {
                    file,
                    offset: *offset,
                    size: *size,
                },
                path: b"",
            }),
            Self::Snapshot { root, path } => {
                let file = open_beneath(root, path, OFlags::RDONLY | OFlags::NOFOLLOW, Mode::empty());
                let file = file.doing(|| format!("open \"{}\" in a snapshot", path::show(path)))?;
                Ok(Opened {
                    source: Bytes::File(File::from(file)),
                    path,
                })
            }
        }
    }
}

/// An open content.
pub struct Opened<'a> {
    source: Bytes<'a>,
    path: &'a [u8],
}

enum Bytes<'a> {
    Memory(&'a [u8]),
    Part { file: &'a File, offset: u64, size: u64 },
    File(File),
}

impl Opened<'_> {
    /// Fills `buffer` from `offset`. A file that has become shorter meanwhile is an error: its place in the tar is already fixed.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        let shorter = || {
            let message = format!("\"{}\" became shorter while it was copied", path::show(self.path));
            Error::user("COPY_FAILED", message).hint("build again when nothing writes to the context")
        };
        match &self.source {
            Bytes::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(|_| shorter())?;
                buffer.copy_from_slice(bytes.get(start..start + buffer.len()).ok_or_else(shorter)?);
                Ok(())
            }
            Bytes::Part {
                file,
                offset: begin,
                size,
            } => {
                if offset + buffer.len() as u64 > *size {
                    return Err(shorter());
                }
                file.read_exact_at(buffer, begin + offset)
                    .doing(|| "read an unpacked archive")
            }
            Bytes::File(file) => match file.read_exact_at(buffer, offset) {
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(shorter()),
                done => done.doing(|| format!("read \"{}\"", path::show(self.path))),
            },
        }
    }

    /// The file, where there is one: for copies inside the kernel.
    pub fn file(&self) -> Option<&File> {
        match &self.source {
            Bytes::File(file) => Some(file),
            Bytes::Memory(_) | Bytes::Part { .. } => None,
        }
    }
}
