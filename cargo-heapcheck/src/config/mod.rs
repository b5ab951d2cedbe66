#![forbid(unsafe_code)]
//! What a person has set: on the command line, in the environment, in `.config/heapcheck.toml`; and what follows from it
//! for one test.

pub(crate) mod document;
pub(crate) mod quantity;
pub(crate) mod pattern;
pub(crate) mod filter;
pub(crate) mod settings;
pub(crate) mod suppression;
pub(crate) mod baseline;
pub(crate) mod file;
pub(crate) mod plan;
