//! The walls of a container besides its namespaces, as they were asked for.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::protocol::{SandboxParams, Seccomp, SystemPaths};

use super::capabilities;
use super::seccomp::{Filter, Options};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Security {
    /// The bounding set, in the kernel's bits.
    pub capabilities: u64,
    pub filter: Filter,
    pub no_new_privileges: bool,
    pub insecure: bool,
    /// Whether paths of /proc and /sys are hidden or read-only.
    pub masks: bool,
}

impl Security {
    /// Whether a right was asked for that a container does not have by default: no filter, other capabilities, all of /proc.
    pub fn is_opened(params: &SandboxParams) -> Result<bool, Error> {
        let Some(asked) = &params.security else {
            return Ok(false);
        };
        let unconfined = matches!(asked.seccomp, Some(Seccomp::Unconfined(true))) || asked.system_paths.is_some();
        let capabilities = asked.capabilities.as_deref().map(capabilities::all).transpose()?;
        Ok(unconfined || capabilities.is_some_and(|all| !capabilities::DEFAULT.contains(all)))
    }

    /// A profile is compiled here, where what is wrong with it can be said before anything is made.
    pub fn of(params: &SandboxParams) -> Result<Self, Error> {
        let insecure = params.insecure.unwrap_or(false);
        let asked = params.security.clone().unwrap_or_default();
        let capabilities = asked
            .capabilities
            .as_deref()
            .map_or(Ok(capabilities::DEFAULT), capabilities::all)?;
        let options = Options {
            capabilities: capabilities.bits(),
        };
        let filter = match &asked.seccomp {
            _ if insecure => Filter::None,
            Some(Seccomp::Unconfined(true)) => Filter::None,
            Some(Seccomp::Profile(text)) => Filter::of_profile(text, &options)?,
            Some(Seccomp::Unconfined(false)) | None => Filter::Policy(options),
        };
        Ok(Self {
            capabilities: capabilities.bits(),
            filter,
            no_new_privileges: asked.no_new_privileges.unwrap_or(false),
            insecure,
            masks: !insecure && asked.system_paths != Some(SystemPaths::Unconfined),
        })
    }
}
