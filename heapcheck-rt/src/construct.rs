#![expect(unsafe_code, reason = "is called by the dynamic linker")]
//! The constructor: what is set up once, before the program's own constructors run.
//!
//! # Safety
//! The dynamic linker calls the function once, in the only thread there is.

use crate::emit::Recorder;
use crate::process::register_last_handler;
use crate::state::{ACTIVE, CONFIG, enter};
use crate::thread::Thread;
use crate::{children, crash, demand, fork, program, pthreads, start, verify};

#[used]
#[cfg_attr(not(any(heapcheck_static, heapcheck_linked)), unsafe(link_section = ".init_array"))]
#[cfg_attr(any(heapcheck_static, heapcheck_linked), unsafe(link_section = ".init_array.00000"))]
static CONSTRUCTOR: extern "C" fn() = construct;

/// A static program runs its destructors after all handlers, and those of the lowest number last.
#[cfg(heapcheck_static)]
#[used]
#[unsafe(link_section = ".fini_array.00000")]
static DESTRUCTOR: extern "C" fn(*mut core::ffi::c_void) = crate::process::at_the_very_end_without_status;

/// Runs before the constructors of the program.
extern "C" fn construct() {
    if Thread::current().or_else(start::attach).is_none() {
        return;
    }
    let Some(options) = CONFIG.options() else { return };
    pthreads::make_key();
    fork::prepare();
    if cfg!(not(heapcheck_static)) {
        register_last_handler();
    }
    if options.verify {
        verify::prepare();
    }
    enter(ACTIVE);
    program::cover();
    // The program may have brought options of its own.
    let Some(options) = CONFIG.options() else { return };
    children::prepare(options);
    if options.out.is_some() {
        Recorder::open(options).begin();
    }
    crash::prepare();
    demand::prepare(options);
}

