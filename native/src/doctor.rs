//! What `cooper doctor` shows.

use crate::error::Error;
use crate::protocol::{CheckState, DoctorCheck, DoctorResult};
use crate::session::Session;

pub fn doctor(session: &Session) -> Result<DoctorResult, Error> {
    let mode = DoctorCheck {
        name: "mode".to_owned(),
        state: CheckState::Ok,
        detail: format!("{:?}: {}", session.mode, session.reason),
        hint: None,
    };
    Ok(DoctorResult { checks: vec![mode] })
}
