//! Directories made of layers on disk: blocks of long chains (flatten.rs) that overlayfs takes as one layer, and the roots of steps (root.rs).

mod changes;
pub mod clone;
pub mod flatten;
pub mod fuse_marks;
pub mod root;
mod stack;
mod state;
mod write;
