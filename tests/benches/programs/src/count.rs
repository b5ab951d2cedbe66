#![expect(unsafe_code, reason = "a global allocator, and the unwinder's C interface")]
//! Counts what a program allocates and how deep its stacks are (feature `count`).
//!
//! Every allocation is counted and every 997th stack is walked by libgcc's unwinder, which knows no inlined frames:
//! the depth is that of real frames, the caller of the allocator being the first that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static WALKS: AtomicU64 = AtomicU64::new(0);
static FRAMES: AtomicU64 = AtomicU64::new(0);

const WALK_EVERY: u64 = 997;
/// Frames of this file in a walk: `note`, and the allocator's entry.
const OWN_FRAMES: u64 = 2;

pub(crate) struct Count;

unsafe extern "C" {
    fn _Unwind_Backtrace(
        frame: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        depth: *mut c_void,
    ) -> c_int;
}

extern "C" fn count_frame(_context: *mut c_void, depth: *mut c_void) -> c_int {
    // SAFETY: `note` passes the address of its own counter, alive during the walk.
    unsafe { *depth.cast::<u64>() += 1 };
    0
}

#[inline(never)]
fn note() {
    if ALLOCATIONS.fetch_add(1, Relaxed).is_multiple_of(WALK_EVERY) {
        let mut depth = 0u64;
        // SAFETY: the callback has the unwinder's signature (Itanium C++ ABI, Level I) and takes a u64.
        unsafe { _Unwind_Backtrace(count_frame, (&raw mut depth).cast()) };
        WALKS.fetch_add(1, Relaxed);
        FRAMES.fetch_add(depth.saturating_sub(OWN_FRAMES), Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Count {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}

pub(crate) fn tell() {
    let (allocations, walks) = (ALLOCATIONS.load(Relaxed), WALKS.load(Relaxed));
    crate::tell("allocations", allocations as f64);
    crate::tell("frames", FRAMES.load(Relaxed) as f64 / walks as f64);
}
