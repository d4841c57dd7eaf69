//! Opening paths within a directory.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};
use rustix::path::Arg;

/// Symlinks in one path, as the kernel follows them.
pub const MOST_LINKS: u32 = 40;

/// Who moves names all the time may be faster once or twice; never this often.
const TRIES: u32 = 10_000;

/// `openat2`, again where a rename or a mount anywhere on the machine came between: the kernel then cannot say whether `..` of a path or of a
/// symlink stays within, and asks the caller to try again (EAGAIN). Source: openat2(2).
pub fn openat2(root: impl AsFd, path: impl Arg, flags: OFlags, mode: Mode, resolve: ResolveFlags) -> Result<OwnedFd> {
    path.into_with_c_str(|path| {
        for _ in 1..TRIES {
            match fs::openat2(&root, path, flags, mode, resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done,
            }
        }
        fs::openat2(&root, path, flags, mode, resolve)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn renames_elsewhere_disturb_nothing() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a", "b", "elsewhere"] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
        }
        let root = std::fs::File::open(directory.path()).unwrap();
        let enough = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let [from, to] = ["elsewhere", "moved"].map(|name| directory.path().join(name));
                while !enough.load(Ordering::Relaxed) {
                    std::fs::rename(&from, &to).unwrap();
                    std::fs::rename(&to, &from).unwrap();
                }
            });
            for _ in 0..20_000 {
                let opened = openat2(
                    &root,
                    "a/../b/../a",
                    OFlags::PATH | OFlags::CLOEXEC,
                    Mode::empty(),
                    ResolveFlags::IN_ROOT,
                );
                if opened.is_err() {
                    enough.store(true, Ordering::Relaxed);
                }
                opened.unwrap();
            }
            enough.store(true, Ordering::Relaxed);
        });
    }
}
