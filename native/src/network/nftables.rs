//! The few messages of nf_tables that the uplink takes: one table, its chains and rules, made at once, and what its rules counted.
//! Source: the kernel's nf_tables.h and nfnetlink.h.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::message::{self, ACK, CREATE, DUMP, EXCLUSIVE, Message, attribute};
use super::rule::Rule;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NFTABLES: u16 = 10;
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
const GET_RULE: u16 = NFTABLES << 8 | 7;
const APPEND: u16 = 0x800;

const UNSPECIFIED: u8 = 0;
const IPV4: u8 = 2;

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

/// A table that is there as long as this value, or its process.
pub struct Table {
    socket: OwnedFd,
    name: String,
}

impl Table {
    /// All of it or nothing. `EXIST` where somebody has a table of that name.
    pub fn make(name: &str, chains: Vec<Chain>) -> rustix::io::Result<Self> {
        let kind = Some(netlink::NETFILTER);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, kind)?;
        let table = Message::new(NEW_TABLE, CREATE | EXCLUSIVE)
            .plain(&header(IPV4, 0))
            .text(TABLE_NAME, name)
            .big_number(TABLE_FLAGS, OWNER);
        let mut batch = vec![
            Message::new(BATCH_BEGIN, 0).plain(&header(UNSPECIFIED, NFTABLES)),
            table,
        ];
        for chain in chains {
            batch.push(chain_message(name, &chain));
            let rules = chain.rules.into_iter();
            batch.extend(rules.map(|rule| rule_message(name, chain.name, rule)));
        }
        if let Some(last) = batch.pop() {
            batch.push(last.flags(ACK));
        }
        let count = batch.len() as u32;
        batch.push(Message::new(BATCH_END, 0).plain(&header(UNSPECIFIED, NFTABLES)));
        let numbered = batch.into_iter().zip(0..);
        let bytes: Vec<u8> = numbered
            .flat_map(|(message, number)| message.numbered(number))
            .collect();
        send(&socket, &bytes, SendFlags::empty())?;
        verdict(&socket, count - 1)?;
        let name = name.to_owned();
        Ok(Self { socket, name })
    }

    /// How many packets the rules of a chain have counted.
    pub fn packets(&self, chain: &str) -> rustix::io::Result<u64> {
        let message = Message::new(GET_RULE, DUMP)
            .plain(&header(IPV4, 0))
            .text(RULE_TABLE, &self.name)
            .text(RULE_CHAIN, chain);
        send(&self.socket, &message.finish(), SendFlags::empty())?;
        let mut sum = 0;
        loop {
            let answer = receive(&self.socket)?;
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

fn chain_message(table: &str, chain: &Chain) -> Message {
    Message::new(NEW_CHAIN, CREATE)
        .plain(&header(IPV4, 0))
        .text(CHAIN_TABLE, table)
        .text(CHAIN_NAME, chain.name)
        .nested(CHAIN_HOOK, |message| {
            message
                .big_number(HOOK_NUMBER, chain.hook as u32)
                .big_number(HOOK_PRIORITY, chain.priority as u32)
        })
        .text(CHAIN_TYPE, chain.kind)
}

fn rule_message(table: &str, chain: &str, rule: Rule) -> Message {
    Message::new(NEW_RULE, CREATE | APPEND)
        .plain(&header(IPV4, 0))
        .text(RULE_TABLE, table)
        .text(RULE_CHAIN, chain)
        .nested(RULE_EXPRESSIONS, |message| rule.write(message))
}

/// Waits for the answer to the last message, or the first error. Number 0 is the batch as a whole.
fn verdict(socket: &OwnedFd, last: u32) -> rustix::io::Result<()> {
    loop {
        let answer = receive(socket)?;
        for message in message::messages(&answer) {
            let (kind, number) = message::kind_of(message);
            if kind != message::ERROR {
                continue;
            }
            match message::error_of(message) {
                // The table belongs to another socket.
                Some(Errno::PERM) if number == 1 => return Err(Errno::EXIST),
                Some(error) => return Err(error),
                None if number == last => return Ok(()),
                None => {}
            }
        }
    }
}

fn receive(socket: &OwnedFd) -> rustix::io::Result<Vec<u8>> {
    let mut answer = vec![0; 32 * 1024];
    let (length, _) = recv(socket, &mut answer[..], RecvFlags::empty())?;
    answer.truncate(length);
    Ok(answer)
}
