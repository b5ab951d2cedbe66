//! heapcheck-rt: see ARCHITECTURE.md.
pub mod space;
pub mod elf;
pub mod foreign;
#[cfg(test)]
#[path = "test_hooks.rs"]
mod hooks;
#[cfg(test)]
mod patch;
#[cfg(test)]
mod foreign_hooks;
#[cfg(test)]
#[allow(dead_code, reason = "its callers are in the injected build")]
mod cover;
