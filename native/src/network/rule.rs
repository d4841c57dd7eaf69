//! A rule of nf_tables, written as the expressions that the kernel runs one after the other. Source: the kernel's nf_tables.h.

use super::message::{Message, attribute};

/// An element of a list, and a value as such.
pub const ELEMENT: u16 = 1;
pub const VALUE: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;
const VERDICT: u16 = 2;
const CODE: u16 = 1;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// Registers: that of the verdict, and the one in which we compare.
const TO_VERDICT: u32 = 0;
const REGISTER: u32 = 1;
/// The first of the registers of 4 bytes each, which a key of several parts fills one after the other.
const SMALL_REGISTERS: u32 = 8;
const LINK_HEADER: u32 = 0;
const NETWORK_HEADER: u32 = 1;
const STATE: u32 = 0;
const PROTOCOL: u32 = 1;
const IN_NAME: u32 = 6;
const OUT_NAME: u32 = 7;
/// Bits of a connection's state.
const ESTABLISHED: u32 = 2;
const RELATED: u32 = 4;
const COUNTER_PACKETS: u16 = 2;
const NAME_SIZE: usize = 16;

/// Where a header has something: which header, offset, length.
#[derive(Clone, Copy)]
pub struct Place(u32, u32, u32);

pub const SOURCE_STATION: Place = Place(LINK_HEADER, 6, 6);
pub const ARP_STATION: Place = Place(NETWORK_HEADER, 8, 6);
pub const ARP_ADDRESS: Place = Place(NETWORK_HEADER, 14, 4);
pub const SOURCE4: Place = Place(NETWORK_HEADER, 12, 4);
pub const DESTINATION4: Place = Place(NETWORK_HEADER, 16, 4);
pub const SOURCE6: Place = Place(NETWORK_HEADER, 8, 16);
pub const DESTINATION6: Place = Place(NETWORK_HEADER, 24, 16);

/// The name of an interface as the kernel keeps it.
pub fn name_bytes(name: &str) -> [u8; NAME_SIZE] {
    let mut bytes = [0; NAME_SIZE];
    let length = name.len().min(NAME_SIZE - 1);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    bytes
}

#[derive(Clone, Copy)]
pub enum Compare {
    Equal = 0,
    Other = 1,
}

#[derive(Default)]
pub struct Rule(Vec<(&'static str, Message)>);

impl Rule {
    pub fn new() -> Self {
        Self::default()
    }

    /// Packets that come in by the interface.
    pub fn coming_by(self, name: &str) -> Self {
        self.interface(IN_NAME, Compare::Equal, name)
    }

    /// Packets that go out by the interface, or by another.
    pub fn leaving_by(self, compare: Compare, name: &str) -> Self {
        self.interface(OUT_NAME, compare, name)
    }

    /// Packets that come in by interfaces whose names begin so.
    pub fn coming_by_any(self, start: &str) -> Self {
        self.load_meta(IN_NAME, REGISTER)
            .compare(Compare::Equal, start.as_bytes())
    }

    /// What a frame holds, by its number. Source: if_ether.h.
    pub fn holding(self, protocol: u16) -> Self {
        self.load_meta(PROTOCOL, REGISTER)
            .compare(Compare::Equal, &protocol.to_be_bytes())
    }

    /// The first bytes of what is there.
    pub fn having(self, Place(header, offset, _): Place, compare: Compare, bytes: &[u8]) -> Self {
        self.load(Place(header, offset, bytes.len() as u32), REGISTER)
            .compare(compare, bytes)
    }

    /// Whether the interface by which the packet came, together with what is there, is in a set.
    pub fn in_set(self, place: Place, compare: Compare, set: &str) -> Self {
        let after_name = SMALL_REGISTERS + NAME_SIZE as u32 / 4;
        self.load_meta(IN_NAME, SMALL_REGISTERS)
            .load(place, after_name)
            .then("lookup", |message| {
                message
                    .text(1, set)
                    .big_number(2, SMALL_REGISTERS)
                    .big_number(5, compare as u32)
            })
    }

    /// Packets that answer none, of a connection that the other side began.
    pub fn unasked(self) -> Self {
        let mask = (ESTABLISHED | RELATED).to_ne_bytes();
        self.then("ct", |message| message.big_number(1, REGISTER).big_number(2, STATE))
            .then("bitwise", |message| {
                message
                    .big_number(1, REGISTER)
                    .big_number(2, REGISTER)
                    .big_number(3, mask.len() as u32)
                    .nested(4, |message| message.bytes(VALUE, &mask))
                    .nested(5, |message| message.bytes(VALUE, &[0; 4]))
            })
            .compare(Compare::Equal, &[0; 4])
    }

    pub fn count(self) -> Self {
        self.then("counter", |message| message)
    }

    pub fn masquerade(self) -> Self {
        self.then("masq", |message| message)
    }

    pub fn drop(self) -> Self {
        self.verdict(DROP)
    }

    pub fn accept(self) -> Self {
        self.verdict(ACCEPT)
    }

    fn verdict(self, code: u32) -> Self {
        self.then("immediate", |message| {
            message.big_number(1, TO_VERDICT).nested(2, |message| {
                message.nested(VERDICT, |message| message.big_number(CODE, code))
            })
        })
    }

    pub fn write(self, message: Message) -> Message {
        self.0.into_iter().fold(message, |message, (name, data)| {
            message.nested(ELEMENT, |message| message.text(NAME, name).bytes(DATA, &data.0))
        })
    }

    /// What the counter among a rule's expressions says, 0 where it has none.
    pub fn counted(mut expressions: &[u8]) -> u64 {
        while let Some(element) = attribute(expressions, ELEMENT) {
            let data = attribute(element, DATA).unwrap_or_default();
            let packets = attribute(data, COUNTER_PACKETS).and_then(|bytes| bytes.try_into().ok());
            if attribute(element, NAME) == Some(b"counter\0") {
                return packets.map_or(0, u64::from_be_bytes);
            }
            expressions = expressions
                .get((element.len() + 4).next_multiple_of(4)..)
                .unwrap_or_default();
        }
        0
    }

    fn interface(self, key: u32, compare: Compare, name: &str) -> Self {
        self.load_meta(key, REGISTER).compare(compare, &name_bytes(name))
    }

    fn load_meta(self, key: u32, register: u32) -> Self {
        self.then("meta", |message| message.big_number(1, register).big_number(2, key))
    }

    fn load(self, Place(header, offset, length): Place, register: u32) -> Self {
        self.then("payload", |message| {
            message
                .big_number(1, register)
                .big_number(2, header)
                .big_number(3, offset)
                .big_number(4, length)
        })
    }

    fn compare(self, compare: Compare, bytes: &[u8]) -> Self {
        self.then("cmp", |message| {
            message
                .big_number(1, REGISTER)
                .big_number(2, compare as u32)
                .nested(3, |message| message.bytes(VALUE, bytes))
        })
    }

    fn then(mut self, name: &'static str, fill: impl FnOnce(Message) -> Message) -> Self {
        self.0.push((name, fill(Message::default())));
        self
    }
}
