//! `hello`: opens the store, takes the lease, says what this machine allows.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;

use crate::error::{Doing, Error};
use crate::lease::{self, Lease};
use crate::mode;
use crate::protocol::{HelloParams, HelloResult, PROTOCOL_VERSION, Userns};
use crate::session::Session;
use crate::store::Store;

/// The first request, and the only one of its kind.
pub fn hello(slot: &OnceLock<Session>, params: HelloParams) -> Result<HelloResult, Error> {
    if params.version != PROTOCOL_VERSION {
        let message = format!(
            "the worker speaks version {PROTOCOL_VERSION}, the builder {}",
            params.version
        );
        return Err(
            Error::user("WORKER_FAILED", message).hint("build the worker and the bundle from the same checkout")
        );
    }
    let store = Arc::new(Store::open(Path::new(&params.root))?);
    let lease = Lease::take(&store)?;
    let probed = mode::probe(&store, &lease)?;
    let result = HelloResult {
        temporary: format!("tmp/{}", lease.name),
        lease: lease.name.clone(),
        mode: probed.mode,
        reason: probed.reason.clone(),
        snapshotter: probed.snapshotter,
        downgrades: probed.downgrades.clone(),
    };
    let session = Session::new(Arc::clone(&store), lease, probed, params.userns.unwrap_or(Userns::Auto))?;
    slot.set(session).map_err(|_| Error::internal("\"hello\" came twice"))?;
    sweep_later(store)?;
    Ok(result)
}

/// What dead processes left costs the living no time.
fn sweep_later(store: Arc<Store>) -> Result<(), Error> {
    let sweep = move || {
        if let Err(error) = lease::sweep(&store) {
            eprintln!("cooper-worker: sweep the store: {error}");
        }
    };
    thread::Builder::new()
        .name("sweep".to_owned())
        .spawn(sweep)
        .map(drop)
        .doing(|| "start a thread")
}
