//! Dispatch of `tree.*`, `layer.*` and `file.*`: one row per method, one function each.

use serde_json::Value;

use crate::context::RequestContext;
use crate::error::Error;
use crate::session::Session;

/// `None` when the method is none of these.
pub fn dispatch(
    _session: &Session,
    method: &str,
    _params: Value,
    _request: &RequestContext,
) -> Option<Result<Value, Error>> {
    Some(match method {
        "tree.select" | "tree.digest" | "tree.user" | "tree.stat" | "tree.export" | "layer.unpack" | "layer.index"
        | "layer.pack" | "layer.compress" | "file.copy" | "file.mkdir" => {
            Err(Error::internal(format!("method \"{method}\" is not there")))
        }
        _ => return None,
    })
}
