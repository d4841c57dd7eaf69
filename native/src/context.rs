//! What one request has besides its params: its stream's data and credit, its events, and the word to stop.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use crate::codec::{Kind, write_frame};
use crate::error::{Doing, Error};
use crate::protocol::{Event, INITIAL_CREDIT};

/// Locks a mutex; a panic in another request's thread must not stop this one, and no lock of ours is held over a half-made change.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The worker's stdout: whole frames, one at a time.
pub struct Output(Mutex<Box<dyn Write + Send>>);

impl Output {
    pub fn new(output: Box<dyn Write + Send>) -> Self {
        Self(Mutex::new(output))
    }

    pub fn send(&self, kind: Kind, stream: u32, parts: &[&[u8]]) -> io::Result<()> {
        let mut output = lock(&self.0);
        write_frame(&mut **output, kind, stream, parts)?;
        output.flush()
    }
}

/// Told once, seen by all clones; `fd` becomes readable with it, for those who wait in poll.
#[derive(Clone)]
pub struct CancelToken(Arc<Cancel>);

struct Cancel {
    cancelled: AtomicBool,
    event: OwnedFd,
}

impl CancelToken {
    pub fn new() -> Result<Self, Error> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).doing(|| "make an eventfd")?;
        Ok(Self(Arc::new(Cancel {
            cancelled: AtomicBool::new(false),
            event,
        })))
    }

    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        // An eventfd can refuse only when it is full, and then it is readable already.
        let _ = rustix::io::write(&self.0.event, &1u64.to_ne_bytes());
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// `Err(Cancelled)` once the builder has asked for the end: for loops to call with `?`.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

/// Both directions of a stream's data.
#[derive(Default)]
struct Flow {
    /// Bytes that we may still send.
    send: usize,
    received: VecDeque<Vec<u8>>,
    /// The request wants no more.
    closed: bool,
    /// Bytes in `received`: never more than the peer was granted.
    waiting: usize,
}

/// A running request, shared by the reader thread and the request's own thread (and its helpers).
pub struct RequestContext {
    pub stream: u32,
    pub cancel: CancelToken,
    output: Arc<Output>,
    flow: Mutex<Flow>,
    changed: Condvar,
}

impl RequestContext {
    pub fn new(stream: u32, output: Arc<Output>) -> Result<Self, Error> {
        let flow = Flow {
            send: INITIAL_CREDIT,
            ..Flow::default()
        };
        Ok(Self {
            stream,
            cancel: CancelToken::new()?,
            output,
            flow: Mutex::new(flow),
            changed: Condvar::new(),
        })
    }

    /// Sends an event of this request.
    pub fn emit(&self, event: &Event) -> Result<(), Error> {
        let bytes = serde_json::to_vec(event).map_err(|error| Error::internal(error.to_string()))?;
        self.output
            .send(Kind::Event, self.stream, &[&bytes])
            .doing(|| "write to the builder")
    }

    pub fn warn(&self, message: impl Into<String>) -> Result<(), Error> {
        self.emit(&Event::Warning {
            message: message.into(),
        })
    }

    /// Sends data, in parts; waits while the builder has granted no credit.
    pub fn send_data(&self, tag: u8, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            // The tag costs credit too: what is granted is bytes of payload.
            let part = self.take_credit(bytes.len() + 1)?.saturating_sub(1);
            if part == 0 {
                continue;
            }
            let (now, later) = bytes.split_at(part);
            self.output
                .send(Kind::Data, self.stream, &[&[tag], now])
                .doing(|| "write to the builder")?;
            bytes = later;
        }
        Ok(())
    }

    fn take_credit(&self, wanted: usize) -> Result<usize, Error> {
        let mut flow = lock(&self.flow);
        while flow.send < 2 {
            self.cancel.check()?;
            flow = self.changed.wait(flow).unwrap_or_else(PoisonError::into_inner);
        }
        let taken = wanted.min(flow.send);
        flow.send -= taken;
        Ok(taken)
    }

    /// The next data frame of the builder, which is granted as much again; waits for it. An empty one is the end of the input.
    pub fn receive_data(&self) -> Result<Vec<u8>, Error> {
        let mut flow = lock(&self.flow);
        loop {
            if let Some(bytes) = flow.received.pop_front() {
                flow.waiting -= bytes.len();
                drop(flow);
                let credit = (bytes.len() as u32).to_le_bytes();
                if !bytes.is_empty() {
                    self.output
                        .send(Kind::Credit, self.stream, &[&credit])
                        .doing(|| "write to the builder")?;
                }
                return Ok(bytes);
            }
            if flow.closed {
                return Ok(Vec::new());
            }
            self.cancel.check()?;
            flow = self.changed.wait(flow).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Wakes who waits for data: there is nothing more to be done with it.
    pub fn close_input(&self) {
        lock(&self.flow).closed = true;
        self.changed.notify_all();
    }

    /// Reader thread: data came. `false` when the peer sent more than it was granted.
    pub fn push_data(&self, bytes: Vec<u8>) -> bool {
        let mut flow = lock(&self.flow);
        flow.waiting += bytes.len();
        flow.received.push_back(bytes);
        self.changed.notify_all();
        // Empty frames cost no credit, so their number is bounded here.
        flow.waiting <= INITIAL_CREDIT && flow.received.len() <= INITIAL_CREDIT
    }

    /// Reader thread: credit came.
    pub fn push_credit(&self, bytes: usize) {
        let mut flow = lock(&self.flow);
        flow.send = flow.send.saturating_add(bytes);
        self.changed.notify_all();
    }

    /// Tells the request to stop, and wakes it where it waits.
    pub fn stop(&self) {
        self.cancel.cancel();
        let _flow = lock(&self.flow);
        self.changed.notify_all();
    }
}
