//! Directories made of layers on disk: blocks of long chains (flatten.rs) that overlayfs takes as one layer.

mod clone;
pub mod flatten;
mod stack;
mod write;
