//! The container of a RUN.

use crate::context::RequestContext;
use crate::error::Error;
use crate::protocol::{Empty, SandboxParams, SandboxResult, SandboxSignalParams};
use crate::session::Session;

/// `sandbox.run`.
pub fn run(_session: &Session, _params: SandboxParams, _request: &RequestContext) -> Result<SandboxResult, Error> {
    Err(Error::internal("method \"sandbox.run\" is not there"))
}

/// `sandbox.signal`.
pub fn signal(_session: &Session, _params: SandboxSignalParams) -> Result<Empty, Error> {
    Err(Error::internal("method \"sandbox.signal\" is not there"))
}
