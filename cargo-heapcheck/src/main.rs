//! cargo heapcheck: see ARCHITECTURE.md.
fn main() {}
