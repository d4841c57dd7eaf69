//! `store.discard`: away at once, deleted later. `store.exclusive`: nobody else is at it.

use std::sync::Arc;
use std::thread;

use crate::error::{Doing, Error};
use crate::protocol::{Empty, StoreDiscardParams, StoreExclusiveResult};
use crate::session::Session;

/// Moves paths of the store into the trash and deletes them in the background.
pub fn discard(session: &Session, params: StoreDiscardParams) -> Result<Empty, Error> {
    let mut any = false;
    for path in &params.paths {
        any |= session.store.discard(path)?;
    }
    if params.wait == Some(true) {
        session.store.empty_trash()?;
    } else if any {
        let store = Arc::clone(&session.store);
        let collect = move || {
            if let Err(error) = store.empty_trash() {
                eprintln!("cooper-worker: empty the trash: {error}");
            }
        };
        thread::Builder::new()
            .name("trash".to_owned())
            .spawn(collect)
            .doing(|| "start a thread")?;
    }
    Ok(Empty {})
}

/// Takes the store for this process alone, until it ends, if nobody else works with it.
pub fn exclusive(session: &Session) -> Result<StoreExclusiveResult, Error> {
    Ok(StoreExclusiveResult {
        exclusive: session.lease.be_alone()?,
    })
}
