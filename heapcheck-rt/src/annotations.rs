#![expect(unsafe_code, reason = "shares a list under a lock of its own")]
//! What the program has told us: root regions, and whether any block is to be ignored.
//!
//! # Safety
//! The list is only touched under the lock.

use crate::arena::{Arena, Buf};
use crate::lock::Lock;
use crate::space::{Grow, OutOfMemory};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The program's annotations.
#[derive(Debug)]
pub(crate) struct Annotations {
    pub(crate) lock: Lock,
    regions: UnsafeCell<Buf<(usize, usize)>>,
    ignored: AtomicBool,
}

// SAFETY: see the head of this file.
unsafe impl Sync for Annotations {}

impl Annotations {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self { lock: Lock::new(), regions: UnsafeCell::new(Buf::new(arena)), ignored: AtomicBool::new(false) }
    }

    /// Adds a root region.
    pub(crate) fn add_region(&self, start: usize, end: usize) -> Result<(), OutOfMemory> {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        unsafe { &mut *self.regions.get() }.push((start, end))
    }

    /// Takes back one root region; false when there is none like it.
    pub(crate) fn remove_region(&self, start: usize, end: usize) -> bool {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        let regions = unsafe { &mut *self.regions.get() };
        let Some(index) = regions.as_slice().iter().position(|region| *region == (start, end)) else { return false };
        if let Some(last) = regions.pop()
            && index < regions.as_slice().len()
        {
            regions.as_mut_slice()[index] = last;
        }
        true
    }

    /// Calls `visit` with every root region. Nobody else changes the list: the world is stopped, or the lock held.
    pub(crate) fn each_region(
        &self, mut visit: impl FnMut(usize, usize) -> Result<(), OutOfMemory>,
    ) -> Result<(), OutOfMemory> {
        // SAFETY: as the caller promises.
        unsafe { &*self.regions.get() }.as_slice().iter().try_for_each(|(start, end)| visit(*start, *end))
    }

    /// Notes that some block is to be ignored.
    pub(crate) fn note_ignored(&self) {
        self.ignored.store(true, Relaxed);
    }

    /// Whether some block is to be ignored.
    pub(crate) fn any_ignored(&self) -> bool {
        self.ignored.load(Relaxed)
    }
}
