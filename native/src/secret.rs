//! Secrets: bytes that live in this process's memory only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;

use crate::context::lock;
use crate::error::Error;
use crate::protocol::{Empty, SecretPutParams};
use crate::session::Session;

#[derive(Default)]
pub struct Secrets(Mutex<BTreeMap<String, Arc<[u8]>>>);

impl Secrets {
    pub fn get(&self, id: &str) -> Result<Arc<[u8]>, Error> {
        let found = lock(&self.0).get(id).map(Arc::clone);
        found.ok_or_else(|| Error::user("SECRET_MISSING", format!("secret \"{id}\" was not given")))
    }
}

/// `secret.put`.
pub fn put(session: &Session, params: SecretPutParams) -> Result<Empty, Error> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(params.base64)
        .map_err(|_| Error::internal(format!("secret \"{}\" is not base64", params.id)))?;
    lock(&session.secrets.0).insert(params.id, bytes.into());
    Ok(Empty {})
}
