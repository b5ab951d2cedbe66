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
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;

/// Runs before the constructors of the program.
extern "C" fn construct() {
    if Thread::current().or_else(start::attach).is_none() {
        return;
    }
    let Some(options) = CONFIG.options() else { return };
    pthreads::make_key();
    fork::prepare();
    register_last_handler();
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

