#![expect(unsafe_code, reason = "asks libc to write what it holds")]
//! What the program has printed, and libc still holds.
//!
//! # Safety
//! The symbol is libc's variable of this type, and the functions take what it has.

use crate::arch::weak_symbol;
use crate::state::EXITING;
use crate::sys::libc;
use core::ffi::c_void;
use core::sync::atomic::Ordering::Relaxed;

weak_symbol!(stdout_symbol = "stdout");

/// Lets libc write it, so that a report at the end of the process comes behind it. Not on the way of `quick_exit`, which does
/// not do so, nor while another thread has the stream.
pub(crate) fn flush() {
    let stdout = stdout_symbol() as *const *mut c_void;
    if stdout.is_null() || !EXITING.load(Relaxed) {
        return;
    }
    // SAFETY: see the head of this file.
    unsafe {
        let stream = stdout.read();
        if !stream.is_null() && libc::ftrylockfile(stream) == 0 {
            libc::fflush(stream);
            libc::funlockfile(stream);
        }
    }
}
