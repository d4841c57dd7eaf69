//! The few messages of nf_tables that the uplink takes: one table, its sets, chains and rules, made at once, what its rules counted, and what
//! its sets hold.
//! Source: the kernel's nf_tables.h and nfnetlink.h.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::message::{self, ACK, CREATE, DUMP, EXCLUSIVE, Message, attribute};
use super::rule::{ELEMENT, Rule, VALUE};

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NFTABLES: u16 = 10;
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
const GET_RULE: u16 = NFTABLES << 8 | 7;
const NEW_SET: u16 = NFTABLES << 8 | 9;
const NEW_ELEMENTS: u16 = NFTABLES << 8 | 12;
const DELETE_ELEMENTS: u16 = NFTABLES << 8 | 14;
const APPEND: u16 = 0x800;

const UNSPECIFIED: u8 = 0;

const TABLE_NAME: u16 = 1;
const TABLE_FLAGS: u16 = 2;
/// Only the socket that made the table may change it, and its end is the table's.
const OWNER: u32 = 2;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const SET_TABLE: u16 = 1;
const SET_NAME: u16 = 2;
const SET_KEY_LENGTH: u16 = 5;
const SET_NUMBER: u16 = 10;
const ELEMENTS_TABLE: u16 = 1;
const ELEMENTS_SET: u16 = 2;
const ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;

/// Whose packets a table sees. Source: netfilter.h.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Ip4 = 2,
    Bridge = 7,
    Ip6 = 10,
}

/// Where packets meet a chain. Source: netfilter.h.
#[derive(Clone, Copy)]
pub enum Hook {
    PreRouting = 0,
    PostRouting = 4,
}

/// A chain whose rules say what is not accepted.
pub struct Chain {
    pub name: &'static str,
    /// `filter` or `nat`.
    pub kind: &'static str,
    pub hook: Hook,
    pub priority: i32,
    pub rules: Vec<Rule>,
}

/// Keys of one length.
pub struct Set {
    pub name: &'static str,
    pub key_length: u32,
}

/// A table that is there as long as this value, or its process.
pub struct Table {
    socket: OwnedFd,
    family: u8,
    name: String,
}

