//! Layers: tar bytes made from trees, and trees made from tar bytes.

pub mod blob;
pub mod budget;
pub mod commit;
pub mod content;
pub mod epoch;
pub mod extract;
pub mod inflate;
pub mod layout;
pub mod leak;
pub mod marks;
pub mod pack;
mod pax;
pub mod remove;
pub mod requests;
pub mod search;
pub mod sink;
pub mod sparse;
pub mod stable;
pub mod tar_read;
pub mod tar_write;
pub mod unpack;
pub mod unpack_all;
pub mod upper;
pub mod write;
mod xz;

#[cfg(test)]
mod tests;
