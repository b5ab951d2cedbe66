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

    /// The address of libc's start function.
    pub(crate) fn __libc_start_main() -> usize {
        find(c"__libc_start_main")
    }

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
    use crate::arch::weak_symbol;

    /// Declares functions that libc must bring along. The references are strong: `--wrap` has turned those of the program
    /// into references to ours, so nobody else asks the linker for them.
    macro_rules! reals {
        ($($name:ident = $symbol:literal;)*) => {
            $(
                /// The address of the function that ours hides.
                #[inline(always)]
                pub(crate) fn $name() -> usize {
                    let address: usize;
                    // SAFETY: computes an address. Not by way of the global offset table, which a position-independent
                    // static program fills in itself, later than its first call.
                    unsafe {
                        core::arch::asm!(concat!("lea {0}, [rip + ", $symbol, "]"), out(reg) address,
                            options(nomem, nostack, preserves_flags));
                    }
                    address
                }
            )*

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
        malloc = "__real_malloc";
        memalign = "__real_memalign";
        realloc = "__real_realloc";
        free = "__real_free";
        malloc_usable_size = "__real_malloc_usable_size";
        pthread_create = "__real_pthread_create";
        pthread_join = "__real_pthread_join";
        pthread_detach = "__real_pthread_detach";
        pthread_exit = "__real_pthread_exit";
        exit = "__real_exit";
        quick_exit = "__real_quick_exit";
        abort = "__real_abort";
        sigaction = "__real_sigaction";
        signal = "__real_signal";
        __libc_start_main = "__real___libc_start_main";
    }

    weak_symbol!(unwind_backtrace = "_Unwind_Backtrace");
    weak_symbol!(unwind_get_ip = "_Unwind_GetIP");

    /// The address of a function that the program may have been linked with, or 0: there is no dynamic linker to ask.
    pub(crate) fn find_any(name: &CStr) -> usize {
        match name.to_bytes() {
            b"_Unwind_Backtrace" => unwind_backtrace(),
            b"_Unwind_GetIP" => unwind_get_ip(),
            _ => 0,
        }
    }

    /// A static program loads nothing.
    pub(crate) fn load(_library: &CStr, _name: &CStr) -> usize {
        0
    }
}
#[cfg(heapcheck_static)]
pub(crate) use fixed::*;
