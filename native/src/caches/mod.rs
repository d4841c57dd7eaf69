//! Cache mounts beside the builds that use them: what they are called, how large they are, how they go, and how they come from and to others.

pub mod chunks;
pub mod facts;
pub mod list;
pub mod memory;
pub mod pack;
pub mod unpack;
pub mod usage;
