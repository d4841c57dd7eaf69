//! Frames on stdin and stdout: `u32 length | u8 kind | u32 stream | payload`, little-endian; `length` counts kind, stream and payload.
//! The twin of `src/worker/codec.ts`.

use std::io::{self, Read, Write};

use crate::protocol::MAX_FRAME_BYTES;

/// Bytes of kind and stream: the least that a length may count.
const HEAD_BYTES: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Request = 1,
    Response = 2,
    Event = 3,
    Data = 4,
    Credit = 5,
    Cancel = 6,
}

impl Kind {
    fn from_byte(byte: u8) -> io::Result<Self> {
        Ok(match byte {
            1 => Self::Request,
            2 => Self::Response,
            3 => Self::Event,
            4 => Self::Data,
            5 => Self::Credit,
            6 => Self::Cancel,
            other => return Err(invalid(format!("a frame of unknown kind {other}"))),
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// Reads one frame; `None` when the stream ends between two frames. A length over the limit is refused before anything is allocated.
pub fn read_frame(input: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; 4];
    match input.read(&mut head[..1]) {
        Ok(0) => return Ok(None),
        Ok(_) => input.read_exact(&mut head[1..])?,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return read_frame(input),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(head) as usize;
    if !(HEAD_BYTES..=MAX_FRAME_BYTES).contains(&length) {
        return Err(invalid(format!(
            "a frame of {length} bytes; the limit is {MAX_FRAME_BYTES}"
        )));
    }
    let mut rest = [0; HEAD_BYTES];
    input.read_exact(&mut rest)?;
    let kind = Kind::from_byte(rest[0])?;
    let stream = u32::from_le_bytes([rest[1], rest[2], rest[3], rest[4]]);
    let mut payload = vec![0; length - HEAD_BYTES];
    input.read_exact(&mut payload)?;
    Ok(Some(Frame { kind, stream, payload }))
}

/// Writes one frame whose payload is given in parts, in one write where the pipe takes it.
pub fn write_frame(output: &mut (impl Write + ?Sized), kind: Kind, stream: u32, parts: &[&[u8]]) -> io::Result<()> {
    let length = HEAD_BYTES + parts.iter().map(|part| part.len()).sum::<usize>();
    if length > MAX_FRAME_BYTES {
        return Err(invalid(format!(
            "a frame of {length} bytes; the limit is {MAX_FRAME_BYTES}"
        )));
    }
    let mut bytes = Vec::with_capacity(4 + length);
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
    bytes.push(kind as u8);
    bytes.extend_from_slice(&stream.to_le_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    output.write_all(&bytes)
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_bytes_that_the_protocol_names() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, Kind::Data, 258, &[b"\x01", b"hi"]).unwrap();
        assert_eq!(bytes, [8, 0, 0, 0, 4, 2, 1, 0, 0, 1, b'h', b'i']);
        let frame = read_frame(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(
            frame,
            Frame {
                kind: Kind::Data,
                stream: 258,
                payload: b"\x01hi".to_vec()
            }
        );
    }

    #[test]
    fn bad_frames_are_refused() {
        for (name, bytes) in [
            ("too long", vec![255, 255, 255, 255, 1, 0, 0, 0, 0]),
            ("shorter than its head", vec![4, 0, 0, 0, 1, 0, 0, 0]),
            ("unknown kind", vec![5, 0, 0, 0, 9, 0, 0, 0, 0]),
            ("cut in the length", vec![5, 0]),
            ("cut in the payload", vec![9, 0, 0, 0, 1, 0, 0, 0, 0, 1]),
        ] {
            assert!(read_frame(&mut bytes.as_slice()).is_err(), "{name}");
        }
        assert!(read_frame(&mut [].as_slice()).unwrap().is_none());
    }
}
