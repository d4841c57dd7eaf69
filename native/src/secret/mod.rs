//! Secrets: bytes that live in this process's memory only, and what makes sure that they stay there.

mod forms;
mod mask;
mod search;
mod windows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::context::lock;
use crate::error::{Doing, Error};
use crate::protocol::{SecretPutParams, SecretPutResult};
use crate::session::Session;

use forms::{Form, forms, head, lines, searched_part};
pub use mask::{Mask, Masked};
pub use search::{Candidate, Hit, Search, Trail};

#[derive(Default)]
pub struct Secrets(Mutex<State>);

#[derive(Default)]
struct State {
    values: BTreeMap<String, Secret>,
    /// Made from the values when first asked for.
    search: Option<Option<Arc<Search>>>,
    mask: Option<Option<Arc<Mask>>>,
}

struct Secret {
    value: Arc<[u8]>,
    scan: bool,
}

impl Secrets {
    pub fn get(&self, id: &str) -> Result<Arc<[u8]>, Error> {
        let found = lock(&self.0).values.get(id).map(|secret| Arc::clone(&secret.value));
        found.ok_or_else(|| Error::user("SECRET_MISSING", format!("secret \"{id}\" was not given")))
    }

    /// Whether this session was given any.
    pub fn any(&self) -> bool {
        !lock(&self.0).values.is_empty()
    }

    /// What finds them in a layer; None where there is nothing to find.
    pub fn search(&self) -> Option<Arc<Search>> {
        let mut state = lock(&self.0);
        if let Some(made) = &state.search {
            return made.clone();
        }
        let mut all: Vec<(String, Form)> = Vec::new();
        for (id, secret) in state.values.iter().filter(|(_, secret)| secret.scan) {
            let part = searched_part(&secret.value);
            all.extend(part.map(forms).into_iter().flatten().map(|form| (id.clone(), form)));
        }
        let made = (!all.is_empty()).then(|| Arc::new(Search::new(all)));
        state.search = Some(made.clone());
        made
    }

    /// What takes them out of a log; None where there is nothing to take out.
    pub fn mask(&self) -> Result<Option<Arc<Mask>>, Error> {
        let mut state = lock(&self.0);
        if let Some(made) = &state.mask {
            return Ok(made.clone());
        }
        let values = state.values.values().filter_map(|secret| searched_part(&secret.value));
        let patterns: Vec<Vec<u8>> = values.flat_map(masked).collect();
        let made = if patterns.is_empty() {
            None
        } else {
            Some(Arc::new(Mask::new(patterns)?))
        };
        state.mask = Some(made.clone());
        Ok(made)
    }
}

/// What of a value is not shown: its forms, and each line of it.
fn masked(value: &[u8]) -> Vec<Vec<u8>> {
    let head = head(value);
    let all = forms(head).into_iter().map(|form| form.bytes);
    all.chain(lines(head)).collect()
}

/// A process that knows secrets leaves no core file: neither this one nor the builder, who made the socket that is our stdin. Containers
/// are given limits of their own. A limit of one byte, unlike none at all, also keeps the kernel from piping a core to a program; where
/// not even that is allowed, it stays as it is. Source: Linux, `do_coredump`.
fn leave_no_core() -> Result<(), Error> {
    let maximum = getrlimit(Resource::Core).maximum;
    let least = Rlimit {
        current: Some(maximum.unwrap_or(1).min(1)),
        maximum,
    };
    // Where stdin is no socket, somebody else than a builder has started us.
    let builder = socket_peercred(std::io::stdin()).ok().map(|peer| peer.pid);
    for process in [None].into_iter().chain(builder.map(Some)) {
        prlimit(process, Resource::Core, least).doing(|| "forbid core files")?;
    }
    Ok(())
}

/// `secret.put`.
pub fn put(session: &Session, params: SecretPutParams) -> Result<SecretPutResult, Error> {
    leave_no_core()?;
    let bytes = STANDARD
        .decode(params.base64)
        .map_err(|_| Error::internal(format!("secret \"{}\" is not base64", params.id)))?;
    let encode = |pattern: Vec<u8>| STANDARD.encode(pattern);
    let head = searched_part(&bytes).map(head);
    let result = SecretPutResult {
        forms: head
            .map(forms)
            .into_iter()
            .flatten()
            .map(|form| encode(form.bytes))
            .collect(),
        lines: head.map(lines).into_iter().flatten().map(encode).collect(),
    };
    let secret = Secret {
        value: bytes.into(),
        scan: params.scan.unwrap_or(true),
    };
    let mut state = lock(&session.secrets.0);
    state.values.insert(params.id, secret);
    (state.search, state.mask) = (None, None);
    Ok(result)
}
