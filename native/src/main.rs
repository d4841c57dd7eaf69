//! The native worker of cooper. It speaks frames (`src/worker/protocol.ts`) on stdin and stdout; stderr is for defects of its own.

mod caches;
mod codec;
mod context;
mod copy;
mod digest;
mod doctor;
mod error;
mod export;
mod fuse;
#[cfg(test)]
mod golden;
mod handle;
mod hello;
mod index;
mod layer;
mod lease;
mod lock;
mod mode;
mod network;
mod overlay;
mod owner;
mod protocol;
mod resolve;
mod sandbox;
mod secret;
mod serve;
mod session;
mod snapshots;
mod snapshotter;
mod store;
mod store_requests;
#[allow(unsafe_code)]
mod syscalls;
mod tree;
mod tree_requests;
mod userns;

use std::process::ExitCode;

fn main() -> ExitCode {
    let ended = match std::env::args().nth(1).as_deref() {
        None => work(),
        Some(sandbox::ARGUMENT) => sandbox::supervise(),
        Some(sandbox::keeper::ARGUMENT) => sandbox::keeper::main(),
        Some(other) => Err(error::Error::internal(format!("unknown argument \"{other}\""))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cooper-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<(), error::Error> {
    // The builder decides what a terminal's Ctrl-C means, and tells us.
    syscalls::ignore_interrupts();
    mode::prepare()?;
    let output = context::Output::new(Box::new(std::io::stdout()));
    serve::serve(std::io::stdin(), output)
}
