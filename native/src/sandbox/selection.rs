//! Bind mounts of a context: a snapshot of the selected files, never the user's own directory.

use std::os::fd::OwnedFd;

use crate::context::RequestContext;
use crate::error::Error;
use crate::protocol::Selection;
use crate::session::Session;

/// Copies the selected files, at their places, into an empty folder.
pub fn materialize(
    _session: &Session,
    _selection: &Selection,
    _into: &OwnedFd,
    _request: &RequestContext,
) -> Result<(), Error> {
    Err(Error::user("UNSUPPORTED", "bind mounts of a context are not there yet"))
}
