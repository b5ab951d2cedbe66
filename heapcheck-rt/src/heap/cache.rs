#![expect(unsafe_code, reason = "keeps lists of free blocks at computed addresses")]
//! Free blocks of a thread, and how they travel between threads.
//!
//! A thread keeps a list a class, of addresses with their metadata numbers: the block freed last is handed out first,
//! and handing it out needs no look at its span. A full list gives its older half back to the spans, which note it in
//! their maps ([`super::spare`]); an empty one takes blocks from there in order of addresses, or such as were never used.
//!
//! A free block itself is not touched: what was freed is seldom in the processor's cache, and when one thread allocates
//! what another one frees, its memory need not travel at all.
//!
//! ```text
//!   Bin.base                 Bin.end              Bin.full
//!     | freed first | .. | freed last | free places |
//! ```
//!
//! # Safety
//! The places of a bin lie in the cache that the bin is part of, which never moves once it is used. A block in a list
//! is nobody else's: it was never used, or freed by the program.

use super::pages::Pages;
use super::span::{Span, Spans};
use super::spare::{MAP_WORDS, SpareMap};
use crate::arch;
use crate::classes::{CLASSES, SIZES, blocks_of_span, magic};
use crate::limits::{BATCH_MAX, CACHE_BYTES, FRESH_BYTES, SPAN_BYTES};
use crate::lock::Lock;
use crate::space::{BlockId, OutOfMemory};
use core::cell::UnsafeCell;
use core::sync::atomic::{
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

/// A free block.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub(crate) struct FreeBlock {
    pub(crate) address: usize,
    pub(crate) id: usize,
}

/// A thread's free blocks of one class. All zeros is a bin that is empty and has no places.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Bin {
    end: usize,
    base: usize,
    /// Behind the last place in use: twice as many as are taken at once, which doubles from a few.
    full: usize,
}

/// A thread's free blocks.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Cache {
    bins: [Bin; CLASSES],
    places: [FreeBlock; PLACES],
}

/// The shared store of one class.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) lock: Lock,
    inner: UnsafeCell<ShelfInner>,
}

#[derive(Debug)]
struct ShelfInner {
    /// The first span with spare blocks; 0 ends the list.
    spare: u32,
    /// The span whose blocks were not all used once: its number, and how many it has left.
    span: usize,
    left: usize,
}

// SAFETY: `inner` is only touched under `lock`.
unsafe impl Sync for Shelf {}

impl Shelf {
    pub(crate) const fn new() -> Self {
        Self { lock: Lock::new(), inner: UnsafeCell::new(ShelfInner { spare: 0, span: 0, left: 0 }) }
    }
}

/// Blocks whose metadata the processor moves from one core to another together: two cache lines. What is taken of blocks
/// that were never used ends with them, so that threads which allocate at the same time do not share them.
const LINE: usize = 8;

/// Largest number of blocks of this class that are taken at once.
const fn batch_max(class: usize) -> usize {
    let fit = CACHE_BYTES / 2 / SIZES[class] as usize;
    if fit > BATCH_MAX {
        BATCH_MAX
    } else if fit < 1 {
        1
    } else {
        fit
    }
}

/// Where the places of each class begin. In front of them is one that stays zero: looking one further than the last
/// block is then no mistake.
const FIRST_PLACE: [usize; CLASSES + 1] = {
    let mut first = [1; CLASSES + 1];
    let mut class = 0;
    while class < CLASSES {
        first[class + 1] = first[class] + 2 * batch_max(class) + 1;
        class += 1;
    }
    first
};
const PLACES: usize = FIRST_PLACE[CLASSES];

impl Cache {
    /// A cache for tests.
    #[cfg(test)]
    pub(crate) fn empty() -> Box<Self> {
        // SAFETY: zeros are empty bins.
        unsafe { Box::new_zeroed().assume_init() }
    }

    /// The bin of a class.
    #[inline(always)]
    pub(crate) fn bin(&mut self, class: usize) -> &mut Bin {
        debug_assert!(class < CLASSES);
        // SAFETY: classes come from `classes` and from span descriptors, which hold nothing else.
        unsafe { self.bins.get_unchecked_mut(class) }
    }

    /// Doubles what is taken at once of a class, and returns it.
    fn grow(&mut self, class: usize) -> usize {
        let base = &raw const self.places[FIRST_PLACE[class]] as usize;
        let bin = &mut self.bins[class];
        if bin.base == 0 {
            (bin.base, bin.end, bin.full) = (base, base, base);
        }
        let batch = ((bin.full - bin.base) / size_of::<FreeBlock>()).max(LINE).min(batch_max(class));
        bin.full = bin.base + 2 * batch * size_of::<FreeBlock>();
        batch
    }
}

