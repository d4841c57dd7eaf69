//! Dispatch of `tree.*`, `layer.*` and `file.*`: one row per method, one function each.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::context::RequestContext;
use crate::error::Error;
use crate::layer::unpack_all;
use crate::layer::{requests as layer, search};
use crate::serve::{decode, to_value};
use crate::session::Session;
use crate::tree::requests as tree;
use crate::{copy, export};

/// `None` when the method is none of these.
pub fn dispatch(
    session: &Session,
    method: &str,
    params: &RawValue,
    request: &RequestContext,
) -> Option<Result<Value, Error>> {
    Some(match method {
        "tree.select" => run(params, |params| tree::select(session, params)),
        "tree.read" => run(params, |params| tree::read(session, params, request)),
        "tree.digest" => run(params, |params| tree::digest(session, params)),
        "tree.user" => run(params, |params| tree::find_user(session, params)),
        "tree.stat" => run(params, |params| tree::stat(session, params)),
        "tree.export" => run(params, |params| export::export(session, params)),
        "layer.unpack" => run(params, |params| unpack_all::unpack(session, params, request)),
        "layer.index" => run(params, |params| unpack_all::index(session, params, request)),
        "layer.pack" => run(params, |params| layer::pack(session, params, request)),
        "layer.compress" => run(params, |params| layer::compress(session, params, request)),
        "layer.search" => run(params, |params| search::search(session, params, request)),
        "file.copy" => run(params, |params| copy::copy(session, params, request)),
        "file.mkdir" => run(params, |params| copy::mkdir(session, params, request)),
        _ => return None,
    })
}

/// Params in, result out.
fn run<P: DeserializeOwned, R: Serialize>(
    params: &RawValue,
    work: impl FnOnce(P) -> Result<R, Error>,
) -> Result<Value, Error> {
    to_value(work(decode(params)?)?)
}
