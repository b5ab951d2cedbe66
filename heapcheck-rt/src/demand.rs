#![expect(unsafe_code, reason = "starts a thread of its own")]
//! Checks on demand while the program runs on, asked for by a signal.
//!
//! The handler may have interrupted anything, our own locks included, so it only wakes a thread that the constructor
//! made for this purpose when the option is set. That thread is not checked for leaks of its own: it allocates nothing.
//!
//! # Safety
//! The thread gets no argument and never returns.

use crate::options::Options;
use crate::place::{Place, note_place};
use crate::record::Moment;
use crate::state::{CONFIG, DEMANDS, phase, ACTIVE};
use crate::{start, sys};
use core::sync::atomic::Ordering::{AcqRel, Acquire};

/// Installs the handler and starts the thread, when the option is set.
pub(crate) fn prepare(options: &Options<'_>) {
    let Some(signal) = options.signal else { return };
    type Create = unsafe extern "C" fn(*mut usize, *const u8, extern "C" fn(usize) -> usize, usize) -> i32;
    let real = crate::real::find(c"pthread_create");
    let mut thread = 0;
    // SAFETY: the symbol has this type; every signal is blocked while the thread inherits its mask.
    let started = unsafe {
        let mask = sys::set_signal_mask(u64::MAX);
        let outcome =
            core::mem::transmute::<usize, Create>(real)(&mut thread, core::ptr::null(), serve, 0);
        sys::set_signal_mask(mask);
        outcome == 0
    };
    if started {
        let _ = sys::install_handler(signal, on_signal, sys::SA_RESTART | sys::SA_ONSTACK);
    }
}

extern "C" fn on_signal(_: i32, _: usize, _: usize) {
    DEMANDS.fetch_add(1, AcqRel);
    sys::futex_wake_all(&DEMANDS);
}

#[unsafe(naked)]
extern "C" fn serve(_: usize) -> usize {
    note_place!(serve_from)
}

extern "C" fn serve_from(_: usize, _: usize, place: &Place) -> usize {
    // So that its stack is known: what a check has left there, a copy of registers say, must keep nothing alive later.
    let _ = start::attach();
    let mut served = 0;
    loop {
        let demands = DEMANDS.load(Acquire);
        if demands == served {
            sys::futex_wait(&DEMANDS, demands, 0);
            continue;
        }
        served = demands;
        if let Some(options) = CONFIG.options().filter(|_| phase() == ACTIVE) {
            crate::process::run(options, place, Moment::Signal);
        }
    }
}
