//! The seccomp filter of a container, by an emitter of our own: what Docker's default profile allows, or what a profile in its format says.

mod action;
mod architecture;
mod document;
mod emit;
#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod oracle;
mod policy;
mod profile;
#[cfg(test)]
mod tests;

use crate::error::Error;

use architecture::Machine;
use profile::Place;

pub use policy::Options;
pub use profile::Compiled;

/// The filter of a container without a profile.
pub fn default_filter(options: &Options) -> Compiled {
    Compiled {
        program: emit::program(&policy::parts(Machine::here(), options)),
        flags: document::SPEC_ALLOW,
    }
}

/// The filter that a profile in Docker's format says.
pub fn compile(profile: &str, options: &Options) -> Result<Compiled, Error> {
    let uname = rustix::system::uname();
    let place = Place {
        machine: Machine::here(),
        capabilities: options.capabilities,
        release: &uname.release().to_string_lossy(),
    };
    profile::compile(profile, &place)
}
