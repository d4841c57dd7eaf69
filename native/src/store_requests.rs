//! `store.discard`: away at once, deleted later.

use std::sync::Arc;
use std::thread;

use crate::error::{Doing, Error};
use crate::protocol::{Empty, StoreDiscardParams};
use crate::session::Session;

/// Moves paths of the store into the trash and deletes them in the background.
pub fn discard(session: &Session, params: StoreDiscardParams) -> Result<Empty, Error> {
    let mut any = false;
    for path in &params.paths {
        any |= session.store.discard(path)?;
    }
    if any {
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
