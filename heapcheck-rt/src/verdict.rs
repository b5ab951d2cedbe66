#![expect(unsafe_code, reason = "shares a reason under a lock of its own")]
//! Whether this process can be judged: what stands in the way of a verdict, once something does.
//!
//! # Safety
//! The reason is only touched under the lock.

use crate::depot::Depot;
use crate::foreign::Reason;
use crate::lock::Lock;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// What stands in the way.
#[derive(Debug)]
pub(crate) struct Verdict {
    lock: Lock,
    /// Why there is no verdict; empty when there is one.
    reason: UnsafeCell<&'static str>,
    /// There is a verdict only if code of the program was seen to allocate.
    if_seen: AtomicBool,
    turned_off: AtomicBool,
    /// Where the executable lies.
    low: AtomicUsize,
    high: AtomicUsize,
}

// SAFETY: see the head of this file.
unsafe impl Sync for Verdict {}

impl Verdict {
    pub(crate) const fn new() -> Self {
        Self {
            lock: Lock::new(),
            reason: UnsafeCell::new(""),
            if_seen: AtomicBool::new(false),
            turned_off: AtomicBool::new(false),
            low: AtomicUsize::new(0),
            high: AtomicUsize::new(0),
        }
    }

    /// Notes why there is no verdict; the first reason counts.
    pub(crate) fn set_failed(&self, why: &'static str) {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        let reason = unsafe { &mut *self.reason.get() };
        if reason.is_empty() {
            *reason = why;
        }
    }

    /// Notes where the executable lies.
    pub(crate) fn set_program(&self, low: usize, high: usize) {
        self.low.store(low, Relaxed);
        self.high.store(high, Relaxed);
    }

    /// Notes that there is a verdict only if code of the executable is seen to allocate.
    pub(crate) fn set_if_seen(&self) {
        self.if_seen.store(true, Relaxed);
    }

    /// Notes that the program wants no check.
    pub(crate) fn turn_off(&self) {
        self.turned_off.store(true, Relaxed);
    }

    /// Whether the program wants no check.
    pub(crate) fn is_turned_off(&self) -> bool {
        self.turned_off.load(Relaxed)
    }

    /// Why there is no verdict.
    pub(crate) fn missing(&self, depot: &Depot) -> Option<&'static str> {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        let reason = unsafe { *self.reason.get() };
        if !reason.is_empty() {
            return Some(reason);
        }
        (self.if_seen.load(Relaxed) && !self.program_allocated(depot)).then(|| Reason::NothingSeen.text())
    }

    fn program_allocated(&self, depot: &Depot) -> bool {
        let program = self.low.load(Relaxed)..self.high.load(Relaxed);
        (1..=depot.count() as u32).any(|trace| depot.innermost(trace).is_some_and(|pc| program.contains(&pc)))
    }
}
