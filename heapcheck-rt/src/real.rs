#![expect(unsafe_code, reason = "asks the dynamic linker for the functions that ours hide")]
//! The functions of libc that the runtime's own ones stand in front of.
//!
//! In a static program the linker gives them the names that `--wrap` invents.
//!
//! # Safety
//! `dlsym` and `dlopen` with constant names have no other precondition. A `__real_` symbol has the type of its namesake.

use core::ffi::CStr;

#[cfg(not(heapcheck_static))]
mod dynamic {
    use super::CStr;
    use crate::sys::libc::{dlopen, dlsym};

    const RTLD_NEXT: usize = usize::MAX;
    const RTLD_NOW: i32 = 2;

    /// The address of the next definition of `name` behind ours, or 0.
    pub(crate) fn find(name: &CStr) -> usize {
        // SAFETY: see the head of this file.
        unsafe { dlsym(RTLD_NEXT as *mut _, name.as_ptr()) as usize }
    }

    /// The address of any definition of `name`, or 0.
    pub(crate) fn find_any(name: &CStr) -> usize {
        // SAFETY: see the head of this file.
        unsafe { dlsym(core::ptr::null_mut(), name.as_ptr()) as usize }
    }

    /// The address of `name` in a library, which is loaded for it.
    pub(crate) fn load(library: &CStr, name: &CStr) -> usize {
        // SAFETY: see the head of this file.
        unsafe {
            let handle = dlopen(library.as_ptr(), RTLD_NOW);
            if handle.is_null() { 0 } else { dlsym(handle, name.as_ptr()) as usize }
        }
    }
}
#[cfg(not(heapcheck_static))]
pub(crate) use dynamic::*;

#[cfg(heapcheck_static)]
mod fixed {
    use super::CStr;

    macro_rules! reals {
        ($($name:ident = $symbol:literal;)*) => {
            $(crate::arch::weak_symbol!($name = $symbol);)*

            /// The address of the function that ours hides, or 0.
            pub(crate) fn find(name: &CStr) -> usize {
                match name.to_bytes() {
                    $(bytes if bytes == stringify!($name).as_bytes() => $name(),)*
                    _ => 0,
                }
            }
        };
    }

    reals! {
        malloc_usable_size = "__real_malloc_usable_size";
        pthread_create = "__real_pthread_create";
        pthread_join = "__real_pthread_join";
        pthread_detach = "__real_pthread_detach";
        pthread_exit = "__real_pthread_exit";
        exit = "__real_exit";
        quick_exit = "__real_quick_exit";
        abort = "__real_abort";
        __libc_start_main = "__real___libc_start_main";
    }

    /// A static program has no dynamic linker to ask.
    pub(crate) fn find_any(_name: &CStr) -> usize {
        0
    }

    /// A static program loads nothing.
    pub(crate) fn load(_library: &CStr, _name: &CStr) -> usize {
        0
    }
}
#[cfg(heapcheck_static)]
pub(crate) use fixed::*;
