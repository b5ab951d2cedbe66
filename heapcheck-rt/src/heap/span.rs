#![expect(unsafe_code, reason = "reads descriptors and metadata at computed addresses")]
//! Spans: from any address to its block, in a few instructions.
//!
//! The heap is an array of 64 KiB spans, and beside it lies an array of 32-byte descriptors. A span holds blocks of one
//! size class, or belongs to a large block (a run of spans), or is free. Every field is atomic: the marker and other
//! threads look while the owner of the page lock writes, and a descriptor's kind is written last.
//!
//! # Safety
//! Descriptors and metadata are only read below the watermarks up to which the region is open; [`Spans::at`] is called
//! with addresses between the heap's start and `top`, which never falls.

use super::meta::Meta;
use crate::limits::SPAN_BYTES;
use crate::region::Region;
use crate::space::{BlockId, Slot};
use core::sync::atomic::{
    AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Nobody's span.
pub(crate) const FREE: u8 = 0;
/// Blocks of one class.
pub(crate) const SMALL: u8 = 1;
/// The first span of a large block.
pub(crate) const LARGE: u8 = 2;
/// A further span of a large block; `run` is the distance to the first.
pub(crate) const REST: u8 = 3;

/// A span's descriptor.
#[derive(Debug)]
#[repr(C, align(32))]
pub(crate) struct Span {
    /// The number of the first block.
    pub(crate) first: AtomicU32,
    /// Divides an offset by the block size; 0 unless the span is small.
    pub(crate) magic: AtomicU32,
    /// The block size; 0 unless the span is small.
    pub(crate) size: AtomicU32,
    /// Large or free: spans of the run. Rest: distance to the first span. Small: the metadata slot where its map of
    /// spare blocks begins.
    pub(crate) run: AtomicU32,
    /// Free runs of one length are a list. Small: the next span of the class that has spare blocks.
    pub(crate) next: AtomicU32,
    pub(crate) previous: AtomicU32,
    pub(crate) kind: AtomicU8,
    pub(crate) class: AtomicU8,
    /// Small: blocks handed out at least once.
    pub(crate) carved: AtomicU16,
    /// Small: spare blocks. Free: 1 when the memory may hold old content.
    pub(crate) spare: AtomicU32,
}

const _: () = assert!(size_of::<Span>() == crate::region::DESCRIPTOR_BYTES);

impl Span {
    /// Whether every block that a small span has ever handed out is spare, so that none of them is alive. True only of a
    /// heap that stands still: a block is freed before it counts as spare, and counts no more before it is handed out,
    /// wherever its threads were stopped.
    pub(crate) fn is_all_spare(&self) -> bool {
        u32::from(self.carved.load(Relaxed)) == self.spare.load(Relaxed)
    }
}

/// The array of descriptors, and the part of the heap that is in use.
#[derive(Debug)]
pub(crate) struct Spans {
    /// The heap's first address, its descriptors and its metadata, copied from the region: one load less on every call.
    start: AtomicUsize,
    descriptors: AtomicUsize,
    metas: AtomicUsize,
    /// Bytes from the start to the end of the last span that was ever used.
    used: AtomicUsize,
}

impl Spans {
    pub(crate) const fn new() -> Self {
        Self {
            start: AtomicUsize::new(0),
            descriptors: AtomicUsize::new(0),
            metas: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
        }
    }

    /// Begins an empty heap on the region, whose first span is open. Span 0 stays unused: its number means "none".
    pub(crate) fn begin(&self, region: &Region) {
        self.start.store(region.heap.start(), Relaxed);
        self.descriptors.store(region.spans.start(), Relaxed);
        self.metas.store(region.meta.start(), Relaxed);
        self.used.store(SPAN_BYTES, Release);
    }

    /// The heap's first address.
    #[inline(always)]
    pub(crate) fn start(&self) -> usize {
        self.start.load(Relaxed)
    }

    /// The address behind the last span ever used.
    #[inline(always)]
    pub(crate) fn top(&self) -> usize {
        self.start() + self.used.load(Acquire)
    }

    pub(crate) fn set_top(&self, top: usize) {
        self.used.store(top - self.start(), Release);
    }

    /// Whether `address` may be a block's: it lies where spans were handed out.
    #[inline(always)]
    pub(crate) fn covers(&self, address: usize) -> bool {
        address.wrapping_sub(self.start()) < self.used.load(Relaxed)
    }

    /// The descriptor of the span that holds `address`, when spans were handed out there.
    #[inline(always)]
    pub(crate) fn find(&self, address: usize) -> Option<&'static Span> {
        let offset = address.wrapping_sub(self.start());
        // SAFETY: as in `number`.
        (offset < self.used.load(Relaxed))
            .then(|| unsafe { &*(self.descriptors.load(Relaxed) as *const Span).add(offset / SPAN_BYTES) })
    }

    /// The descriptor of the span that holds `address`, which [`Spans::covers`].
    #[inline(always)]
    pub(crate) fn at(&self, address: usize) -> &'static Span {
        self.number((address - self.start()) / SPAN_BYTES)
    }

    /// The descriptor of a span by its number.
    #[inline(always)]
    pub(crate) fn number(&self, number: usize) -> &'static Span {
        // SAFETY: descriptors below `top` are open memory of the reservation, zero or written by `pages`, and all
        // their fields are atomic.
        unsafe { &*(self.descriptors.load(Relaxed) as *const Span).add(number) }
    }

    /// The number of the span that holds `address`.
    #[inline(always)]
    pub(crate) fn number_of(&self, address: usize) -> usize {
        (address - self.start()) / SPAN_BYTES
    }

    /// The first address of a span.
    #[inline(always)]
    pub(crate) fn address_of(&self, number: usize) -> usize {
        self.start() + number * SPAN_BYTES
    }

    /// The metadata of a block.
    #[inline(always)]
    pub(crate) fn meta(&self, id: BlockId) -> &'static Meta {
        // SAFETY: ids come from descriptors, which are written after the metadata was opened; fields are atomic.
        unsafe { &*(self.metas.load(Relaxed) as *const Meta).add(id as usize) }
    }

    /// The words of a small span's map of spare blocks; `count` is what its class has.
    #[inline(always)]
    pub(crate) fn map_words(&self, span: &Span, count: usize) -> &'static [AtomicU64] {
        // SAFETY: `pages` has opened so many words for the map, and nobody takes them for metadata.
        unsafe {
            let slot = (self.metas.load(Relaxed) as *const Meta).add(span.run.load(Relaxed) as usize);
            core::slice::from_raw_parts(slot.cast(), count)
        }
    }

    /// The slot whose storage holds `address`, which [`Spans::covers`].
    #[inline(always)]
    pub(crate) fn slot_of(&self, address: usize) -> Option<Slot> {
        let span = self.at(address);
        let magic = span.magic.load(Relaxed);
        if magic != 0 {
            let offset = address % SPAN_BYTES;
            let index = ((offset as u64 * u64::from(magic)) >> 32) as u32;
            let base = address - offset + (index * span.size.load(Relaxed)) as usize;
            if index >= u32::from(span.carved.load(Relaxed)) {
                return None;
            }
            return Some(Slot { id: span.first.load(Relaxed) + index, base });
        }
        self.large_slot_of(address, span)
    }

    #[inline(never)]
    fn large_slot_of(&self, address: usize, span: &Span) -> Option<Slot> {
        let number = self.number_of(address);
        let head = match span.kind.load(Acquire) {
            LARGE => number,
            REST => number - span.run.load(Relaxed) as usize,
            _ => return None,
        };
        let span = self.number(head);
        (span.kind.load(Acquire) == LARGE)
            .then(|| Slot { id: span.first.load(Relaxed), base: self.address_of(head) })
    }

    /// The number of the block that begins at `address`, which lies in a small span with this factor; `None` when no
    /// block begins there. A product with a remainder below the factor is that of a multiple (Lemire, Kaser and Kurz,
    /// "Faster remainder by direct computation", 2019).
    #[inline(always)]
    pub(crate) fn block_at(&self, span: &Span, magic: u32, address: usize) -> Option<BlockId> {
        let product = (address % SPAN_BYTES) as u64 * u64::from(magic);
        ((product as u32) < magic).then(|| span.first.load(Relaxed) + (product >> 32) as u32)
    }

    /// Calls `visit` with every live block, its size and its metadata, in order of addresses.
    pub(crate) fn each_live(&self, mut visit: impl FnMut(Slot, &'static Meta)) {
        let count = (self.top() - self.start()) / SPAN_BYTES;
        let mut number = 0;
        while number < count {
            let span = self.number(number);
            let (first, base) = (span.first.load(Relaxed), self.address_of(number));
            match span.kind.load(Acquire) {
                SMALL => {
                    let size = span.size.load(Relaxed) as usize;
                    for index in 0..u32::from(span.carved.load(Relaxed)) {
                        let meta = self.meta(first + index);
                        if meta.is_live() {
                            visit(Slot { id: first + index, base: base + index as usize * size }, meta);
                        }
                    }
                    number += 1;
                }
                LARGE => {
                    let meta = self.meta(first);
                    if meta.is_live() {
                        visit(Slot { id: first, base }, meta);
                    }
                    number += span.run.load(Relaxed).max(1) as usize;
                }
                _ => number += 1,
            }
        }
    }
}
