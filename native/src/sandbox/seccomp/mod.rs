//! The seccomp filter of a container: what Docker's default profile allows, by an emitter of our own.

mod emit;
mod policy;

use crate::syscalls::Instruction;

use emit::program;
use policy::architectures;

/// The filter for containers on this machine.
pub fn default_filter() -> Vec<Instruction> {
    program(&architectures())
}
