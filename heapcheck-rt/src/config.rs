#![expect(unsafe_code, reason = "keeps a value that is written once")]
//! The options of this process, and what the program's own functions add to them.
//!
//! # Safety
//! Both values are written before the phase in which anybody reads them, by the only thread there is.

use crate::options::Options;
use core::cell::UnsafeCell;

/// What was read once.
#[derive(Debug)]
pub(crate) struct Config {
    options: UnsafeCell<Option<Options<'static>>>,
    suppressions: UnsafeCell<&'static [u8]>,
}

// SAFETY: see the head of this file.
unsafe impl Sync for Config {}

impl Config {
    pub(crate) const fn new() -> Self {
        Self { options: UnsafeCell::new(None), suppressions: UnsafeCell::new(b"") }
    }

    /// Keeps the options.
    ///
    /// # Safety
    /// No other thread exists.
    pub(crate) unsafe fn set_options(&self, options: Options<'static>) {
        // SAFETY: as the caller promises.
        unsafe { *self.options.get() = Some(options) };
    }

    /// Keeps what `__lsan_default_suppressions` returned.
    ///
    /// # Safety
    /// No other thread exists.
    pub(crate) unsafe fn set_suppressions(&self, text: &'static [u8]) {
        // SAFETY: as the caller promises.
        unsafe { *self.suppressions.get() = text };
    }

    /// The options, in a process that is checked.
    pub(crate) fn options(&self) -> Option<&'static Options<'static>> {
        // SAFETY: written before anybody reads.
        unsafe { &*self.options.get() }.as_ref()
    }

    /// The suppressions that the program brings along.
    pub(crate) fn suppressions(&self) -> &'static [u8] {
        // SAFETY: written before anybody reads.
        unsafe { *self.suppressions.get() }
    }
}
