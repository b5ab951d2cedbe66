#![expect(unsafe_code, reason = "keeps what is behind a lock in a cell")]
//! How free blocks travel between threads.
//!
//! A class has a shelf. What threads give back lies on its tray ([`super::tray`]) when it came back together, and in the
//! maps of the spans ([`super::spare`]) otherwise. Threads take from the tray first, which is one cache line with the lock; then
//! from spans in order of addresses; then such blocks as were never used.
//!
//! # Safety
//! What a shelf holds is only touched under its lock.

use super::cache::{Bin, Cache, Filling, FreeBlock, LINE};
use super::pages::Pages;
use super::span::{Span, Spans};
use super::spare::{MAP_WORDS, SpareMap};
use super::tray::{Tray, Word};
use crate::classes::{CLASSES, SIZES, blocks_of_span, magic};
use crate::limits::{FRESH_BYTES, SPAN_BYTES};
use crate::lock::Lock;
use crate::space::{BlockId, OutOfMemory};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Which blocks a thread gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Those that came back last.
    Recent,
    /// Rather those that came back long ago.
    Old,
    /// Such as nobody has had.
    Unused,
}

/// The shared store of one class: a cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Shelf {
    pub(crate) lock: Lock,
    inner: UnsafeCell<ShelfInner>,
}

#[derive(Debug)]
#[repr(C)]
struct ShelfInner {
    tray: Tray,
    /// The first span with spare blocks; 0 ends the list.
    spare: u32,
    /// The span whose blocks were not all used once; 0 when there is none.
    fresh: u32,
}

const _: () = assert!(size_of::<Shelf>() == 64);

// SAFETY: `inner` is only touched under `lock`.
unsafe impl Sync for Shelf {}

impl Shelf {
    pub(crate) const fn new() -> Self {
        Self {
            lock: Lock::new(),
            inner: UnsafeCell::new(ShelfInner { tray: Tray::new(), spare: 0, fresh: 0 }),
        }
    }
}

/// The shared stores of all classes.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) spans: &'static Spans,
    pub(crate) pages: &'static Pages,
    pub(crate) shelves: [Shelf; CLASSES],
    pub(crate) aside: Aside,
}

/// What is handed out to a signal handler that has interrupted its own thread among its lists, or among the shelves: block
/// for block, of spans of which only such blocks are ever used the first time. They come back as all others do.
#[derive(Debug)]
pub(crate) struct Aside {
    pub(crate) lock: Lock,
    fresh: [AtomicU32; CLASSES],
}

impl Aside {
    pub(crate) const fn new() -> Self {
        Self { lock: Lock::new(), fresh: [const { AtomicU32::new(0) }; CLASSES] }
    }
}

impl Store {
    /// Fills the empty bin of a class: with blocks that were given back, or with such as were never used.
    #[cold]
    #[inline(never)]
    pub(crate) fn refill(&self, cache: &mut Cache, class: usize) -> Result<(), OutOfMemory> {
        match self.try_refill(cache, class, Wanted::Recent) {
            Err(OutOfMemory) if self.reclaim() => self.try_refill(cache, class, Wanted::Recent),
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
        match self.try_refill(cache, class, if is_small { Wanted::Unused } else { Wanted::Old }) {
            Err(OutOfMemory) => self.refill(cache, class),
            outcome => outcome,
        }
    }

    /// Takes one block that was never used, whatever the calling thread has been doing when a signal came.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_aside(&self, class: usize) -> Result<(usize, BlockId), OutOfMemory> {
        let _held = self.aside.lock.hold();
        let (fresh, blocks) = (&self.aside.fresh[class], blocks_of_span(class));
        if fresh.load(Relaxed) == 0 {
            fresh.store(
                self.pages.take_small(class, SIZES[class], magic(SIZES[class]), blocks, true)? as u32,
                Relaxed,
            );
        }
        let number = fresh.load(Relaxed) as usize;
        let span = self.spans.number(number);
        let index = span.carved.load(Relaxed);
        span.carved.store(index + 1, Relaxed);
        if usize::from(index) + 1 == blocks {
            fresh.store(0, Relaxed);
        }
        let address = self.spans.address_of(number) + usize::from(index) * SIZES[class] as usize;
        Ok((address, span.first.load(Relaxed) + BlockId::from(index)))
    }

