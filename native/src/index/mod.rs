//! Tree indexes: what each layer holds, and what a chain of them shows, without a file on disk.

pub mod codec;
pub mod entry;
pub mod layer;
pub mod path;
pub mod store;
pub mod view;
