#![expect(unsafe_code, reason = "reads the program's memory")]
//! The program's heap as the core sees it while the world is stopped.
//!
//! # Safety
//! A [`StoppedHeap`] is made by the check, after the world was stopped and with the page lock held, and lives no longer
//! than that. Words are read in live blocks and in roots, which were clipped to readable mappings.

use crate::arch;
use crate::arena::{Arena, Buf};
use crate::classes::{CLASSES, SIZES, magic};
use crate::heap::span::{LARGE, SMALL, Spans};
use crate::limits::SPAN_BYTES;
use crate::maps::Maps;
use crate::space::{Grow, Memory, OutOfMemory, Run, Slot, Space};
use crate::sys;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// The heap of a stopped world.
#[derive(Debug)]
pub(crate) struct StoppedHeap {
    spans: &'static Spans,
    start: usize,
    end: usize,
    slots: usize,
    /// Each span in eight bytes, so that those of a large heap fit the processor's second-level cache: every pointer that a
    /// marker follows asks for one.
    ///
    /// ```text
    ///   63      32 31       16 15   8 7     0
    ///   | first id | in use    |  0   | class |     in use: blocks handed out at least once, 0 unless the span is small
    /// ```
    places: Buf<u64>,
}

/// What divides an offset by the block size, and the block size, by class.
const DIVISORS: [(u32, u32); 128] = {
    let mut divisors = [(0, 0); 128];
    let mut class = 0;
    while class < CLASSES {
        divisors[class] = (magic(SIZES[class]), SIZES[class]);
        class += 1;
    }
    divisors
};

impl StoppedHeap {
    /// The heap as it is now; `slots` is the number behind its last block.
    pub(crate) fn new(
        spans: &'static Spans, slots: usize, arena: &'static Arena,
    ) -> Result<Self, OutOfMemory> {
        let (start, end) = (spans.start(), spans.top());
        let mut places = Buf::zeros(arena, (end - start) / SPAN_BYTES)?;
        for (index, place) in places.as_mut_slice().iter_mut().enumerate() {
            let span = spans.number(index);
            if span.kind.load(Acquire) == SMALL {
                let carved = u64::from(span.carved.load(Relaxed));
                let class = u64::from(span.class.load(Relaxed));
                *place = u64::from(span.first.load(Relaxed)) << 32 | carved << 16 | class;
            }
        }
        Ok(Self { spans, start, end, slots, places })
    }
}

/// Pages of blocks that the program made unreadable, readable while this lives.
#[derive(Debug)]
pub(crate) struct MadeReadable(Buf<(usize, usize, usize)>);

impl MadeReadable {
    /// Opens them for reading.
    pub(crate) fn open(
        maps: &Maps, heap: &StoppedHeap, arena: &'static Arena,
    ) -> Result<Self, OutOfMemory> {
        let mut opened = Self(Buf::new(arena));
        for mapping in maps.all().iter().filter(|mapping| !mapping.perms.readable()) {
            let (start, end) = (mapping.start.max(heap.start), mapping.end.min(heap.end));
            if start >= end {
                continue;
            }
            opened.0.push((start, end - start, mapping.perms.protection()))?;
            // SAFETY: the world is stopped, so nobody can rely on a fault here; `drop` restores what was.
            let _ = unsafe { sys::protect(start, end - start, sys::PROT_READ) };
        }
        Ok(opened)
    }
}

impl Drop for MadeReadable {
    fn drop(&mut self) {
        for (start, bytes, protection) in self.0.as_slice() {
            // SAFETY: the protection that the program chose for its own pages.
            let _ = unsafe { sys::protect(*start, *bytes, *protection) };
        }
    }
}

impl Space for StoppedHeap {
    #[inline(always)]
    fn bounds(&self) -> (usize, usize) {
        (self.start, self.end)
    }

    fn slots(&self) -> usize {
        self.slots
    }

    #[inline(always)]
    fn slot_of(&self, addr: usize) -> Option<Slot> {
        let offset = addr - self.start;
        let place = *self.places.as_slice().get(offset / SPAN_BYTES)?;
        let (magic, size) = DIVISORS[place as usize % DIVISORS.len()];
        let inside = offset % SPAN_BYTES;
        let index = ((inside as u64 * u64::from(magic)) >> 32) as u32;
        if index < u32::from((place >> 16) as u16) {
            return Some(Slot {
                id: (place >> 32) as u32 + index,
                base: addr - inside + (index * size) as usize,
            });
        }
        self.spans.slot_of(addr)
    }

    #[inline(always)]
    fn live_size(&self, slot: Slot) -> Option<usize> {
        self.spans.meta(slot.id).live_size()
    }

    #[inline(always)]
    fn read(&self, addr: usize) -> usize {
        // SAFETY: see the head of this file.
        unsafe { (addr as *const usize).read_volatile() }
    }

    #[inline(always)]
    fn prefetch_size(&self, slot: Slot) {
        arch::prefetch(self.spans.meta(slot.id) as *const _ as usize);
    }

    #[inline(always)]
    fn prefetch(&self, addr: usize) {
        arch::prefetch(addr);
    }

    fn runs(&self) -> usize {
        (self.end - self.start) / SPAN_BYTES
    }

    fn run(&self, index: usize) -> Option<Run> {
        let span = self.spans.number(index);
        let first = Slot { id: span.first.load(Relaxed), base: self.spans.address_of(index) };
        match span.kind.load(Acquire) {
            // A heap that has shrunk is walked over where something lives, not as far as it has ever grown.
            SMALL if span.is_all_spare() => None,
            SMALL => Some(Run {
                first,
                stride: span.size.load(Relaxed) as usize,
                slots: usize::from(span.carved.load(Relaxed)),
            }),
            LARGE => Some(Run { first, stride: span.run.load(Relaxed) as usize * SPAN_BYTES, slots: 1 }),
            _ => None,
        }
    }
}

/// Vectors for the core, from an arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArenaMemory(pub(crate) &'static Arena);

impl Memory for ArenaMemory {
    type Buf<T: Copy> = Buf<T>;

    fn buf<T: Copy>(&self) -> Buf<T> {
        Buf::new(self.0)
    }
}
