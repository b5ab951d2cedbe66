//! The allocator: blocks with side metadata, found from any interior pointer in a few instructions.

pub(crate) mod meta;
pub(crate) mod spare;
pub(crate) mod span;
pub(crate) mod pages;
pub(crate) mod cache;
#[cfg(test)]
mod tests;
