#![forbid(unsafe_code)]
//! Which thread is in which scope: entering, inheriting, and being put out when a scope ends.
//!
//! A thread moves itself. Only the end of a scope moves others: a pool that was started by a test outlives it, and what
//! its threads allocate from then on belongs to the scope around, or to nobody. Such a move happens behind the thread's
//! back, so its part of the counts goes to the wrong scope; the scope that gets it is no longer trusted to be empty.
//!
//! In the mode for test harnesses every thread that the main thread starts has a scope of its own, which bears the
//! thread's name. When tests are to run one after the other, such a thread waits until the one before it has ended.

use crate::limits::CLEAR_INLINE;
use crate::options::Scoping;
use crate::scope;
use crate::starts::Start;
use crate::state::{
    ACTIVE, BUSY, CONFIG, METERED, SCOPES, SETTINGS, STACKS_SHORT, STORE, TESTS_ENDED, TESTS_STARTED, THREADS, phase,
};
use crate::sys;
use crate::thread::Thread;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// Sets how the thread allocates and frees: the quick way only when neither traces nor sums ask for more.
pub(crate) fn set_pace(thread: &mut Thread, is_metered: bool) {
    let is_quick = SETTINGS.stacks.load(Relaxed) == STACKS_SHORT && SETTINGS.zero.load(Relaxed) && !is_metered;
    thread.quick_bytes = if is_quick { CLEAR_INLINE } else { 0 };
    thread.free_stacks = SETTINGS.free_stacks.load(Relaxed) | if is_metered { METERED } else { 0 };
}

/// Gives back the free blocks that the calling thread keeps.
pub(crate) fn give_back_all(thread: &mut Thread) {
    let quick_bytes = thread.enter_lists(BUSY);
    STORE.empty(&mut thread.cache);
    thread.leave_lists(BUSY, quick_bytes);
}

/// Puts the calling thread into a scope.
pub(crate) fn enter(thread: &mut Thread, scope: u32) {
    scope::hand_in(&SCOPES, thread);
    if thread.scope() == 0 && scope != 0 {
        // In a scope no block is used that was somebody else's; see `Store::refill_fresh`.
        give_back_all(thread);
    }
    thread.set_scope(scope);
    set_pace(thread, SCOPES.is_counted(scope));
}

/// Ends a scope, on the calling thread and on all others that are in it.
pub(crate) fn close(thread: &mut Thread, number: u32) {
    let Some(scope) = SCOPES.get(number).filter(|_| number != 0) else { return };
    let is_first = scope.close();
    // It may be in one below that is open still: scopes need not end in the order of their nesting.
    let around = SCOPES.open_around(thread.scope());
    if around != thread.scope() {
        enter(thread, around);
    }
    if !is_first {
        return;
    }
    SCOPES.take_baseline(scope, &mut |_| ());
    THREADS.each(|other| {
        let at = other.scope();
        let around = SCOPES.open_around(at);
        if at != around
            && other.move_scope(at, around)
            && let Some(around) = SCOPES.get(around).filter(|_| around != 0)
        {
            around.note_inexact();
        }
    });
}

/// The scope for a thread that `creator` starts, and the turn that it has to wait for, or 0.
pub(crate) fn prepare_start(creator: &Thread) -> (u32, u32) {
    let scoping = CONFIG.options().map_or(Scoping::Asked, |options| options.scopes);
    let is_harness = scoping != Scoping::Asked
        && phase() == ACTIVE
        && SETTINGS.born.load(Relaxed) == 0
        && creator.scope() == 0
        && creator.tid.load(Relaxed) == sys::process_id();
    let opened = if is_harness { SCOPES.open_for_thread().ok() } else { None };
    match opened {
        Some(scope) if scoping == Scoping::Serial => (scope, TESTS_STARTED.fetch_add(1, Relaxed) + 1),
        Some(scope) => (scope, 0),
        None => (SCOPES.inherited_from(creator.scope()), 0),
    }
}

/// The first thing that a thread does.
pub(crate) fn begin(thread: &mut Thread, start: &Start) {
    let scope = start.scope.load(Relaxed);
    if let Some(own) = SCOPES.get(scope).filter(|_| scope != 0)
        && own.named_after() == Some(0)
    {
        own.belongs_to(thread.number);
    }
    enter(thread, SCOPES.open_around(scope));
    // Whoever closes the scope now looks for its threads; before that it may not have seen this one.
    let around = SCOPES.open_around(thread.scope());
    if around != thread.scope() {
        enter(thread, around);
    }
    await_turn(start.turn.load(Relaxed));
}

fn await_turn(turn: u32) {
    loop {
        let ended = TESTS_ENDED.load(Acquire);
        if ended + 1 >= turn {
            return;
        }
        sys::futex_wait(&TESTS_ENDED, ended, 0);
    }
}

/// The last thing that a thread does.
pub(crate) fn end(thread: &mut Thread) {
    let mut at = thread.scope();
    while let Some(scope) = SCOPES.get(at).filter(|_| at != 0) {
        if scope.named_after() == Some(thread.number) {
            close(thread, at);
            if CONFIG.options().is_some_and(|options| options.scopes == Scoping::Serial) {
                TESTS_ENDED.fetch_add(1, AcqRel);
                sys::futex_wake_all(&TESTS_ENDED);
            }
            break;
        }
        at = scope.parent.load(Relaxed);
    }
    scope::hand_in(&SCOPES, thread);
}

/// Undoes [`prepare_start`]: the thread could not be started.
pub(crate) fn cancel_start(scope: u32, turn: u32) {
    if turn > 0 {
        TESTS_STARTED.fetch_sub(1, Relaxed);
    }
    if let Some(scope) = SCOPES.get(scope).filter(|found| scope != 0 && found.named_after() == Some(0)) {
        scope.close();
    }
}
