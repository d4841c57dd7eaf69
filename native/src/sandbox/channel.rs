//! The socket between the worker and a supervisor: messages of JSON with descriptors, each `u32 length | u32 descriptors | JSON`.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Doing, Error};

/// The kernel takes 253 in one message; a chunk of this size goes with one byte of data.
const CHUNK: usize = 200;
/// Longest JSON: environment and arguments together may be 2 MiB (ARG_MAX), escaped.
const MOST_BYTES: usize = 32 * 1024 * 1024;
const MOST_DESCRIPTORS: usize = 4096;

pub fn send(socket: &UnixStream, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
    let json = serde_json::to_vec(message).map_err(|error| Error::internal(error.to_string()))?;
    let mut head = [0; 8];
    head[..4].copy_from_slice(&(json.len() as u32).to_le_bytes());
    head[4..].copy_from_slice(&(descriptors.len() as u32).to_le_bytes());
    let doing = || "write to a sandbox";
    let mut writer = socket;
    writer.write_all(&head).doing(doing)?;
    for chunk in descriptors.chunks(CHUNK) {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(CHUNK))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(chunk)) {
            return Err(Error::internal("too many descriptors for one message"));
        }
        sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL).doing(doing)?;
    }
    writer.write_all(&json).doing(doing)
}

/// The next message, or `None` when the peer is gone.
pub fn receive<T: DeserializeOwned>(socket: &UnixStream) -> Result<Option<(T, Vec<OwnedFd>)>, Error> {
    let doing = || "read from a sandbox";
    let mut reader = socket;
    let mut head = [0; 8];
    match reader.read_exact(&mut head) {
        Ok(()) => {}
        // Reset: it went without having heard all that we said.
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => return Ok(None),
        Err(error) => return Err(error).doing(doing),
    }
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
    let (length, count) = (number(0), number(4));
    if length > MOST_BYTES || count > MOST_DESCRIPTORS {
        return Err(Error::internal("a message between worker and sandbox is too long"));
    }
    let mut descriptors = Vec::with_capacity(count);
    while descriptors.len() < count {
        receive_chunk(socket, &mut descriptors)?;
    }
    let mut json = vec![0; length];
    reader.read_exact(&mut json).doing(doing)?;
    let message = serde_json::from_slice(&json).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Some((message, descriptors)))
}

fn receive_chunk(socket: &UnixStream, into: &mut Vec<OwnedFd>) -> Result<(), Error> {
    let before = into.len();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(CHUNK))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(
        socket.as_fd(),
        &mut [IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )
    .doing(|| "receive descriptors")?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            into.extend(received);
        }
    }
    if into.len() == before {
        Err(Error::internal("a message came without its descriptors"))
    } else {
        Ok(())
    }
}
