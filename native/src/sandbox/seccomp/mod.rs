//! The seccomp filter of a container, by an emitter of our own: what Docker's default profile allows, or what a profile in its format says. And
//! those by which calls are handed over.

mod action;
mod architecture;
mod document;
mod emit;
mod handing_over;
#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod oracle;
mod policy;
mod profile;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::syscalls::Instruction;

use profile::Place;

pub use architecture::Machine;
pub use handing_over::{When, handing_over};
pub use policy::Options;
pub use profile::Compiled;

/// Which filter a container has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Filter {
    None,
    /// Our own policy.
    Policy(Options),
    Program(Stored),
}

impl Filter {
    /// That of a profile in Docker's format.
    pub fn of_profile(profile: &str, options: &Options) -> Result<Self, Error> {
        let uname = rustix::system::uname();
        let place = Place {
            machine: Machine::here(),
            capabilities: options.capabilities,
            release: &uname.release().to_string_lossy(),
        };
        let Compiled { program, flags } = profile::compile(profile, &place)?;
        let code = program
            .iter()
            .map(|each| (each.code, each.jt, each.jf, each.k))
            .collect();
        Ok(Self::Program(Stored { code, flags }))
    }
}

/// A filter on its way to a supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    code: Vec<(u16, u8, u8, u32)>,
    flags: u32,
}

impl Stored {
    pub fn load(&self) -> Compiled {
        let instruction = |&(code, jt, jf, k): &(u16, u8, u8, u32)| Instruction { code, jt, jf, k };
        Compiled {
            program: self.code.iter().map(instruction).collect(),
            flags: self.flags,
        }
    }
}

/// The filter of a container without a profile.
pub fn default_filter(options: &Options) -> Compiled {
    Compiled {
        program: emit::program(&policy::parts(Machine::here(), options)),
        flags: document::SPEC_ALLOW,
    }
}
