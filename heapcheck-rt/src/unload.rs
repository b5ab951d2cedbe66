#![expect(unsafe_code, reason = "stands in front of dlclose")]
//! The end of a library: what was learned of its code is forgotten, because other code may come to lie there.
//!
//! All rules go, and all threads' memory of their walks, which were made by those rules. That is done from here, not by
//! each thread: a thread looks at its memory on every allocation, and asking there whether a library was closed would
//! cost more than all of this.
//!
//! # Safety
//! The real function is called with the argument that the program gave it. Thread records are never freed.

use crate::capture::Capture;
use crate::state::{RULES, THREADS};
use crate::sys::libc::{self, ModuleInfo};
use core::ffi::{c_int, c_void};

/// Stands in front of dlclose(3).
#[cfg_attr(not(heapcheck_static), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn dlclose(library: *mut c_void) -> c_int {
    type Close = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;
    let before = count_unloaded();
    // SAFETY: the symbol has this type; the argument is the program's.
    let outcome = unsafe { core::mem::transmute::<usize, Close>(crate::real::find(c"dlclose"))(library) };
    if count_unloaded() != before {
        RULES.table.forget_all();
        THREADS.each(|thread| Capture::clear_of(&thread.capture));
    }
    outcome
}

/// How many libraries were unloaded so far (dl_iterate_phdr(3), `dlpi_subs`).
fn count_unloaded() -> u64 {
    extern "C" fn visit(module: &ModuleInfo, _: usize, count: *mut c_void) -> c_int {
        // SAFETY: `count` is the number below.
        unsafe { count.cast::<u64>().write(module.subs) };
        1
    }
    let mut count = 0u64;
    // SAFETY: the callback gets the number and keeps nothing.
    unsafe { libc::dl_iterate_phdr(visit, (&raw mut count).cast()) };
    count
}
