#![expect(unsafe_code, reason = "opens pages of the reservation")]
//! The runtime's one reservation of addresses, and its five parts.
//!
//! ```text
//!   | spans: descriptors | meta: 16 bytes a block | arena: own tables | scratch: of a check | heap: the program's |
//! ```
//!
//! Addresses are reserved without memory (so nothing counts against overcommit) and opened in growing steps. One
//! reservation makes two questions cheap that are asked millions of times: *is this word inside the heap?* and *is
//! this mapping ours?* Under a limit on address space (`ulimit -v`) the reservation takes half of what is left, and
//! halves again until the kernel agrees; the heap is then simply smaller.
//!
//! # Safety
//! Only pages of the reservation are opened, and nobody else knows their addresses.

use crate::limits::{ARENA_RESERVE, HEAP_RESERVE, META_RESERVE, RESERVE_MIN, SPAN_BYTES};
use crate::space::OutOfMemory;
use crate::sys;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Bytes of a span descriptor.
pub(crate) const DESCRIPTOR_BYTES: usize = 32;

/// A part of this size is used all over: fewer, larger pages cost less than half to touch and to look up. A smaller one
/// stays with small pages, so that a small process stays small.
const HUGE_FROM: usize = 4 << 20;

/// What is opened of a part at once, at least: as much as most tests use, so that it is opened once.
const FIRST_STEP: usize = 4 << 20;
/// The same later on: less than a huge page, so that a heap that has just outgrown the first step takes no whole one.
const STEP_MIN: usize = 1 << 20;

/// A part of this size is opened by whole huge pages: what it does not use of the last one is little by then.
const WHOLE_FROM: usize = 16 << 20;

/// Bytes of a huge page.
const HUGE_BYTES: usize = 2 << 20;

/// A part that is opened from its low end upwards.
#[derive(Debug)]
pub(crate) struct Part {
    start: AtomicUsize,
    end: AtomicUsize,
    open: AtomicUsize,
}

impl Part {
    const fn empty() -> Self {
        Self { start: AtomicUsize::new(0), end: AtomicUsize::new(0), open: AtomicUsize::new(0) }
    }

    fn set(&self, start: usize, end: usize) {
        self.start.store(start, Relaxed);
        self.open.store(start, Relaxed);
        self.end.store(end, Release);
    }

    /// The lowest address.
    #[inline(always)]
    pub(crate) fn start(&self) -> usize {
        self.start.load(Relaxed)
    }

    /// The address behind the last one.
    #[inline(always)]
    pub(crate) fn end(&self) -> usize {
        self.end.load(Relaxed)
    }

    /// The address up to which memory may be touched.
    pub(crate) fn open_end(&self) -> usize {
        self.open.load(Acquire)
    }

    /// Makes everything below `wanted` usable. The caller holds the lock of whatever lives in this part. Steps grow
    /// with the part, so that the number of calls stays logarithmic while a small process stays small.
    pub(crate) fn open_to(&self, wanted: usize) -> Result<(), OutOfMemory> {
        let open = self.open.load(Relaxed);
        if wanted <= open {
            return Ok(());
        }
        if wanted > self.end() {
            return Err(OutOfMemory);
        }
        let used = open - self.start();
        let least = if used < FIRST_STEP { FIRST_STEP } else { STEP_MIN };
        let step = (used / 4).clamp(least, 64 << 20) & !(SPAN_BYTES - 1);
        let huge = used >= HUGE_FROM;
        // A huge page is made when its first byte is touched, and only where all of it is open.
        let unit = if used >= WHOLE_FROM { HUGE_BYTES } else { SPAN_BYTES };
        let generous = wanted.max(open + step).next_multiple_of(unit).min(self.end());
        let exact = wanted.next_multiple_of(sys::PAGE).min(self.end());
        for target in [generous, exact] {
            // SAFETY: the pages lie in our reservation and were never touched.
            if unsafe { sys::protect(open, target - open, sys::PROT_READ | sys::PROT_WRITE) }.is_ok() {
                if huge {
                    sys::want_huge_pages(open, target - open);
                }
                self.open.store(target, Release);
                return Ok(());
            }
        }
        Err(OutOfMemory)
    }
}

/// The reservation.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) spans: Part,
    pub(crate) meta: Part,
    pub(crate) arena: Part,
    /// What a check needs while the world is stopped; apart, because a stopped thread may hold the arena's lock.
    pub(crate) scratch: Part,
    pub(crate) heap: Part,
}

