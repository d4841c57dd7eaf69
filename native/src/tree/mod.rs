//! File trees: what is in a context or a filesystem, which of it is selected, and the digest of that.

pub mod digest;
pub mod flat;
mod go_regex;
pub mod host;
pub mod ignore;
mod ignore_pattern;
pub mod open;
pub mod parents;
pub mod pattern;
pub mod requests;
pub mod resolve;
pub mod select;
pub mod similar;
pub mod source;
pub mod stat_cache;
pub mod user;
pub mod walk;
pub mod xattr;

#[cfg(test)]
mod tests;
