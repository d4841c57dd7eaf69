//! Unpacks the layers of an image side by side. Most layers say all that is needed to unpack them alone; one that does not waits until
//! those below it are indexed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::content::Content;
use super::extract::Lower;
use super::unpack;
use crate::context::{CancelToken, RequestContext, lock};
use crate::digest::{DiffID, LayerRef};
use crate::error::Error;
use crate::index::entry::Entry;
use crate::index::store;
use crate::index::view::View;
use crate::protocol::{Empty, LayerBlob, LayerIndexParams, LayerUnpackParams};
use crate::session::Session;
use crate::tree::source::Tree;

/// `layer.unpack`.
pub fn unpack(session: &Session, params: LayerUnpackParams, request: &RequestContext) -> Result<Empty, Error> {
    let missing = |layer: &LayerBlob| Ok(session.stored_snapshot(&layer.diff_id)?.is_none());
    all(session, &params.layers, request, &missing, &unpack::unpack)
}

/// `layer.index`.
pub fn index(session: &Session, params: LayerIndexParams, request: &RequestContext) -> Result<Empty, Error> {
    all(session, &params.layers, request, &|_| Ok(false), &unpack::index)
}

type Work = dyn Fn(&Session, &LayerBlob, &dyn Lower, &CancelToken) -> Result<(), Error> + Sync;

/// Does `work` for each layer that has no index, or is `missing`. Of several errors the lowest layer's counts: others may follow from it.
fn all(
    session: &Session,
    layers: &[LayerBlob],
    request: &RequestContext,
    missing: &dyn Fn(&LayerBlob) -> Result<bool, Error>,
    work: &Work,
) -> Result<Empty, Error> {
    let mut todo = HashMap::new();
    for (at, layer) in layers.iter().enumerate() {
        if !todo.contains_key(&layer.diff_id) && (missing(layer)? || !store::is_stored(session, &layer.diff_id)?) {
            todo.insert(layer.diff_id.clone(), at);
        }
    }
    let mut queue: Vec<usize> = todo.values().copied().collect();
    queue.sort_unstable();
    let threads = queue
        .len()
        .min(std::thread::available_parallelism().map_or(1, usize::from) + 1);
    let board = Board {
        states: Mutex::new(todo.into_keys().map(|name| (name, State::Waiting)).collect()),
        changed: Condvar::new(),
    };
    let errors = Mutex::new(Vec::new());
    let queue = Mutex::new(VecDeque::from(queue));
    std::thread::scope(|scope| {
        let run = || {
            // Base first, so a layer that waits for those below it waits for threads that are at work.
            while let Some(at) = { lock(&queue).pop_front() } {
                let lower = LowerLayers {
                    session,
                    layers: &layers[..at],
                    board: &board,
                    view: Mutex::new(None),
                };
                let mut turn = Turn {
                    board: &board,
                    name: &layers[at].diff_id,
                    state: State::Failed,
                };
                let done = request
                    .cancel
                    .check()
                    .and_then(|()| work(session, &layers[at], &lower, &request.cancel));
                turn.state = if done.is_ok() { State::Done } else { State::Failed };
                drop(turn);
                if let Err(error) = done {
                    lock(&errors).push((at, error));
                }
            }
        };
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        run();
        drop(helpers);
    });
    let mut errors = errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    errors.sort_by_key(|(at, _)| *at);
    errors.into_iter().next().map_or(Ok(Empty {}), |(_, error)| Err(error))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Done,
    Failed,
}

/// How far each layer is that had to be done.
struct Board {
    states: Mutex<HashMap<DiffID, State>>,
    changed: Condvar,
}

impl Board {
    fn set(&self, name: &DiffID, state: State) {
        lock(&self.states).insert(name.clone(), state);
        self.changed.notify_all();
    }

    /// Waits until a layer is there.
    fn wait(&self, name: &DiffID) -> Result<(), Error> {
        let mut states = lock(&self.states);
        loop {
            match states.get(name) {
                None | Some(State::Done) => return Ok(()),
                Some(State::Failed) => return Err(Error::internal("a lower layer could not be unpacked")),
                Some(State::Waiting) => states = self.changed.wait(states).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Says how a layer ended, even if its thread panics: others may be waiting for it.
struct Turn<'a> {
    board: &'a Board,
    name: &'a DiffID,
    state: State,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.board.set(self.name, self.state);
    }
}

/// The layers below one, by their indexes; the first question waits until all are there.
struct LowerLayers<'a> {
    session: &'a Session,
    layers: &'a [LayerBlob],
    board: &'a Board,
    view: Mutex<Option<Arc<View>>>,
}

impl LowerLayers<'_> {
    fn view(&self) -> Result<Arc<View>, Error> {
        let mut view = lock(&self.view);
        if let Some(view) = &*view {
            return Ok(Arc::clone(view));
        }
        self.layers
            .iter()
            .try_for_each(|layer| self.board.wait(&layer.diff_id))?;
        let chain: Vec<LayerRef> = self
            .layers
            .iter()
            .map(|layer| LayerRef::Layer(layer.diff_id.clone()))
            .collect();
        let made = Arc::new(store::view(self.session, &chain)?);
        *view = Some(Arc::clone(&made));
        Ok(made)
    }
}

impl Lower for LowerLayers<'_> {
    fn stat(&self, at: &[u8]) -> Result<Option<Entry>, Error> {
        if self.layers.is_empty() {
            return Ok(None);
        }
        let view = self.view()?;
        Ok(view.lookup(at).map(|found| Entry {
            path: at.to_vec(),
            ..found.target.clone()
        }))
    }

    fn content(&self, at: &[u8]) -> Result<Content, Error> {
        let session = self.session;
        Tree::view((*self.view()?).clone(), Box::new(|layer| session.layer(layer))).content(at)
    }
}
