//! What the usher knows, without a system call: its errand, what a harness says of a test, and what proves that a process is
//! clean.

pub mod errand;
pub mod heard;
pub mod proof;