impl Region {
    pub(crate) const fn empty() -> Self {
        Self {
            spans: Part::empty(),
            meta: Part::empty(),
            arena: Part::empty(),
            scratch: Part::empty(),
            heap: Part::empty(),
        }
    }

    /// Reserves the addresses. Called once, before any other use.
    pub(crate) fn reserve(&self) -> Result<(), OutOfMemory> {
        let limit = sys::limit_of(sys::RLIMIT_AS);
        let mut sizes = if limit == u64::MAX {
            [
                HEAP_RESERVE / SPAN_BYTES * DESCRIPTOR_BYTES,
                META_RESERVE,
                ARENA_RESERVE,
                ARENA_RESERVE,
                HEAP_RESERVE,
            ]
        } else {
            shares(limit as usize / 2)
        };
        loop {
            let total: usize = sizes.iter().sum::<usize>() + HUGE_BYTES;
            if let Ok(base) = sys::reserve(total) {
                // The heap begins with a huge page, and so do the other parts where their sizes allow it.
                let before: usize = sizes[..4].iter().sum();
                let mut start = (base + before).next_multiple_of(HUGE_BYTES) - before;
                for (part, size) in
                    [&self.spans, &self.meta, &self.arena, &self.scratch, &self.heap].into_iter().zip(sizes)
                {
                    part.set(start, start + size);
                    start += size;
                }
                return Ok(());
            }
            if total / 2 < RESERVE_MIN {
                return Err(OutOfMemory);
            }
            sizes = shares(total / 2);
        }
    }

    /// Whether the mapping or the word is ours.
    pub(crate) fn contains(&self, address: usize) -> bool {
        (self.spans.start()..self.heap.end()).contains(&address)
    }

    /// The whole reservation.
    pub(crate) fn bounds(&self) -> (usize, usize) {
        (self.spans.start(), self.heap.end())
    }
}

/// Divides a small budget: an eighth for own tables, an eighth for checks, a quarter for metadata (enough for blocks of
/// 32 bytes and more on average), the rest for blocks.
fn shares(total: usize) -> [usize; 5] {
    let round = |bytes: usize| bytes & !(SPAN_BYTES - 1);
    let heap = round(total / 2);
    [
        (heap / SPAN_BYTES * DESCRIPTOR_BYTES).next_multiple_of(SPAN_BYTES),
        round(total / 4),
        round(total / 8),
        round(total / 8),
        heap,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_follow_one_another_and_open_upwards() {
        static REGION: Region = Region::empty();
        REGION.reserve().expect("reservation");
        let parts = [&REGION.spans, &REGION.meta, &REGION.arena, &REGION.heap];
        assert!(parts.windows(2).all(|pair| pair[0].end() <= pair[1].start()));
        assert!(REGION.heap.start().is_multiple_of(HUGE_BYTES));
        let (low, high) = REGION.bounds();
        for (address, inside) in [(low - 1, false), (low, true), (high - 1, true), (high, false), (0, false)]
        {
            assert_eq!(REGION.contains(address), inside);
        }
        let mut wanted = REGION.heap.start() + 1;
        while wanted < REGION.heap.start() + (300 << 20) {
            REGION.heap.open_to(wanted).expect("memory");
            assert!(REGION.heap.open_end() >= wanted);
            // SAFETY: the byte is open, and nobody else uses this region.
            unsafe { ((wanted - 1) as *mut u8).write(1) };
            wanted += wanted - REGION.heap.start();
        }
        assert_eq!(REGION.heap.open_to(REGION.heap.end() + 1), Err(OutOfMemory));
    }

    #[test]
    fn a_small_budget_is_kept_and_has_descriptors_for_its_heap() {
        for total in [RESERVE_MIN, RESERVE_MIN * 3 + 12345, 1 << 30, 1 << 36] {
            let sizes = shares(total);
            assert!(sizes.iter().sum::<usize>() <= total + total / 1024 + SPAN_BYTES);
            assert!(sizes.iter().all(|size| *size > 0 && size.is_multiple_of(SPAN_BYTES)));
            assert!(sizes[0] >= sizes[sizes.len() - 1] / SPAN_BYTES * DESCRIPTOR_BYTES);
        }
    }
}
