//! The native worker of cooper. It speaks frames (`src/worker/protocol.ts`) on stdin and stdout; stderr is for defects of its own.

mod codec;
mod context;
mod copy;
mod digest;
mod doctor;
mod error;
mod export;
mod handle;
mod hello;
mod index;
mod layer;
mod lease;
mod lock;
mod mode;
mod protocol;
mod sandbox;
mod secret;
mod serve;
mod session;
mod store;
mod store_requests;
#[allow(unsafe_code)]
mod syscalls;
mod tree;
mod tree_requests;

use std::process::ExitCode;

fn main() -> ExitCode {
    let output = context::Output::new(Box::new(std::io::stdout()));
    match serve::serve(std::io::stdin(), output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cooper-worker: {error}");
            ExitCode::FAILURE
        }
    }
}
