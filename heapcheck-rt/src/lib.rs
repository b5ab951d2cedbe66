//! heapcheck-rt: see ARCHITECTURE.md.
pub mod space;
pub mod sink;
pub mod text;
pub mod demangle;
pub mod suppress;
pub mod options;
pub mod record;
pub mod plain;
