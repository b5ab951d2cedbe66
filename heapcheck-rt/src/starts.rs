#![expect(unsafe_code, reason = "passes records between threads by address")]
//! Threads that were created but have not begun: what they will run, kept where a check finds it.
//!
//! A record is filled by the creator and emptied by the trampoline once the argument is in its own hands. Records are
//! never freed, only used again.
//!
//! # Safety
//! A record belongs to whoever took it from the list until its `function` is zero again.

use crate::space::OutOfMemory;
use crate::state::{ARENA, START_LOCK, STARTS};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::{Acquire, Relaxed, Release}};

/// A thread to come.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Start {
    next: AtomicUsize,
    taken: AtomicU32,
    pub(crate) scope: AtomicU32,
    /// Which of the threads that run one after the other it is; 0: it waits for nobody.
    pub(crate) turn: AtomicU32,
    /// Its stack has room to be cleared; see `pthreads`.
    pub(crate) has_room: AtomicU32,
    pub(crate) function: AtomicUsize,
    pub(crate) argument: AtomicUsize,
}

/// Takes a record.
pub(crate) fn take(function: usize, argument: usize, (scope, turn): (u32, u32)) -> Result<&'static Start, OutOfMemory> {
    let _held = START_LOCK.hold();
    let start = match find_free() {
        Some(start) => start,
        None => add()?,
    };
    start.taken.store(1, Relaxed);
    start.scope.store(scope, Relaxed);
    start.turn.store(turn, Relaxed);
    start.argument.store(argument, Relaxed);
    start.function.store(function, Release);
    Ok(start)
}

/// Gives a record back.
pub(crate) fn give_back(start: &Start) {
    start.argument.store(0, Relaxed);
    start.function.store(0, Relaxed);
    start.taken.store(0, Release);
}

fn find_free() -> Option<&'static Start> {
    let mut free = None;
    each(|start| {
        if free.is_none() && start.taken.load(Acquire) == 0 {
            free = Some(start);
        }
    });
    free
}

/// Makes a page of records.
fn add() -> Result<&'static Start, OutOfMemory> {
    let page = ARENA.take(4096)?;
    for index in 0..4096 / size_of::<Start>() {
        // SAFETY: the page is ours and zeroed, which is a free record; records lie inside it.
        let start = unsafe { &*(page as *const Start).add(index) };
        start.next.store(STARTS.load(Relaxed), Relaxed);
        STARTS.store(start as *const Start as usize, Release);
    }
    find_free().ok_or(OutOfMemory)
}

fn each(mut visit: impl FnMut(&'static Start)) {
    let mut address = STARTS.load(Acquire);
    while address != 0 {
        // SAFETY: records are never freed.
        let start = unsafe { &*(address as *const Start) };
        visit(start);
        address = start.next.load(Relaxed);
    }
}

/// Calls `visit` with every word that a thread to come will get.
pub(crate) fn each_pending(
    mut visit: impl FnMut(usize) -> Result<(), OutOfMemory>,
) -> Result<(), OutOfMemory> {
    let mut outcome = Ok(());
    each(|start| {
        if start.taken.load(Acquire) != 0 {
            outcome = outcome.and_then(|()| visit(start.argument.load(Relaxed)));
        }
    });
    outcome
}
