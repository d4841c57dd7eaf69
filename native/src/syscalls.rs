//! The kernel calls that have no safe form elsewhere: thin, over owned and borrowed descriptors. The only file with `unsafe`.
