//! heapcheck-rt: see ARCHITECTURE.md.
pub mod space;
#[cfg(test)]
mod test_space;
pub mod mark;
pub mod classify;
