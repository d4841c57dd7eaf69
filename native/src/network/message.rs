//! Messages of netlink: a header, and attributes that may hold attributes. Source: netlink(7).

use rustix::io::Errno;

pub const REQUEST: u16 = 1;
pub const ACK: u16 = 4;
pub const REPLACE: u16 = 0x100;
pub const EXCLUSIVE: u16 = 0x200;
pub const CREATE: u16 = 0x400;
pub const DUMP: u16 = 0x300;
/// Kinds of answers: an errno or its absence, and the end of a list.
pub const ERROR: u16 = 2;
pub const DONE: u16 = 3;
pub const HEADER: usize = 16;

/// A message being written, or attributes alone.
#[derive(Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        Self(bytes)
    }

    /// `struct ifinfomsg`.
    pub fn link(mut self, index: u32, flags: u32) -> Self {
        self.put_link(index, flags);
        self
    }

    pub fn put_link(&mut self, index: u32, flags: u32) {
        self.0.extend([0; 4]);
        // The flags, and the mask of those that change.
        for word in [index, flags, flags] {
            self.0.extend(word.to_ne_bytes());
        }
    }

    /// The header that goes before the attributes.
    pub fn plain(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.put(kind, value);
        self
    }

    fn put(&mut self, kind: u16, value: &[u8]) {
        self.0.extend((value.len() as u16 + 4).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    pub fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    pub fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// As nf_tables has numbers.
    pub fn big_number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// An attribute that holds what `fill` adds.
    pub fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.0.len();
        self.put(kind, &[]);
        let mut filled = fill(self);
        let length = (filled.0.len() - start) as u16;
        filled.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        filled.pad();
        filled
    }

    /// Adds flags.
    pub fn flags(mut self, more: u16) -> Self {
        let flags = u16::from_ne_bytes([self.0[6], self.0[7]]) | more;
        self.0[6..8].copy_from_slice(&flags.to_ne_bytes());
        self
    }

    /// Finished, with its number in a batch.
    pub fn numbered(mut self, number: u32) -> Vec<u8> {
        self.0[8..12].copy_from_slice(&number.to_ne_bytes());
        self.finish()
    }

    pub fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// What the kernel answered, message by message.
pub fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    pieces(
        bytes,
        |piece| Some(u32::from_ne_bytes(piece.get(..4)?.try_into().ok()?) as usize),
        HEADER,
    )
}

/// What the attribute holds, `None` where it is not there.
pub fn attribute(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    let length = |piece: &[u8]| Some(usize::from(u16::from_ne_bytes(piece.get(..2)?.try_into().ok()?)));
    // The two highest bits say how it is written.
    let has_kind = |piece: &&[u8]| u16::from_ne_bytes([piece[2], piece[3]]) & 0x3fff == kind;
    pieces(attributes, length, 4).find(has_kind).map(|piece| &piece[4..])
}

/// The kind of a message, and its number in a batch.
pub fn kind_of(message: &[u8]) -> (u16, u32) {
    (
        u16::from_ne_bytes([message[4], message[5]]),
        u32::from_ne_bytes([message[8], message[9], message[10], message[11]]),
    )
}

/// The errno that an answer of kind `ERROR` has, `None` when all is well.
pub fn error_of(message: &[u8]) -> Option<Errno> {
    let bytes = message.get(HEADER..HEADER + 4)?.try_into().ok()?;
    let code = i32::from_ne_bytes(bytes);
    (code < 0).then(|| Errno::from_raw_os_error(-code))
}

/// Pieces that begin with their length and are padded to 4 bytes. A wrong length ends them.
fn pieces(mut bytes: &[u8], length: impl Fn(&[u8]) -> Option<usize>, least: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = length(bytes).filter(|&length| length >= least)?;
        let piece = bytes.get(..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(piece)
    })
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_and_wrong_lengths_end_the_search() {
        let bytes = [5, 0, 1, 0, 9, 0, 0, 0, 8, 0, 2, 0x80, 1, 2, 3, 4, 2, 0, 3, 0];
        assert_eq!(attribute(&bytes, 1), Some(&[9][..]));
        assert_eq!(attribute(&bytes, 2), Some(&[1, 2, 3, 4][..]));
        assert_eq!(attribute(&bytes, 3), None);
        assert_eq!(attribute(&[9, 0, 1, 0, 7], 1), None);
        assert_eq!(attribute(&[], 1), None);
    }
}
