//! What an index knows of one path.

use std::time::{SystemTime, UNIX_EPOCH};

/// A sha256.
pub type Sum = [u8; 32];

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    File = 0,
    Directory = 1,
    Symlink = 2,
    /// Another name of a file of the same layer: `link` is its path.
    Hardlink = 3,
    Char = 4,
    Block = 5,
    Fifo = 6,
    Socket = 7,
    /// Deletes what lower layers have there.
    Whiteout = 8,
}

impl Kind {
    pub fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::File,
            Self::Directory,
            Self::Symlink,
            Self::Hardlink,
            Self::Char,
            Self::Block,
            Self::Fifo,
            Self::Socket,
            Self::Whiteout,
        ]
        .get(usize::from(byte))
        .copied()
    }
}

/// Extended attributes, sorted by name.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// Metadata of one path, wherever it stands: on disk, in a tar, in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky: 0..=0o7777.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes; 0 for all but files.
    pub size: u64,
    /// Seconds since the epoch, and nanoseconds.
    pub mtime: (i64, u32),
    /// Target of a symlink, or path of the file that a hard link names.
    pub link: Vec<u8>,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    pub xattrs: Xattrs,
}

impl Meta {
    pub fn new(kind: Kind, mode: u32) -> Self {
        Self {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: 0,
            mtime: (0, 0),
            link: Vec::new(),
            device: (0, 0),
            xattrs: Xattrs::new(),
        }
    }

    /// Of something that no source has a time for: it is made now. Not a fixed time: archivers refuse those before 1980.
    pub fn made_now(kind: Kind, mode: u32) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            mtime: (now.map_or(0, |now| now.as_secs() as i64), 0),
            ..Self::new(kind, mode)
        }
    }

    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// Bytes that it holds beside its own.
    pub fn weight(&self) -> u64 {
        let xattrs: usize = self.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        (self.link.len() + xattrs) as u64
    }
}

/// One path of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root, without `/` at either end; empty is the root itself.
    pub path: Vec<u8>,
    pub meta: Meta,
    /// Of a file's content; None when nobody has read it yet.
    pub sum: Option<Sum>,
    /// Where the content begins in the layer's tar; 0 when it is in none.
    pub offset: u64,
    /// A directory that hides what lower layers have in it.
    pub opaque: bool,
    /// A directory that the tar does not hold but that entries of it stand in: where a lower layer has it, that one's attributes count.
    pub implied: bool,
}

impl Entry {
    pub fn new(path: Vec<u8>, meta: Meta) -> Self {
        Self {
            path,
            meta,
            sum: None,
            offset: 0,
            opaque: false,
            implied: false,
        }
    }
}
