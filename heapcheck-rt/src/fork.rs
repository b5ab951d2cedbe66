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
    ANNOTATIONS, ARENA, BLOCKED_BEFORE_FORK, CHECK, CLOSED, CONFIG, DEPOT, EXITING, PAGES, PROCESS, RECORD_LOCK, RULES, SCOPES, SCRATCH,
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
    for lock in [&STORE.aside.lock, &PAGES.growth, &RULES.table.lock] {
        visit(lock, false);
    }
    visit(&DEPOT.lock, true);
    for lock in [&ARENA.lock, &SCRATCH.lock] {
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
    if !is_recording() {
        return;
    }
    let mut patience_ns = PATIENCE_NS;
    loop {
        // A handler that comes and forks would find the list taken by its own thread, and could not let go of it.
        let quiet = Quiet::begin();
        call(list_lock());
        if acquire_all(patience_ns) {
            BLOCKED_BEFORE_FORK.store(quiet.keep(), Relaxed);
            return;
        }
        call(list_unlock());
        drop(quiet);
        sys::sleep_ns(PATIENCE_NS / 8);
        patience_ns = (2 * patience_ns).min(PATIENCE_MAX_NS);
    }
}

/// How long fork waits for one lock, at first and at last, before it lets go of all. Locks are held for less than a
/// microsecond, but by threads that others may have taken the processor from, and that of a check for as long as it runs.
const PATIENCE_NS: u64 = 8_000_000;
const PATIENCE_MAX_NS: u64 = 1_000_000_000;

/// Takes all locks, or none when one of them is not to be had in time: its holder may be another signal handler that forks,
/// and waits for what is held here.
///
/// What the thread holds itself, as a signal handler that has interrupted it, is as it is, and the thread goes on with that in
/// both processes. It may then never get the rest of those that are held lightly, because whoever holds one may wait for
/// another.
fn acquire_all(patience_ns: u64) -> bool {
    let mut is_amid = false;
    each_lock(|lock, is_light| is_amid |= is_light && lock.is_mine());
    let mut has_all = true;
    each_lock(|lock, is_light| {
        if has_all && !lock.is_mine() {
            has_all = lock.acquire_for_fork(patience_ns) || is_light && is_amid;
        }
    });
    if !has_all {
        release_all();
    }
    has_all
}

/// Releases what was taken for a fork.
fn release_all() {
    each_lock(|lock, _| {
        if lock.is_of_fork() {
            lock.release();
        }
    });
}

/// Signals wait until the value is dropped.
fn still_quiet() -> Quiet {
    Quiet::after(BLOCKED_BEFORE_FORK.load(Relaxed))
}

extern "C" fn after_in_parent() {
    if is_recording() {
        let _quiet = still_quiet();
        release_all();
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
    each_lock(|lock, _| {
        // Whoever held the others is not here.
        if !lock.is_mine() {
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
