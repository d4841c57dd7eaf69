//! Cache mounts beside the builds that use them: what they are called, how large they are, and how they go.

pub mod facts;
pub mod list;
pub mod usage;
