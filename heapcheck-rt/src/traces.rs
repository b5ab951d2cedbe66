#![forbid(unsafe_code)]
//! The traces of allocations and frees, taken as the settings say, and stored where they are new.

use crate::capture::Caller;
use crate::depot::Traces;
use crate::putoff::take_back_put_off;
use crate::state::{BUSY, DEPOT, METERED, RULES, SETTINGS, STACKS_FULL, STACKS_OFF, STACKS_SHORT};
use crate::thread::Thread;
use crate::verify;
use core::sync::atomic::Ordering::Relaxed;

/// Takes the trace of the caller, as deep as the settings say.
#[inline(always)]
pub(crate) fn trace_of(thread: &mut Thread, caller: Caller) -> u32 {
    match take_trace(thread, DEPOT.to_find(), caller, SETTINGS.stacks.load(Relaxed)) {
        0 => take_new_trace(thread, caller),
        trace => trace,
    }
}

#[inline(always)]
fn take_trace<const S: bool>(thread: &mut Thread, traces: Traces<'_, S>, caller: Caller, how: u8) -> u32 {
    match how {
        STACKS_FULL => thread.capture.full(&RULES, traces, caller, SETTINGS.depth.load(Relaxed)),
        STACKS_SHORT => thread.capture.short(&RULES, traces, caller, SETTINGS.short_depth.load(Relaxed)),
        STACKS_OFF => thread.capture.short(&RULES, traces, caller, 1),
        _ => verified_trace_of(thread, traces, caller),
    }
}

/// A trace that nobody has had before. It is not stored for a signal handler that has interrupted its thread where that may
/// hold a lock.
#[cold]
#[inline(never)]
fn take_new_trace(thread: &mut Thread, caller: Caller) -> u32 {
    take_new(thread, caller, SETTINGS.stacks.load(Relaxed))
}

fn take_new(thread: &mut Thread, caller: Caller, how: u8) -> u32 {
    storing(thread, |thread, traces| take_trace(thread, traces, caller, how)).unwrap_or(0)
}

/// Does some work with traces that may be new, unless a signal handler has interrupted its thread where that may hold a lock.
pub(crate) fn storing<T>(
    thread: &mut Thread,
    work: impl FnOnce(&mut Thread, Traces<'_, true>) -> T,
) -> Option<T> {
    if thread.free_stacks & BUSY != 0 {
        return None;
    }
    let quick_bytes = thread.enter_lists(BUSY);
    let done = work(thread, DEPOT.to_store());
    thread.leave_lists(BUSY, quick_bytes);
    take_back_put_off(thread);
    Some(done)
}

#[cold]
#[inline(never)]
fn verified_trace_of<const S: bool>(thread: &mut Thread, traces: Traces<'_, S>, caller: Caller) -> u32 {
    let (depth, short_depth) = (SETTINGS.depth.load(Relaxed), SETTINGS.short_depth.load(Relaxed));
    let known = thread.capture.known(caller);
    let short = known.unwrap_or_else(|| thread.capture.short(&RULES, traces, caller, short_depth));
    let trace = thread.capture.full(&RULES, traces, caller, depth);
    if short == 0 || trace == 0 {
        return 0;
    }
    verify::compare(caller, trace, depth);
    verify::compare(caller, short, short_depth);
    trace
}

/// Takes the trace of a free, where the thread wants one.
#[inline(always)]
pub(crate) fn free_trace_of(thread: &mut Thread, caller: Caller) -> u32 {
    let how = match thread.free_stacks & !(METERED | BUSY) {
        STACKS_OFF => return 0,
        STACKS_SHORT => STACKS_SHORT,
        _ => STACKS_FULL,
    };
    match take_trace(thread, DEPOT.to_find(), caller, how) {
        0 => take_new(thread, caller, how),
        trace => trace,
    }
}
