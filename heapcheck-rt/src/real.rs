#![expect(unsafe_code, reason = "asks the dynamic linker for the functions that ours hide")]
//! The functions of libc that the runtime's own ones stand in front of.
//!
//! # Safety
//! `dlsym` with a constant name and `RTLD_NEXT` has no other precondition. It allocates nothing when it succeeds.

use crate::sys::libc::dlsym;
use core::ffi::CStr;

/// The address of the next definition of `name` behind ours, or 0.
#[cfg(not(heapcheck_static))]
pub(crate) fn find(name: &CStr) -> usize {
    const RTLD_NEXT: usize = usize::MAX;
    // SAFETY: see the head of this file.
    unsafe { dlsym(RTLD_NEXT as *mut _, name.as_ptr()) as usize }
}
