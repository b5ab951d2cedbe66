#![expect(unsafe_code, reason = "links free blocks through their own first words")]
//! Free blocks of a thread, and how they travel between threads.
//!
//! A free block holds the address of the next free one in its first word and its own metadata number in its second, so
//! that handing it out needs no look at its span. Threads keep a list a class; full lists give a batch to the shared
//! store of the class, empty ones take a batch from there, or carve one from a span.
//!
//! Batches are chains of at most [`BATCH_MAX`] blocks. The store keeps their heads in an array in the arena and touches
//! the blocks themselves only at both ends, which is why a thread that only frees and a thread that only allocates
//! cost each other little.
//!
//! # Safety
//! A block in a list is nobody else's: it was carved from a span once, or freed by the program, whose promise not to
//! touch it any more is the contract of `free`.

use super::pages::Pages;
use super::span::{SMALL, Spans};
use crate::arch;
use crate::arena::{Arena, Buf};
use crate::classes::{CLASSES, SIZES, blocks_of_span, magic};
use crate::limits::{BATCH_MAX, CACHE_BYTES, SPAN_BYTES};
use crate::lock::Lock;
use crate::space::{BlockId, Grow, OutOfMemory};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// The first two words of a free block.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct FreeBlock {
    pub(crate) next: usize,
    pub(crate) id: usize,
}

/// A thread's free blocks of one class.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Bin {
    head: usize,
    count: u32,
    /// More blocks than this are too many: twice what is taken at once, which doubles from two, so that a small program
    /// stays small.
    limit: u32,
}

/// A thread's free blocks.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Cache {
    pub(crate) bins: [Bin; CLASSES],
}

/// A batch in the shared store.
#[derive(Clone, Copy, Debug)]
struct Chain {
    head: usize,
    count: u32,
}

/// The shared store of one class.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) lock: Lock,
    inner: UnsafeCell<ShelfInner>,
}

#[derive(Debug)]
struct ShelfInner {
    chains: Buf<Chain>,
    /// The span that blocks are carved from: its number, and how many blocks it has left.
    span: usize,
    left: usize,
}

// SAFETY: `inner` is only touched under `lock`.
unsafe impl Sync for Shelf {}

impl Shelf {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self {
            lock: Lock::new(),
            inner: UnsafeCell::new(ShelfInner { chains: Buf::new(arena), span: 0, left: 0 }),
        }
    }
}

/// Largest number of blocks a batch of this class has.
const fn batch_max(class: usize) -> u32 {
    let fit = CACHE_BYTES / 2 / SIZES[class] as usize;
    (if fit > BATCH_MAX {
        BATCH_MAX
    } else if fit < 1 {
        1
    } else {
        fit
    }) as u32
}

impl Chain {
    /// Both in one.
    fn followed_by(self, other: Self) -> Self {
        let mut last = self.head;
        for _ in 1..self.count {
            // SAFETY: the chain has `count` linked free blocks.
            last = unsafe { (*(last as *const FreeBlock)).next };
        }
        // SAFETY: as above.
        unsafe { (*(last as *mut FreeBlock)).next = other.head };
        Self { head: self.head, count: self.count + other.count }
    }
}

impl Cache {
    /// The bin of a class.
    #[inline(always)]
    pub(crate) fn bin(&mut self, class: usize) -> &mut Bin {
        debug_assert!(class < CLASSES);
        // SAFETY: classes come from `classes` and from span descriptors, which hold nothing else.
        unsafe { self.bins.get_unchecked_mut(class) }
    }
}

