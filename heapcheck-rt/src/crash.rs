#![expect(unsafe_code, reason = "handles fatal signals and stands in front of sigaction")]
//! Fatal signals: the record says that no check ran, and the process ends as it would have.
//!
//! Our handlers are only a better default action. A program that asks finds the default there (`sigaction` and `signal`
//! say so), because Rust's std installs its own handler for stack overflows only where nobody else did; a program that
//! installs a handler replaces ours, and one that restores the default gets ours back.
//!
//! # Safety
//! `struct sigaction` begins with the handler and is passed on as the program gave it. The handler makes system calls
//! only, and takes the record's lock only if it is free.

use crate::exports::exported;
use crate::process::end_in_crash;
use crate::sys;

/// The signals that are sent for what a program does itself.
const FATAL: [i32; 6] = [4, 5, 7, 8, 11, 31];
const SIG_DFL: usize = 0;

/// Installs the handlers where the default is.
pub(crate) fn prepare() {
    for signal in FATAL {
        let ours = sys::install_handler(signal, on_crash, sys::SA_ONSTACK | sys::SA_NODEFER);
        if let Ok(before) = ours
            && before.handler != SIG_DFL
        {
            let _ = sys::replace_action(signal, &before);
        }
    }
}

extern "C" fn on_crash(signal: i32, _: usize, _: usize) {
    end_in_crash(signal);
    // The instruction is tried again, and now ends the process with the signal; one that was sent is sent again.
    let _ = sys::replace_action(signal, &sys::SignalAction::default());
    let _ = sys::signal_thread(sys::process_id(), sys::thread_id(), signal);
}

fn our_handler() -> usize {
    on_crash as *const () as usize
}

fn is_fatal(signal: i32) -> bool {
    FATAL.contains(&signal)
}

type Sigaction = unsafe extern "C" fn(i32, *const usize, *mut usize) -> i32;
type Signal = unsafe extern "C" fn(i32, usize) -> usize;

exported! { wrapped "C"
    fn sigaction(signal: i32, new: *const usize, old: *mut usize) -> i32 {
        let real = crate::real::find(c"sigaction");
        // SAFETY: the symbol has this type; pointers are the program's, null or valid, and begin with the handler.
        unsafe {
            let outcome = core::mem::transmute::<usize, Sigaction>(real)(signal, new, old);
            if outcome == 0 && is_fatal(signal) {
                if !old.is_null() && *old == our_handler() {
                    *old = SIG_DFL;
                }
                if !new.is_null() && *new == SIG_DFL && crate::start::is_active() {
                    let _ = sys::install_handler(signal, on_crash, sys::SA_ONSTACK | sys::SA_NODEFER);
                }
            }
            outcome
        }
    }

    fn signal(number: i32, handler: usize) -> usize {
        let real = crate::real::find(c"signal");
        // SAFETY: the symbol has this type.
        let before = unsafe { core::mem::transmute::<usize, Signal>(real)(number, handler) };
        if !is_fatal(number) {
            return before;
        }
        if handler == SIG_DFL && crate::start::is_active() {
            let _ = sys::install_handler(number, on_crash, sys::SA_ONSTACK | sys::SA_NODEFER);
        }
        if before == our_handler() { SIG_DFL } else { before }
    }
}
