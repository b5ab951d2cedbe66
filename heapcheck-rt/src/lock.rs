#![forbid(unsafe_code)]
//! A lock for the runtime's own tables: it never allocates, never sleeps in libc, and can be taken over by fork.
//!
//! Holders keep it for a few hundred instructions at most, so a waiter spins a little and then sleeps on a futex.
//! The order in which locks may be taken stands where they are declared, in `state`.
//!
//! A signal handler that allocates may find that its own thread holds the lock it needs, and would wait for ever. So
//! signals wait while a lock is held ([`Lock::hold`]). That is two system calls, half a microsecond; locks that are taken
//! more often are held [lightly](Lock::hold_lightly): signals come, and a handler that has interrupted a thread which may
//! hold one does without any of them (`state::BUSY`, [`Lock::is_mine`]).

use crate::arch;
use crate::sys;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Nobody holds it. Otherwise its word is the holder's [`token`], or [`token_of_fork`].
const FREE: u32 = 0;
/// Added when somebody sleeps.
const CONTENDED: u32 = 1 << 31;

/// How often a waiter looks before it sleeps. Holding times are below a microsecond; a sleep costs several.
const SPINS: u32 = 100;

/// Signals that come while a lock is held.
static LET_THROUGH: AtomicU64 = AtomicU64::new(LET_THROUGH_ALWAYS);

/// SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV and SIGSYS, which do not wait (signal(7)), and SIGURG, which stops threads under
/// a tracer: that handler allocates nothing.
const LET_THROUGH_ALWAYS: u64 = bit(4) | bit(5) | bit(7) | bit(8) | bit(11) | bit(31) | bit(23);

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Tells the signal that stops threads.
pub(crate) fn let_through(signal: i32) {
    LET_THROUGH.store(LET_THROUGH_ALWAYS | bit(signal), Relaxed);
}

/// While this lives, the calling thread runs no handler of the program's. What is nested ends in order.
#[derive(Debug)]
#[must_use]
pub(crate) struct Quiet(u64);

impl Quiet {
    pub(crate) fn begin() -> Self {
        Self(sys::block_signals(!LET_THROUGH.load(Relaxed)))
    }

    /// One that is made of what another one [kept](Quiet::keep).
    pub(crate) fn after(kept: u64) -> Self {
        Self(kept)
    }

    /// Lets signals wait beyond its end, and returns those that were blocked before.
    pub(crate) fn keep(self) -> u64 {
        let kept = self.0;
        core::mem::forget(self);
        kept
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        sys::set_signal_mask(self.0);
    }
}

/// What tells a thread from the others: of its thread pointer, at a step of 64 bytes, the low bits. Two threads have the
/// same where these lie a multiple of 128 GiB apart; then one may do without a lock that it could have had.
#[inline(always)]
fn token() -> u32 {
    ((arch::thread_pointer() >> 6) as u32 | 1) & !CONTENDED
}

/// The same of a thread that forks, for what it holds because of that.
fn token_of_fork() -> u32 {
    token() & !1 | 2
}

/// A mutual exclusion without data.
#[derive(Debug, Default)]
pub(crate) struct Lock(AtomicU32);

/// Shows that a [`Lock`] is held and signals wait; frees it when dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Held<'a> {
    // Freed in this order: whatever signal has waited meets a free lock.
    _lock: HeldLightly<'a>,
    _quiet: Quiet,
}

/// Shows that a [`Lock`] is held, and frees it when dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct HeldLightly<'a>(&'a Lock);

impl Lock {
    /// A free lock.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    /// Waits for the lock, and holds it while signals wait.
    pub(crate) fn hold(&self) -> Held<'_> {
        let quiet = Quiet::begin();
        Held { _lock: self.hold_lightly(), _quiet: quiet }
    }

    /// Waits for the lock, and lets signals come.
    #[inline]
    pub(crate) fn hold_lightly(&self) -> HeldLightly<'_> {
        self.acquire();
        HeldLightly(self)
    }

    /// Whether the calling thread holds the lock: what it does now is done by the handler of a signal.
    #[inline]
    pub(crate) fn is_mine(&self) -> bool {
        self.0.load(Relaxed) & !CONTENDED == token()
    }

    #[inline]
    fn acquire(&self) {
        if self.0.compare_exchange(FREE, token(), Acquire, Relaxed).is_err() {
            self.acquire_contended(token(), 0);
        }
    }

    /// Waits for the lock so long, and leaves it held when the call returns `true`; [`Lock::release`] frees it.
    pub(crate) fn acquire_for_fork(&self, patience_ns: u64) -> bool {
        self.0.compare_exchange(FREE, token_of_fork(), Acquire, Relaxed).is_ok()
            || self.acquire_contended(token_of_fork(), patience_ns)
    }

    /// Whether the calling thread holds the lock because it forks.
    pub(crate) fn is_of_fork(&self) -> bool {
        self.0.load(Relaxed) & !CONTENDED == token_of_fork()
    }

    /// Waits for the lock, at most so long (0: without end), and answers whether it has it.
    #[cold]
    #[inline(never)]
    fn acquire_contended(&self, token: u32, patience_ns: u64) -> bool {
        for _ in 0..SPINS {
            if self.0.load(Relaxed) == FREE && self.0.compare_exchange(FREE, token, Acquire, Relaxed).is_ok()
            {
                return true;
            }
            core::hint::spin_loop();
        }
        let until_ns = if patience_ns == 0 { u64::MAX } else { sys::monotonic_ns() + patience_ns };
        loop {
            let seen = self.0.load(Relaxed);
            let wanted = if seen == FREE { token } else { seen } | CONTENDED;
            if seen != wanted && self.0.compare_exchange(seen, wanted, Acquire, Relaxed).is_err() {
                continue;
            }
            if seen == FREE {
                return true;
            }
            if patience_ns != 0 && sys::monotonic_ns() >= until_ns {
                return false;
            }
            sys::futex_wait(&self.0, wanted, patience_ns);
        }
    }

    /// Frees the lock.
    #[inline]
    pub(crate) fn release(&self) {
        if self.0.swap(FREE, Release) & CONTENDED != 0 {
            sys::futex_wake_all(&self.0);
        }
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_hold(&self) -> Option<Held<'_>> {
        let quiet = Quiet::begin();
        let taken = self.0.compare_exchange(FREE, token(), Acquire, Relaxed).is_ok();
        taken.then(|| Held { _lock: HeldLightly(self), _quiet: quiet })
    }
}

impl Drop for HeldLightly<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.release();
    }
}
