#![expect(unsafe_code, reason = "stands in front of dlclose")]
//! The end of a library: what was learned of its code is forgotten, because other code may come to lie there. Where it
//! lay is kept, for the traces that lead through it.
//!
//! All rules go, and all threads' memory of their walks, which were made by those rules. That is done from here, not by
//! each thread: a thread looks at its memory on every allocation, and asking there whether a library was closed would
//! cost more than all of this.
//!
//! # Safety
//! The real function is called with the argument that the program gave it. Thread records are never freed.

use crate::capture::Capture;
use crate::closed::File;
use crate::exports::exported;
use crate::intervals::Span;
use crate::modules::Modules;
use crate::state::{ARENA, CLOSED, DEPOT, REGION, RULES, THREADS, is_recording};
use crate::sys::libc::{self, ModuleInfo};
use core::ffi::{c_int, c_void};

exported! { wrapped "C-unwind"
    // Stands in front of dlclose(3).
    fn dlclose(library: *mut c_void) -> c_int {
        type Close = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;
        let loaded = take_modules();
        let before = count_unloaded();
        // SAFETY: the symbol has this type; the argument is the program's.
        let outcome = unsafe { core::mem::transmute::<usize, Close>(crate::real::find(c"dlclose"))(library) };
        if count_unloaded() != before {
            if let Some(loaded) = loaded {
                keep_closed(&loaded);
            }
            RULES.table.forget_all();
            THREADS.each(|thread| Capture::clear_of(&thread.capture));
        }
        outcome
    }
}

/// The modules of a process that is recorded. Taken twice around each call: a destructor inside may close others.
fn take_modules() -> Option<Modules> {
    let heap = Span::new(REGION.heap.start(), REGION.heap.end());
    if is_recording() { Modules::take(&ARENA, heap).ok() } else { None }
}

/// Keeps those of `before` that are not loaded any more. Their last trace is known: their code cannot run.
fn keep_closed(before: &Modules) {
    let trace_to = DEPOT.count() as u32 + 1;
    let Some(after) = take_modules() else { return };
    for module in before.all().iter().filter(|module| !before.is_in(module, &after)) {
        CLOSED.add(File { trace_to, ..before.file(module) });
    }
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
