#![forbid(unsafe_code)]
//! What the verify mode counts.

use core::sync::atomic::{AtomicU64, AtomicUsize};

/// The counts.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) backtrace: AtomicUsize,
    pub(crate) get_ip: AtomicUsize,
    pub(crate) compared: AtomicU64,
    pub(crate) differ: AtomicU64,
}

impl Verified {
    pub(crate) const fn new() -> Self {
        Self {
            backtrace: AtomicUsize::new(0),
            get_ip: AtomicUsize::new(0),
            compared: AtomicU64::new(0),
            differ: AtomicU64::new(0),
        }
    }
}
