//! A blob on its way into the store: written to a temporary file, digested as it passes, synced, and renamed to its digest.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::pack::finish;
use crate::digest::Digest;
use crate::error::{Doing, Error};

/// Removes its file unless it was kept.
pub struct BlobWriter {
    file: File,
    path: PathBuf,
    digest: Context,
    size: u64,
}

impl BlobWriter {
    /// `path`: a name that does not exist yet, on the filesystem of the store.
    pub fn create(path: PathBuf) -> Result<Self, Error> {
        let file = File::create_new(&path).doing(|| format!("create {}", path.display()))?;
        Ok(Self {
            file,
            path,
            digest: Context::new(&SHA256),
            size: 0,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .doing(|| format!("write {}", self.path.display()))
    }

    /// Syncs it and gives it its place in `blobs` (`blobs/sha256`). The same blob may be there already: then ours is dropped.
    pub fn keep(self, blobs: &Path) -> Result<(Digest, u64), Error> {
        let digest = self.digest();
        if !blobs.join(digest.hex()).exists() {
            self.file
                .sync_data()
                .doing(|| format!("sync {}", self.path.display()))?;
            self.place(blobs, &digest)?;
        }
        Ok((digest, self.size))
    }

    /// As `keep`, for a folder that does not outlive this process: nothing is synced.
    pub fn keep_for_now(self, blobs: &Path) -> Result<(Digest, u64), Error> {
        let digest = self.digest();
        self.place(blobs, &digest)?;
        Ok((digest, self.size))
    }

    fn digest(&self) -> Digest {
        Digest::from_bytes(&finish(self.digest.clone()))
    }

    fn place(&self, blobs: &Path, digest: &Digest) -> Result<(), Error> {
        let place = blobs.join(digest.hex());
        std::fs::rename(&self.path, &place).doing(|| format!("rename a blob to {}", place.display()))
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        // Gone when it was renamed; otherwise the sweep of the lease takes what cannot be removed now.
        let _ = std::fs::remove_file(&self.path);
    }
}
