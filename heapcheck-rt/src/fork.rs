#![expect(unsafe_code, reason = "registers handlers with libc")]
//! Forked children: a child never inherits a lock that somebody else held, and has a record and a check of its own.
//!
//! glibc takes the lock of its list of files after all handlers have run (posix/fork.c), and takes its own allocator's
//! locks even later, because below the lock of a file it allocates (its bug 19431): a thread that flushes all files
//! holds the list and waits for a file, whose owner waits for the allocator. So the list is locked before our own locks
//! are, with glibc's functions for it; the lock is recursive. Its lock of the name service, the other one that fork takes,
//! is free whenever glibc allocates for it (nss/nss_database.c). musl's list of files is not recursive, so there a
//! thread in `fflush(NULL)`, one in `getline` on the same file, and a fork can still wait for each other.
//!
//! # Safety
//! The handlers take nothing and return nothing, as pthread_atfork(3) wants, and neither do glibc's functions.

use crate::arch::weak_symbol;
use crate::emit::Recorder;
use crate::park;
use crate::state::{
    ANNOTATIONS, ARENA, BLOCKED_BEFORE_FORK, BUSY, CHECK, CLOSED, CONFIG, DEPOT, EXITING, PAGES, PROCESS, RECORD_LOCK, RULES, SCOPES, SCRATCH,
    SETTINGS, START_LOCK, STORE, THREADS, is_recording,
};
use crate::lock::{Lock, Quiet};
use crate::sys::{self, libc};
use crate::thread::Thread;
use core::sync::atomic::Ordering::Relaxed;

/// Registers the handlers. Being first, ours runs last before a fork and first after it.
pub(crate) fn prepare() {
    PROCESS.store(sys::process_id(), Relaxed);
    // SAFETY: see the head of this file.
    unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
}

/// Whether this process is the one that the runtime was set up in: a child of vfork shares our memory and is not.
pub(crate) fn is_this_process() -> bool {
    PROCESS.load(Relaxed) == sys::process_id()
}

/// Calls `visit` with every lock, outermost first, and whether it is one that is held lightly.
fn each_lock(mut visit: impl FnMut(&'static Lock, bool)) {
    for lock in [&CHECK, &RECORD_LOCK, &THREADS.lock, &SCOPES.lock, &START_LOCK, &ANNOTATIONS.lock, &CLOSED.lock] {
        visit(lock, false);
    }
    for shelf in &STORE.shelves {
        visit(&shelf.lock, true);
    }
    visit(&PAGES.lock, true);
    for lock in [
        &STORE.aside.lock,
        &PAGES.growth,
        &RULES.table.lock,
        &DEPOT.lock,
        &DEPOT.outer_parts.lock,
        &ARENA.lock,
        &SCRATCH.lock,
    ] {
        visit(lock, false);
    }
}

weak_symbol!(list_lock = "_IO_list_lock");
weak_symbol!(list_unlock = "_IO_list_unlock");
weak_symbol!(list_resetlock = "_IO_list_resetlock");

/// Calls a function of glibc, where there is one.
fn call(function: usize) {
    if function != 0 {
        // SAFETY: see the head of this file.
        unsafe { core::mem::transmute::<usize, extern "C" fn()>(function)() };
    }
}

extern "C" fn before() {
    if is_recording() {
        call(list_lock());
        let quiet = Quiet::begin();
        let is_handler = is_busy();
        each_lock(|lock, is_light| {
            if !(is_light && is_handler) {
                lock.acquire();
            }
        });
        BLOCKED_BEFORE_FORK.store(quiet.keep(), Relaxed);
    }
}

/// Whether it is a signal handler that forks, and has interrupted its own thread where that may hold a lock lightly. Then
/// these locks are as they are: the thread goes on with what it does in both processes.
fn is_busy() -> bool {
    Thread::current().is_some_and(|thread| thread.free_stacks & BUSY != 0)
}

/// Signals wait until the value is dropped.
fn still_quiet() -> Quiet {
    Quiet::after(BLOCKED_BEFORE_FORK.load(Relaxed))
}

extern "C" fn after_in_parent() {
    if is_recording() {
        let _quiet = still_quiet();
        let is_handler = is_busy();
        each_lock(|lock, is_light| {
            if !(is_light && is_handler) {
                lock.release();
            }
        });
        call(list_unlock());
    }
}

extern "C" fn after_in_child() {
    if !is_recording() {
        return;
    }
    PROCESS.store(sys::process_id(), Relaxed);
    SETTINGS.generation.fetch_add(1, Relaxed);
    EXITING.store(false, Relaxed);
    let _quiet = still_quiet();
    let is_handler = is_busy();
    each_lock(|lock, is_light| {
        // Whoever held the others is not here.
        if !(is_light && is_handler && lock.is_mine()) {
            lock.release();
        }
    });
    // In a process that had several threads glibc has done so; it may be done twice.
    call(list_resetlock());
    THREADS.keep_only(Thread::current());
    park::WORLD.forget_others();
    let Some(options) = CONFIG.options() else { return };
    let mut recorder = Recorder::open(options);
    recorder.begin_anew();
    if options.out.is_some() {
        recorder.begin();
    }
}