impl Bin {
    /// Takes the free block that came last, or `None` when the bin is empty.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<(usize, BlockId)> {
        if self.is_empty() {
            return None;
        }
        self.end -= size_of::<FreeBlock>();
        let last = self.end as *const FreeBlock;
        // SAFETY: the places below `end` were written, and the one in front of them all is there too.
        let (block, next) = unsafe { (last.read(), (*last.sub(1)).address) };
        // The next allocation of this class will write to it; it may not have been touched for long.
        arch::prefetch(next);
        Some((block.address, block.id as BlockId))
    }

    /// Whether there is nothing to take.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.end == self.base
    }

    /// Keeps a free block. Returns false, and does not keep it, when there is no place: [`Store::spill`] makes some.
    #[inline(always)]
    #[must_use]
    pub(crate) fn push(&mut self, address: usize, id: BlockId) -> bool {
        if self.end == self.full {
            return false;
        }
        // SAFETY: the place is one of this bin's.
        unsafe { (self.end as *mut FreeBlock).write(FreeBlock { address, id: id as usize }) };
        self.end += size_of::<FreeBlock>();
        true
    }

    /// The blocks, those that came first in front.
    fn blocks(&mut self) -> &mut [FreeBlock] {
        let count = (self.end - self.base) / size_of::<FreeBlock>();
        let base = if count == 0 { core::ptr::dangling_mut() } else { self.base as *mut FreeBlock };
        // SAFETY: the places below `end` were written, and are this bin's alone.
        unsafe { core::slice::from_raw_parts_mut(base, count) }
    }

    /// Forgets the `count` blocks that came first.
    fn drop_front(&mut self, count: usize) {
        let dropped = count * size_of::<FreeBlock>();
        let end = self.end - dropped;
        for place in (self.base..end).step_by(size_of::<FreeBlock>()) {
            // SAFETY: both places are this bin's; the upper one was written, and nothing above it has changed yet.
            unsafe { arch::copy_16(place + dropped, place) };
        }
        // A signal handler that allocates here, and should not, finds the list as it was until it is as it will be.
        compiler_fence(SeqCst);
        self.end = end;
    }
}

/// The shared stores of all classes.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) spans: &'static Spans,
    pub(crate) pages: &'static Pages,
    pub(crate) shelves: [Shelf; CLASSES],
}

impl Store {
    /// Fills the empty bin of a class: with blocks that were given back, or with such as were never used.
    #[cold]
    #[inline(never)]
    pub(crate) fn refill(&self, cache: &mut Cache, class: usize) -> Result<(), OutOfMemory> {
        match self.try_refill(cache, class, false) {
            Err(OutOfMemory) if self.reclaim() => self.try_refill(cache, class, false),
            outcome => outcome,
        }
    }

    /// The same for a thread in a scope: while the heap is small, with blocks that nobody has used before. Whoever had a block
    /// may have left its address on a stack, and such a word would hide that the block is lost. The first block of a span
    /// is not among them if there is a second: its address is that of the span, which is computed for every other one.
    #[cold]
    #[inline(never)]
    pub(crate) fn refill_fresh(&self, cache: &mut Cache, class: usize) -> Result<(), OutOfMemory> {
        let is_small = self.spans.top() - self.spans.start() < FRESH_BYTES;
        match self.try_refill(cache, class, is_small) {
            Err(OutOfMemory) => self.refill(cache, class),
            outcome => outcome,
        }
    }

