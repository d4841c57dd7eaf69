//! Dispatch of `tree.*`, `layer.*` and `file.*`: one row per method, one function each.

use serde_json::Value;

use crate::context::RequestContext;
use crate::copy;
use crate::error::Error;
use crate::layer::requests as layer;
use crate::serve::{decode, to_value};
use crate::session::Session;
use crate::tree::requests as tree;

/// `None` when the method is none of these.
pub fn dispatch(
    session: &Session,
    method: &str,
    params: Value,
    request: &RequestContext,
) -> Option<Result<Value, Error>> {
    Some(match method {
        "tree.select" => decode(params)
            .and_then(|params| tree::select(session, params))
            .and_then(to_value),
        "tree.digest" => decode(params)
            .and_then(|params| tree::digest(session, params))
            .and_then(to_value),
        "tree.user" => decode(params)
            .and_then(|params| tree::find_user(session, params))
            .and_then(to_value),
        "tree.stat" => decode(params)
            .and_then(|params| tree::stat(session, params))
            .and_then(to_value),
        "layer.pack" => decode(params)
            .and_then(|params| layer::pack(session, params, request))
            .and_then(to_value),
        "layer.compress" => decode(params)
            .and_then(|params| layer::compress(session, params, request))
            .and_then(to_value),
        "file.copy" => decode(params)
            .and_then(|params| copy::copy(session, params, request))
            .and_then(to_value),
        "file.mkdir" => decode(params)
            .and_then(|params| copy::mkdir(session, params, request))
            .and_then(to_value),
        "tree.export" | "layer.unpack" | "layer.index" => {
            Err(Error::internal(format!("method \"{method}\" is not there")))
        }
        _ => return None,
    })
}
