//! Layers: tar bytes made from trees, and trees made from tar bytes.

pub mod blob;
pub mod commit;
pub mod content;
pub mod layout;
pub mod pack;
pub mod requests;
pub mod stable;
pub mod tar_write;
pub mod upper;
pub mod write;