    /// Gives one free block back to its span.
    pub(crate) fn shelve_one(&self, class: usize, address: usize, id: BlockId) {
        let shelf = &self.shelves[class];
        let _held = shelf.lock.hold();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *shelf.inner.get() };
        self.put_back(inner, class, address, id);
    }

    fn try_refill(&self, cache: &mut Cache, class: usize, only_unused: bool) -> Result<(), OutOfMemory> {
        let batch = cache.grow(class);
        let bin = cache.bin(class);
        debug_assert!(bin.is_empty());
        let shelf = &self.shelves[class];
        let _held = shelf.lock.hold();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *shelf.inner.get() };
        while bin.blocks().len() < batch && inner.spare != 0 && !only_unused {
            self.take_spare(inner, bin, class, batch);
        }
        if bin.is_empty() {
            self.take_unused(inner, bin, class, batch, only_unused)?;
        }
        // What comes last is handed out first: the lowest address.
        bin.blocks().reverse();
        Ok(())
    }

    /// Takes spare blocks of one span, in order of addresses.
    fn take_spare(&self, inner: &mut ShelfInner, bin: &mut Bin, class: usize, batch: usize) {
        let number = inner.spare as usize;
        let span = self.spans.number(number);
        let (base, first) = (self.spans.address_of(number), span.first.load(Relaxed));
        let wanted = batch - bin.blocks().len();
        let taken = self.map(span, class).take(wanted as u32, |index| {
            let _ = bin.push(base + index as usize * SIZES[class] as usize, first + index);
        });
        let left = span.spare.load(Relaxed) - taken;
        span.spare.store(left, Relaxed);
        if left == 0 {
            inner.spare = span.next.load(Relaxed);
        }
    }

    /// Takes blocks that were never used, in order of addresses.
    fn take_unused(
        &self,
        inner: &mut ShelfInner,
        bin: &mut Bin,
        class: usize,
        batch: usize,
        but_first: bool,
    ) -> Result<(), OutOfMemory> {
        let blocks = blocks_of_span(class);
        if inner.left == 0 {
            inner.span = self.pages.take_small(class, SIZES[class], magic(SIZES[class]), blocks)?;
            inner.left = blocks;
        }
        if but_first && inner.left == blocks && blocks > 1 {
            let number = inner.span;
            self.spans.number(number).carved.store(1, Relaxed);
            self.put_back(
                inner,
                class,
                self.spans.address_of(number),
                self.spans.number(number).first.load(Relaxed),
            );
            inner.left -= 1;
        }
        let (size, from) = (SIZES[class] as usize, blocks - inner.left);
        let span = self.spans.number(inner.span);
        let (base, first) = (self.spans.address_of(inner.span), span.first.load(Relaxed));
        let over = (first as usize + from + batch) % LINE;
        let count = (if over < batch { batch - over } else { batch }).min(inner.left);
        debug_assert!((from + count) * size <= SPAN_BYTES);
        for index in from..from + count {
            let _ = bin.push(base + index * size, first + index as BlockId);
        }
        span.carved.store((from + count) as u16, Relaxed);
        inner.left -= count;
        Ok(())
    }

    fn map(&self, span: &Span, class: usize) -> SpareMap<'_> {
        SpareMap(self.spans.map_words(span, MAP_WORDS[class].into()))
    }

    /// Keeps a free block for which there is no place: gives the older half of the bin back, unless it may grow.
    #[cold]
    #[inline(never)]
    pub(crate) fn spill(&self, cache: &mut Cache, class: usize, address: usize, id: BlockId) {
        let batch = cache.grow(class);
        let bin = cache.bin(class);
        if bin.end == bin.full {
            self.shelve(bin, class, batch);
        }
        let kept = bin.push(address, id);
        debug_assert!(kept);
    }

    /// Gives all blocks of a thread back.
    pub(crate) fn empty(&self, cache: &mut Cache) {
        for (class, bin) in cache.bins.iter_mut().enumerate().filter(|(_, bin)| !bin.is_empty()) {
            let count = bin.blocks().len();
            self.shelve(bin, class, count);
        }
    }

    /// Gives the blocks that came first back to their spans.
    fn shelve(&self, bin: &mut Bin, class: usize, count: usize) {
        let shelf = &self.shelves[class];
        let _held = shelf.lock.hold();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *shelf.inner.get() };
        for block in &bin.blocks()[..count] {
            self.put_back(inner, class, block.address, block.id as BlockId);
        }
        bin.drop_front(count);
    }

    fn put_back(&self, inner: &mut ShelfInner, class: usize, address: usize, id: BlockId) {
        let number = self.spans.number_of(address);
        let span = self.spans.number(number);
        self.map(span, class).put(id - span.first.load(Relaxed));
        let spare = span.spare.load(Relaxed);
        if spare == 0 {
            span.next.store(inner.spare, Relaxed);
            inner.spare = number as u32;
        }
        span.spare.store(spare + 1, Relaxed);
    }

    /// Makes spans free again whose blocks are all spare, and says whether there were any. Done when memory runs out: a
    /// program that has freed its small blocks may want large ones, or small ones of another size. What threads keep in
    /// their own bins stays there.
    #[cold]
    #[inline(never)]
    pub(crate) fn reclaim(&self) -> bool {
        let mut any = false;
        for class in 0..CLASSES {
            let _held = self.shelves[class].lock.hold();
            // SAFETY: the lock is held.
            let inner = unsafe { &mut *self.shelves[class].inner.get() };
            any |= self.reclaim_class(class, inner);
        }
        any
    }

    fn reclaim_class(&self, class: usize, inner: &mut ShelfInner) -> bool {
        let mut any = false;
        let mut number = core::mem::take(&mut inner.spare);
        while number != 0 {
            let span = self.spans.number(number as usize);
            let next = span.next.load(Relaxed);
            // A span of which some blocks were never used has fewer spare ones.
            if span.spare.load(Relaxed) as usize == blocks_of_span(class) {
                self.pages.give_back_small(number as usize);
                any = true;
            } else {
                span.next.store(inner.spare, Relaxed);
                inner.spare = number;
            }
            number = next;
        }
        any
    }
}
