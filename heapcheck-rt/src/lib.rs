//! heapcheck-rt: see ARCHITECTURE.md.
pub mod space;
pub mod elf;