    /// Gives one free block back to its span.
    pub(crate) fn shelve_one(&self, class: usize, address: usize, id: BlockId) {
        let shelf = &self.shelves[class];
        let _held = shelf.lock.hold_lightly();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *shelf.inner.get() };
        self.put_back(inner, class, &[FreeBlock { address, id: id as usize }]);
    }

    fn try_refill(&self, cache: &mut Cache, class: usize, wanted: Wanted) -> Result<(), OutOfMemory> {
        let batch = cache.grow(class);
        let bin = cache.bin(class);
        debug_assert!(bin.is_empty());
        let shelf = &self.shelves[class];
        let mut filling = bin.fill(batch);
        let held = shelf.lock.hold_lightly();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *shelf.inner.get() };
        if wanted == Wanted::Recent {
            self.take_tray(inner, &mut filling, class);
        }
        if wanted != Wanted::Unused {
            self.take_spare(inner, &mut filling, class);
        }
        if wanted == Wanted::Old && filling.is_empty() {
            self.take_tray(inner, &mut filling, class);
        }
        if filling.is_empty() {
            self.take_unused(inner, &mut filling, class, wanted == Wanted::Unused)?;
        }
        drop(held);
        filling.end();
        Ok(())
    }

    /// Takes blocks that came back together.
    #[inline(always)]
    fn take_tray(&self, inner: &mut ShelfInner, filling: &mut Filling<'_>, class: usize) {
        let mut word = inner.tray.first();
        while word.bits != 0 && filling.wanted() > 0 {
            let span = self.spans.number(word.span());
            let (base, first) = (self.spans.address_of(word.span()), span.first.load(Relaxed));
            while word.bits != 0 && filling.wanted() > 0 {
                let index = word.first() + word.bits.trailing_zeros();
                filling.push(base + index as usize * SIZES[class] as usize, first + index);
                word.bits &= word.bits - 1;
            }
            inner.tray.leave(word.bits);
            word = inner.tray.first();
        }
    }

    /// Takes spare blocks, of each span in order of addresses.
    fn take_spare(&self, inner: &mut ShelfInner, filling: &mut Filling<'_>, class: usize) {
        while filling.wanted() > 0 && inner.spare != 0 {
            let number = inner.spare as usize;
            let span = self.spans.number(number);
            let (base, first) = (self.spans.address_of(number), span.first.load(Relaxed));
            let taken = self.map(span, class).take(filling.wanted() as u32, |index| {
                filling.push(base + index as usize * SIZES[class] as usize, first + index);
            });
            let left = span.spare.load(Relaxed) - taken;
            span.spare.store(left, Relaxed);
            if left == 0 {
                inner.spare = span.next.load(Relaxed);
            }
        }
    }

    /// Takes blocks that were never used, in order of addresses.
    fn take_unused(
        &self,
        inner: &mut ShelfInner,
        filling: &mut Filling<'_>,
        class: usize,
        but_first: bool,
    ) -> Result<(), OutOfMemory> {
        let blocks = blocks_of_span(class);
        if inner.fresh == 0 {
            inner.fresh =
                self.pages.take_small(class, SIZES[class], magic(SIZES[class]), blocks, false)? as u32;
        }
        let number = inner.fresh as usize;
        let span = self.spans.number(number);
        let (base, first) = (self.spans.address_of(number), span.first.load(Relaxed));
        let mut from = usize::from(span.carved.load(Relaxed));
        if but_first && from == 0 && blocks > 1 {
            span.carved.store(1, Relaxed);
            self.put_word(inner, class, Word { bits: 1, ..Word::around(number, 0) });
            from = 1;
        }
        let (size, batch) = (SIZES[class] as usize, filling.wanted());
        let over = (first as usize + from + batch) % LINE;
        let count = (if over < batch { batch - over } else { batch }).min(blocks - from);
        debug_assert!((from + count) * size <= SPAN_BYTES);
        for index in from..from + count {
            filling.push(base + index * size, first + index as BlockId);
        }
        span.carved.store((from + count) as u16, Relaxed);
        if from + count == blocks {
            inner.fresh = 0;
        }
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
        if bin.is_full() {
            self.shelve(bin, class, batch);
        }
        let kept = bin.push(address, id);
        debug_assert!(kept);
    }

    /// Gives all blocks of a thread back.
    pub(crate) fn empty(&self, cache: &mut Cache) {
        for class in 0..CLASSES {
            let bin = cache.bin(class);
            if !bin.is_empty() {
                let count = bin.blocks().len();
                self.shelve(bin, class, count);
            }
        }
    }

    /// Gives the blocks that came first back to their spans.
    fn shelve(&self, bin: &mut Bin, class: usize, count: usize) {
        let shelf = &self.shelves[class];
        let _held = shelf.lock.hold_lightly();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *shelf.inner.get() };
        self.put_back(inner, class, &bin.blocks()[..count]);
        bin.drop_front(count);
    }

    #[inline(always)]
    fn put_back(&self, inner: &mut ShelfInner, class: usize, blocks: &[FreeBlock]) {
        let mut together = Word::default();
        for block in blocks {
            let number = self.spans.number_of(block.address);
            let index = block.id as BlockId - self.spans.number(number).first.load(Relaxed);
            let word = Word::around(number, index);
            if word.key != together.key {
                self.put_together(inner, class, together);
                together = word;
            }
            together.bits |= 1 << (index % 64);
        }
        self.put_together(inner, class, together);
    }

    #[inline(always)]
    fn put_together(&self, inner: &mut ShelfInner, class: usize, mut word: Word) {
        if word.is_worth_it() {
            word = inner.tray.put(word);
        }
        if word.bits != 0 {
            self.put_word(inner, class, word);
        }
    }

    /// Notes blocks in the map of their span.
    fn put_word(&self, inner: &mut ShelfInner, class: usize, word: Word) {
        let span = self.spans.number(word.span());
        self.map(span, class).put(word.first(), word.bits);
        let spare = span.spare.load(Relaxed);
        if spare == 0 {
            span.next.store(inner.spare, Relaxed);
            inner.spare = word.span() as u32;
        }
        span.spare.store(spare + word.bits.count_ones(), Relaxed);
    }

    /// Makes spans free again whose blocks are all spare, and says whether there were any. Done when memory runs out: a
    /// program that has freed its small blocks may want large ones, or small ones of another size. What threads keep in
    /// their own bins stays there.
    #[cold]
    #[inline(never)]
    pub(crate) fn reclaim(&self) -> bool {
        let mut any = false;
        for class in 0..CLASSES {
            let _held = self.shelves[class].lock.hold_lightly();
            // SAFETY: the lock is held.
            let inner = unsafe { &mut *self.shelves[class].inner.get() };
            any |= self.reclaim_class(class, inner);
        }
        any
    }

    fn reclaim_class(&self, class: usize, inner: &mut ShelfInner) -> bool {
        loop {
            let word = inner.tray.take();
            if word.bits == 0 {
                break;
            }
            self.put_word(inner, class, word);
        }
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
