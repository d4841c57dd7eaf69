//! Reads requests and calls one function for each, on a thread of its own. The end of stdin is the end of everything.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::codec::{Frame, Kind, read_frame};
use crate::context::{Output, RequestContext, lock};
use crate::error::{Doing, Error};
use crate::protocol::{Event, PROTOCOL_VERSION, Request, Response};
use crate::session::Session;
use crate::{caches, doctor, handle, hello, lock as locks, sandbox, secret, store_requests, tree_requests};

/// How long running requests may take to clean up once stdin is closed. Children die with us in any case.
const FAREWELL: Duration = Duration::from_secs(5);

/// Of a request's thread, in bytes: trees are walked by recursion, and a path may have 2048 names. What is not used takes no memory.
const STACK: usize = 32 << 20;
/// Of a thread that walks parts of a tree for a request: while it waits for a part that another one has taken, it goes on with a third.
const HELPER_STACK: usize = 64 << 20;

pub struct Server {
    output: Arc<Output>,
    session: OnceLock<Session>,
    running: Mutex<BTreeMap<u32, Arc<RequestContext>>>,
}

/// Serves until `input` ends. Once in a process.
pub fn serve(input: impl Read, output: Output) -> Result<(), Error> {
    rayon::ThreadPoolBuilder::new()
        .stack_size(HELPER_STACK)
        .build_global()
        .map_err(|error| Error::internal(format!("start threads: {error}")))?;
    let server = Arc::new(Server {
        output: Arc::new(output),
        session: OnceLock::new(),
        running: Mutex::default(),
    });
    let welcome = Event::Welcome {
        version: PROTOCOL_VERSION,
        build: env!("CARGO_PKG_VERSION").to_owned(),
    };
    server
        .output
        .send(Kind::Event, 0, &[&encode(&welcome)?])
        .doing(|| "write to the builder")?;
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let ended = loop {
        match read_frame(&mut input) {
            Ok(Some(frame)) => {
                if let Err(error) = server.take(frame) {
                    break Err(error);
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error).doing(|| "read from the builder"),
        }
    };
    server.say_farewell();
    ended
}

impl Server {
    fn take(self: &Arc<Self>, frame: Frame) -> Result<(), Error> {
        if frame.kind == Kind::Request {
            return self.start(frame);
        }
        // The last frames for a request may cross its response: what comes for a stream that has ended is dropped.
        let Some(request) = lock(&self.running).get(&frame.stream).map(Arc::clone) else {
            return Ok(());
        };
        match frame.kind {
            Kind::Cancel => request.stop(),
            Kind::Credit => request.push_credit(credit(&frame.payload)?),
            Kind::Data if request.push_data(frame.payload) => {}
            Kind::Data => return Err(Error::internal("the builder sent more data than it was granted")),
            Kind::Request | Kind::Response | Kind::Event => {
                return Err(Error::internal("the builder sent a frame that only the worker sends"));
            }
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, frame: Frame) -> Result<(), Error> {
        let context = Arc::new(RequestContext::new(frame.stream, Arc::clone(&self.output))?);
        if lock(&self.running).insert(frame.stream, Arc::clone(&context)).is_some() {
            return Err(Error::internal(format!("stream {} is in use", frame.stream)));
        }
        let server = Arc::clone(self);
        let spawned = thread::Builder::new()
            .name(format!("request-{}", frame.stream))
            .stack_size(STACK)
            .spawn(move || {
                let answer = catch_unwind(AssertUnwindSafe(|| server.answer(&frame.payload, &context)));
                server.finish(&context, answer.unwrap_or_else(|panic| Err(defect(&*panic))));
            });
        spawned.map(drop).doing(|| "start a thread")
    }

    fn answer(&self, payload: &[u8], context: &RequestContext) -> Result<Value, Error> {
        let request: Request = serde_json::from_slice(payload).map_err(|error| Error::internal(error.to_string()))?;
        if request.method == "hello" {
            return hello::hello(&self.session, decode(request.params)?).and_then(to_value);
        }
        let session = self
            .session
            .get()
            .ok_or_else(|| Error::internal("the first request must be \"hello\""))?;
        self.dispatch(session, &request.method, request.params, context)
    }

    fn dispatch(
        &self,
        session: &Session,
        method: &str,
        params: &RawValue,
        context: &RequestContext,
    ) -> Result<Value, Error> {
        match method {
            "handle.open" => handle::open(session, decode(params)?).and_then(to_value),
            "secret.put" => secret::put(session, decode(params)?).and_then(to_value),
            "lock.acquire" => locks::acquire(session, decode(params)?, context).and_then(to_value),
            "lock.release" => locks::release(session, decode(params)?).and_then(to_value),
            "store.discard" => store_requests::discard(session, decode(params)?).and_then(to_value),
            "store.exclusive" => store_requests::exclusive(session).and_then(to_value),
            "store.usage" => caches::usage::usage(session, &decode(params)?, context).and_then(to_value),
            "sandbox.run" => sandbox::run(session, decode(params)?, context).and_then(to_value),
            "sandbox.signal" => sandbox::signal(session, decode(params)?).and_then(to_value),
            "sandbox.resize" => sandbox::resize(session, decode(params)?).and_then(to_value),
            "sandbox.connect" => sandbox::connect(session, decode(params)?, context).and_then(to_value),
            "mount.discard" => caches::list::discard(session, &decode(params)?, context).and_then(to_value),
            "mount.list" => caches::list::list(session, context).and_then(to_value),
            "mount.find" => caches::list::find(session, &decode(params)?).and_then(to_value),
            "mount.pack" => caches::pack::pack(session, &decode(params)?, context).and_then(to_value),
            "mount.unpack" => caches::unpack::unpack(session, &decode(params)?, context).and_then(to_value),
            "mount.prune" => caches::list::prune(session, &decode(params)?).and_then(to_value),
            "doctor" => doctor::doctor(session).and_then(to_value),
            _ => tree_requests::dispatch(session, method, params, context)
                .unwrap_or_else(|| Err(Error::internal(format!("unknown method \"{method}\"")))),
        }
    }

    fn finish(&self, context: &RequestContext, answer: Result<Value, Error>) {
        let response = match answer {
            Ok(result) => Response::Result(result),
            // Whatever fails after a cancel failed because of it.
            Err(_) if context.cancel.is_cancelled() => Response::Error(Error::Cancelled.to_wire()),
            Err(error) => Response::Error(error.to_wire()),
        };
        lock(&self.running).remove(&context.stream);
        let sent = encode(&response).and_then(|bytes| {
            self.output
                .send(Kind::Response, context.stream, &[&bytes])
                .doing(|| "write to the builder")
        });
        if let Err(error) = sent {
            // The builder is gone; its stdin end says so to the reader as well.
            eprintln!("cooper-worker: {error}");
        }
    }

    /// Stops all requests, gives them time to undo what they made, and gives the lease back.
    fn say_farewell(&self) {
        for request in lock(&self.running).values() {
            request.stop();
        }
        let begun = Instant::now();
        while !lock(&self.running).is_empty() && begun.elapsed() < FAREWELL {
            thread::sleep(Duration::from_millis(5));
        }
        let Some(session) = self.session.get() else { return };
        // The kernel takes its time for interfaces.
        thread::scope(|scope| {
            scope.spawn(|| {
                session.containers.ahead.close();
                session.network.close();
            });
            if let Err(error) = session.lease.give_back(&session.store) {
                eprintln!("cooper-worker: {error}");
            }
        });
        // What a step wrote that was given secrets, and came to nothing, does not wait for the next command.
        if session.secrets.any()
            && let Err(error) = session.store.empty_trash()
        {
            eprintln!("cooper-worker: empty the trash: {error}");
        }
    }
}

fn credit(payload: &[u8]) -> Result<usize, Error> {
    let bytes = <[u8; 4]>::try_from(payload).map_err(|_| Error::internal("a credit frame of a wrong length"))?;
    Ok(u32::from_le_bytes(bytes) as usize)
}

fn defect(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Error::internal(format!("panic: {}", text.unwrap_or("no message")))
}

/// Params of a method.
pub fn decode<T: DeserializeOwned>(params: &RawValue) -> Result<T, Error> {
    serde_json::from_str(params.get()).map_err(|error| Error::internal(format!("bad params: {error}")))
}

/// Result of a method.
pub fn to_value(result: impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(result).map_err(|error| Error::internal(error.to_string()))
}

fn encode(message: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(message).map_err(|error| Error::internal(error.to_string()))
}