impl Table {
    /// All of it or nothing. `EXIST` where somebody has a table of that name.
    pub fn make(family: Family, name: &str, sets: &[Set], chains: Vec<Chain>) -> rustix::io::Result<Self> {
        let kind = Some(netlink::NETFILTER);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, kind)?;
        let table = Self {
            socket,
            family: family as u8,
            name: name.to_owned(),
        };
        let mut batch = vec![
            table
                .message(NEW_TABLE, CREATE | EXCLUSIVE)
                .text(TABLE_NAME, name)
                .big_number(TABLE_FLAGS, OWNER),
        ];
        batch.extend(sets.iter().zip(1..).map(|(set, number)| table.set(set, number)));
        for chain in chains {
            batch.push(table.chain(&chain));
            let rules = chain.rules.into_iter();
            batch.extend(rules.map(|rule| table.rule(chain.name, rule)));
        }
        table.commit(batch)?;
        Ok(table)
    }

    /// Adds keys to sets, or takes them out.
    pub fn add(&self, keys: &[(&str, Vec<u8>)]) -> rustix::io::Result<()> {
        self.change(NEW_ELEMENTS, keys)
    }

    pub fn remove(&self, keys: &[(&str, Vec<u8>)]) -> rustix::io::Result<()> {
        self.change(DELETE_ELEMENTS, keys)
    }

    fn change(&self, kind: u16, keys: &[(&str, Vec<u8>)]) -> rustix::io::Result<()> {
        let elements = |(set, key): &(&str, Vec<u8>)| {
            let message = self.message(kind, if kind == NEW_ELEMENTS { CREATE } else { 0 });
            let message = message.text(ELEMENTS_TABLE, &self.name).text(ELEMENTS_SET, set);
            message.nested(ELEMENTS, |message| {
                message.nested(ELEMENT, |message| {
                    message.nested(ELEMENT_KEY, |message| message.bytes(VALUE, key))
                })
            })
        };
        self.commit(keys.iter().map(elements).collect())
    }

    /// Sends a batch, and waits for what became of it.
    fn commit(&self, mut batch: Vec<Message>) -> rustix::io::Result<()> {
        if let Some(last) = batch.pop() {
            batch.push(last.flags(ACK));
        }
        let count = batch.len() as u32;
        let border = |kind| Message::new(kind, 0).plain(&header(UNSPECIFIED, NFTABLES));
        let all = [border(BATCH_BEGIN)]
            .into_iter()
            .chain(batch)
            .chain([border(BATCH_END)]);
        let bytes: Vec<u8> = all
            .zip(0..)
            .flat_map(|(message, number)| message.numbered(number))
            .collect();
        send(&self.socket, &bytes, SendFlags::empty())?;
        verdict(&self.socket, count)
    }

    fn message(&self, kind: u16, flags: u16) -> Message {
        Message::new(kind, flags).plain(&header(self.family, 0))
    }

    fn set(&self, set: &Set, number: u32) -> Message {
        self.message(NEW_SET, CREATE)
            .text(SET_TABLE, &self.name)
            .text(SET_NAME, set.name)
            .big_number(SET_KEY_LENGTH, set.key_length)
            .big_number(SET_NUMBER, number)
    }

    fn chain(&self, chain: &Chain) -> Message {
        self.message(NEW_CHAIN, CREATE)
            .text(CHAIN_TABLE, &self.name)
            .text(CHAIN_NAME, chain.name)
            .nested(CHAIN_HOOK, |message| {
                message
                    .big_number(HOOK_NUMBER, chain.hook as u32)
                    .big_number(HOOK_PRIORITY, chain.priority as u32)
            })
            .text(CHAIN_TYPE, chain.kind)
    }

    fn rule(&self, chain: &str, rule: Rule) -> Message {
        self.message(NEW_RULE, CREATE | APPEND)
            .text(RULE_TABLE, &self.name)
            .text(RULE_CHAIN, chain)
            .nested(RULE_EXPRESSIONS, |message| rule.write(message))
    }

    /// How many packets the rules of a chain have counted.
    pub fn packets(&self, chain: &str) -> rustix::io::Result<u64> {
        let message = self
            .message(GET_RULE, DUMP)
            .text(RULE_TABLE, &self.name)
            .text(RULE_CHAIN, chain);
        send(&self.socket, &message.finish(), SendFlags::empty())?;
        let mut sum = 0;
        loop {
            let answer = receive(&self.socket, RecvFlags::empty())?;
            for message in message::messages(&answer) {
                match message::kind_of(message).0 {
                    message::DONE => return Ok(sum),
                    message::ERROR => return Err(message::error_of(message).unwrap_or(Errno::IO)),
                    _ => {
                        let attributes = message.get(message::HEADER + 4..).unwrap_or_default();
                        sum += Rule::counted(attribute(attributes, RULE_EXPRESSIONS).unwrap_or_default());
                    }
                }
            }
        }
    }
}

/// `struct nfgenmsg`.
fn header(family: u8, subsystem: u16) -> [u8; 4] {
    let [high, low] = subsystem.to_be_bytes();
    [family, 0, high, low]
}

/// The answer to the last message, or the first error. Number 0 is the batch as a whole. The kernel has answered when it has taken the batch;
/// an error of each of its messages may be there, and none is left for the next batch.
fn verdict(socket: &OwnedFd, last: u32) -> rustix::io::Result<()> {
    let mut verdict = None;
    loop {
        let answer = match receive(socket, RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => return verdict.unwrap_or(Err(Errno::IO)),
            answer => answer?,
        };
        for message in message::messages(&answer) {
            let (kind, number) = message::kind_of(message);
            if kind != message::ERROR {
                continue;
            }
            let said = match message::error_of(message) {
                // The table belongs to another socket.
                Some(Errno::PERM) if number == 1 => Err(Errno::EXIST),
                Some(error) => Err(error),
                None if number == last => Ok(()),
                None => continue,
            };
            verdict.get_or_insert(said);
        }
    }
}

fn receive(socket: &OwnedFd, flags: RecvFlags) -> rustix::io::Result<Vec<u8>> {
    let mut answer = vec![0; 32 * 1024];
    let (length, _) = recv(socket, &mut answer[..], flags)?;
    answer.truncate(length);
    Ok(answer)
}
