//! The allocator: blocks with side metadata, found from any interior pointer in a few instructions.

pub(crate) mod meta;
pub(crate) mod spare;
pub(crate) mod tray;
pub(crate) mod span;
pub(crate) mod pages;
pub(crate) mod cache;
pub(crate) mod store;
#[cfg(test)]
mod tests;
