//! Starting supervisors, and other processes of ours.

use std::fs::File;
use std::io::{Seek, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::error::{Doing, Error};

/// The argument that makes this binary a supervisor.
pub const ARGUMENT: &str = "supervise-container";

/// Starts this binary, which is at `binary`, as another of our processes: without environment, with a socket to us as its stdin.
pub fn spawn_ourselves(binary: &str, argument: &str) -> std::io::Result<(UnixStream, Child)> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = Command::new(binary)
        .arg0("cooper-worker")
        .arg(argument)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .spawn()?;
    Ok((ours, child))
}

/// A supervisor and the worker's end of its socket.
pub struct Supervisor {
    pub socket: UnixStream,
    child: Child,
}

impl Drop for Supervisor {
    /// With its socket closed it kills its container and ends, or has ended already; then it is reaped.
    fn drop(&mut self) {
        // A socket whose peer is gone is as good as closed.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Err(error) = self.child.wait() {
            eprintln!("cooper-worker: wait for a supervisor: {error}");
        }
    }
}

/// Starts supervisors.
#[derive(Default)]
pub struct Supervisors {
    binary: OnceLock<OwnedFd>,
}

impl Supervisors {
    pub fn start(&self) -> Result<Supervisor, Error> {
        let binary = format!("/proc/self/fd/{}", self.binary()?.as_raw_fd());
        let (socket, child) = spawn_ourselves(&binary, ARGUMENT).doing(|| "start a supervisor")?;
        Ok(Supervisor { socket, child })
    }

    /// A sealed copy of this binary: an image can make its kernel run `/proc/self/exe`, but it cannot write to what it finds there.
    fn binary(&self) -> Result<&OwnedFd, Error> {
        if let Some(binary) = self.binary.get() {
            return Ok(binary);
        }
        let doing = || "copy the worker's binary";
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = match memfd_create("cooper-worker", flags | MemfdFlags::EXEC) {
            // Before 6.3 all of them can be executed, and the flag is unknown.
            Err(rustix::io::Errno::INVAL) => memfd_create("cooper-worker", flags),
            other => other,
        };
        let mut copy = File::from(memory.doing(doing)?);
        let mut binary = File::open("/proc/self/exe").doing(doing)?;
        std::io::copy(&mut binary, &mut copy).doing(doing)?;
        copy.flush().and_then(|()| copy.rewind()).doing(doing)?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&copy, seals).doing(doing)?;
        Ok(self.binary.get_or_init(|| copy.into()))
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::fcntl_get_seals;

    use super::*;

    #[test]
    fn nobody_can_write_to_what_becomes_a_container() {
        let supervisors = Supervisors::default();
        let binary = supervisors.binary().unwrap();
        let seals = fcntl_get_seals(binary).unwrap();
        assert!(seals.contains(SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL));
        let mut writer = File::from(binary.try_clone().unwrap());
        assert_eq!(writer.write(b"x").unwrap_err().raw_os_error(), Some(libc::EPERM));
    }
}
