//! The way of a container's first process into the user namespace of containers: by a process between, so that the supervisor keeps its rights.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Uid};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use rustix::thread::{
    LinkNameSpaceType, move_into_link_name_space, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::error::{Doing, Error};
use crate::syscalls;

use super::device;
use super::idmap::FIRST;
use super::rlimits;

pub struct Container {
    namespace: OwnedFd,
    /// Its devices, which nobody there can make.
    pub nodes: OwnedFd,
}

impl Container {
    /// `place` is that of the user namespace.
    pub fn prepare(descriptors: &[OwnedFd], place: usize) -> Result<Self, Error> {
        let namespace = descriptors
            .get(place)
            .ok_or_else(|| Error::internal("no user namespace"))?;
        let namespace = namespace.try_clone().doing(|| "duplicate a descriptor")?;
        let nodes = device::make_folder(FIRST).doing(|| "make devices")?;
        Ok(Self { namespace, nodes })
    }

    /// As `syscalls::clone_process`, with the namespaces and the child in the user namespace, as its root. The child is ours, not that of the
    /// process between.
    pub fn clone_process(&self, namespaces: libc::c_int) -> Result<Option<Pid>, Error> {
        let doing = || "make namespaces";
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        let Some(between) = syscalls::clone_process(0).doing(doing)? else {
            let cloned = self
                .enter()
                .map_err(std::io::Error::from)
                .and_then(|()| syscalls::clone_process(namespaces | libc::CLONE_PARENT));
            let word = match cloned {
                Ok(None) => return Ok(None),
                Ok(Some(child)) => child.as_raw_nonzero().get(),
                Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
            };
            // Where it cannot be written the supervisor is gone, and the child goes with it.
            let _ = File::from(writing).write_all(&word.to_ne_bytes());
            syscalls::exit_now(0)
        };
        drop(writing);
        let mut word = [0; 4];
        let heard = File::from(reading).read_exact(&mut word);
        syscalls::wait(between).doing(doing)?;
        heard.doing(doing)?;
        match i32::from_ne_bytes(word) {
            number if number < 0 => Err(std::io::Error::from_raw_os_error(-number)).doing(doing),
            number => Ok(Pid::from_raw(number)),
        }
    }

    fn enter(&self) -> rustix::io::Result<()> {
        // There nobody may raise them any more.
        rlimits::lift();
        move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::User))?;
        set_thread_groups(&[])?;
        set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
        set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
    }
}
