//! Handles: host directories (or files) that the builder named once. They are held open, so nothing can be put in their place.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::context::lock;
use crate::error::Error;
use crate::protocol::{Access, Empty, HandleOpenParams};
use crate::session::Session;

/// A host directory or file. `fd` is open with O_PATH for `read`s of any file; open what is below it with openat.
#[derive(Debug)]
pub struct Handle {
    pub fd: OwnedFd,
    pub access: Access,
    /// For messages only.
    pub path: String,
}

#[derive(Default)]
pub struct Handles(Mutex<BTreeMap<String, Arc<Handle>>>);

impl Handles {
    pub fn get(&self, name: &str) -> Result<Arc<Handle>, Error> {
        let found = lock(&self.0).get(name).map(Arc::clone);
        found.ok_or_else(|| Error::internal(format!("handle \"{name}\" was not opened")))
    }

    /// A handle that may be written to.
    pub fn writable(&self, name: &str) -> Result<Arc<Handle>, Error> {
        let handle = self.get(name)?;
        match handle.access {
            Access::Write => Ok(handle),
            Access::Read => Err(Error::internal(format!("handle \"{name}\" was opened for reading"))),
        }
    }
}

/// `handle.open`.
pub fn open(session: &Session, params: HandleOpenParams) -> Result<Empty, Error> {
    let fd = openat(CWD, &params.path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|error| {
        let error = std::io::Error::from(error);
        Error::user("CONTEXT_INVALID", format!("cannot open \"{}\": {error}", params.path))
    })?;
    let handle = Handle {
        fd,
        access: params.access,
        path: params.path,
    };
    if lock(&session.handles.0)
        .insert(params.handle.clone(), Arc::new(handle))
        .is_some()
    {
        return Err(Error::internal(format!("handle \"{}\" is open already", params.handle)));
    }
    Ok(Empty {})
}