impl Bin {
    /// Takes a free block, or `None` when the bin is empty.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<(usize, BlockId)> {
        let block = self.head;
        if block == 0 {
            return None;
        }
        // SAFETY: blocks in a bin hold a `FreeBlock`.
        let FreeBlock { next, id } = unsafe { (block as *const FreeBlock).read() };
        // The next allocation of this class will read the next block; it may not have been touched for long.
        arch::prefetch(next);
        self.head = next;
        self.count -= 1;
        Some((block, id as BlockId))
    }

    /// Whether there is nothing to take.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == 0
    }

    /// Keeps a free block. Returns true when the bin is too full afterwards and wants [`Cache::spill`].
    #[inline(always)]
    pub(crate) fn push(&mut self, block: usize, id: BlockId) -> bool {
        // SAFETY: the block is at least sixteen bytes long, aligned, and was just given up by its owner.
        unsafe { (block as *mut FreeBlock).write(FreeBlock { next: self.head, id: id as usize }) };
        self.head = block;
        self.count += 1;
        self.count > self.limit
    }

    /// Doubles what is taken at once, and returns it.
    fn grow(&mut self, class: usize) -> u32 {
        let batch = self.limit.max(2).min(batch_max(class));
        self.limit = 2 * batch;
        batch
    }

    fn push_chain(&mut self, chain: Chain) {
        debug_assert!(self.head == 0);
        self.head = chain.head;
        self.count = chain.count;
    }

    /// Takes up to `count` blocks off the front.
    fn take_chain(&mut self, count: u32) -> Chain {
        let head = self.head;
        let mut last = head;
        for _ in 1..count {
            // SAFETY: the bin holds `count` linked free blocks.
            last = unsafe { (*(last as *const FreeBlock)).next };
        }
        // SAFETY: as above; the chain is cut behind its last block.
        unsafe {
            self.head = (*(last as *const FreeBlock)).next;
            (*(last as *mut FreeBlock)).next = 0;
        }
        self.count -= count;
        Chain { head, count }
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
    /// Fills an empty bin: with a batch that another thread gave back, or with blocks that were never used.
    #[cold]
    #[inline(never)]
    pub(crate) fn refill(&self, bin: &mut Bin, class: usize) -> Result<(), OutOfMemory> {
        match self.try_refill(bin, class) {
            Err(OutOfMemory) if self.reclaim() => self.try_refill(bin, class),
            outcome => outcome,
        }
    }

    fn try_refill(&self, bin: &mut Bin, class: usize) -> Result<(), OutOfMemory> {
        let shelf = &self.shelves[class];
        let batch = bin.grow(class);
        let _held = shelf.lock.hold();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *shelf.inner.get() };
        if let Some(chain) = inner.chains.pop() {
            bin.push_chain(chain);
            return Ok(());
        }
        if inner.left == 0 {
            let blocks = blocks_of_span(class);
            inner.span = self.pages.take_small(class, SIZES[class], magic(SIZES[class]), blocks)?;
            inner.left = blocks;
        }
        let count = (batch as usize).min(inner.left);
        bin.push_chain(self.carve(class, inner.span, blocks_of_span(class) - inner.left, count));
        inner.left -= count;
        Ok(())
    }

    /// Links `count` blocks that were never used, from number `from` of their span on, in order of addresses.
    fn carve(&self, class: usize, number: usize, from: usize, count: usize) -> Chain {
        let span = self.spans.number(number);
        let size = SIZES[class] as usize;
        let first = span.first.load(Relaxed) as usize;
        let base = self.spans.address_of(number);
        debug_assert!((from + count) * size <= SPAN_BYTES);
        for index in from..from + count {
            let next = if index + 1 < from + count { base + (index + 1) * size } else { 0 };
            // SAFETY: the block lies in a span of this class and was never handed out.
            unsafe { ((base + index * size) as *mut FreeBlock).write(FreeBlock { next, id: first + index }) };
        }
        span.carved.store((from + count) as u16, Relaxed);
        Chain { head: base + from * size, count: count as u32 }
    }

    /// Gives half of a full bin to the shared store.
    #[cold]
    #[inline(never)]
    pub(crate) fn spill(&self, bin: &mut Bin, class: usize) {
        let batch = bin.grow(class);
        if bin.count > batch {
            let chain = bin.take_chain(batch);
            self.shelve(class, chain);
        }
    }

    /// Gives all blocks of a thread back, in batches.
    pub(crate) fn empty(&self, cache: &mut Cache) {
        for (class, bin) in cache.bins.iter_mut().enumerate() {
            while bin.count > 0 {
                let chain = bin.take_chain(bin.count.min(batch_max(class)));
                self.shelve(class, chain);
            }
        }
    }

    fn shelve(&self, class: usize, chain: Chain) {
        let shelf = &self.shelves[class];
        let _held = shelf.lock.hold();
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *shelf.inner.get() };
        if inner.chains.push(chain).is_err()
            && let Some(top) = inner.chains.as_mut_slice().last_mut()
        {
            // No memory for a longer list: one batch becomes larger. Without any the new one is lost.
            *top = chain.followed_by(*top);
        }
    }

    /// Makes spans free again whose blocks all lie on the shelves, and says whether there were any. Done when memory runs
    /// out: a program that has freed its small blocks may want large ones, or small ones of another size. What threads
    /// keep in their own bins stays there.
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
        // The list links of a small span are not in use: they count its free blocks here.
        let spans = self.spans.number_of(self.spans.top());
        let of_class = |number: &usize| {
            let span = self.spans.number(*number);
            span.kind.load(Acquire) == SMALL && usize::from(span.class.load(Relaxed)) == class
        };
        (0..spans).filter(of_class).for_each(|number| self.spans.number(number).next.store(0, Relaxed));
        for chain in inner.chains.as_slice() {
            each_block(chain.head, |block| {
                self.spans.at(block).next.fetch_add(1, Relaxed);
            });
        }
        let blocks = blocks_of_span(class) as u32;
        let is_whole = |number: usize| {
            self.spans.number(number).next.load(Relaxed) == blocks
                && (inner.left == 0 || number != inner.span)
        };
        if !(0..spans).filter(of_class).any(is_whole) {
            return false;
        }
        let mut kept = 0;
        for index in 0..inner.chains.as_slice().len() {
            let chain = inner.chains.as_slice()[index];
            if let Some(rest) = without(chain, |block| is_whole(self.spans.number_of(block))) {
                inner.chains.as_mut_slice()[kept] = rest;
                kept += 1;
            }
        }
        while inner.chains.as_slice().len() > kept {
            inner.chains.pop();
        }
        let whole =
            |number: &usize| of_class(number) && self.spans.number(*number).next.load(Relaxed) == blocks;
        let current = if inner.left == 0 { usize::MAX } else { inner.span };
        for number in (0..spans).filter(|number| *number != current).filter(whole) {
            self.pages.give_back_small(number);
        }
        true
    }
}

/// Calls `visit` with every block of a chain.
fn each_block(head: usize, mut visit: impl FnMut(usize)) {
    let mut block = head;
    while block != 0 {
        visit(block);
        // SAFETY: blocks of a chain hold a `FreeBlock`, and the last one ends it.
        block = unsafe { (*(block as *const FreeBlock)).next };
    }
}

/// What is left of a chain without the blocks that `goes` names.
fn without(chain: Chain, goes: impl Fn(usize) -> bool) -> Option<Chain> {
    let mut rest = Chain { head: 0, count: 0 };
    let mut block = chain.head;
    while block != 0 {
        // SAFETY: as in `each_block`; the block is relinked after its own link was read.
        unsafe {
            let next = (*(block as *const FreeBlock)).next;
            if !goes(block) {
                (*(block as *mut FreeBlock)).next = rest.head;
                rest = Chain { head: block, count: rest.count + 1 };
            }
            block = next;
        }
    }
    (rest.count > 0).then_some(rest)
}
