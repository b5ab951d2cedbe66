#![forbid(unsafe_code)]
//! A lock for the runtime's own tables: it never allocates, never sleeps in libc, and can be taken over by fork.
//!
//! Holders keep it for a few hundred instructions at most, so a waiter spins a little and then sleeps on a futex.
//! The order in which locks may be taken stands where they are declared, in `state`.

use crate::sys;
use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

/// Free, held, or held with sleepers.
const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// How often a waiter looks before it sleeps. Holding times are below a microsecond; a sleep costs several.
const SPINS: u32 = 100;

/// A mutual exclusion without data.
#[derive(Debug, Default)]
pub(crate) struct Lock(AtomicU32);

/// Shows that a [`Lock`] is held, and frees it when dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Held<'a>(&'a Lock);

impl Lock {
    /// A free lock.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    /// Waits for the lock.
    #[inline]
    pub(crate) fn hold(&self) -> Held<'_> {
        self.acquire();
        Held(self)
    }

    /// Waits for the lock and leaves it held when the call returns; [`Lock::release`] frees it. For fork.
    #[inline]
    pub(crate) fn acquire(&self) {
        if self.0.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
            self.acquire_contended();
        }
    }

    #[cold]
    #[inline(never)]
    fn acquire_contended(&self) {
        for _ in 0..SPINS {
            if self.0.load(Relaxed) == FREE && self.0.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok() {
                return;
            }
            core::hint::spin_loop();
        }
        while self.0.swap(CONTENDED, Acquire) != FREE {
            sys::futex_wait(&self.0, CONTENDED, 0);
        }
    }

    /// Frees the lock.
    #[inline]
    pub(crate) fn release(&self) {
        if self.0.swap(FREE, Release) == CONTENDED {
            sys::futex_wake_all(&self.0);
        }
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_hold(&self) -> Option<Held<'_>> {
        self.0.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok().then_some(Held(self))
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.release();
    }
}
