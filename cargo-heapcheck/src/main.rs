#![forbid(unsafe_code)]
//! cargo heapcheck: see ARCHITECTURE.md.
fn main() {}
