#![expect(unsafe_code, reason = "keeps lists of free blocks at computed addresses")]
//! Free blocks of a thread.
//!
//! A thread keeps a list a class, of addresses with their metadata numbers: the block freed last is handed out first,
//! and handing it out needs no look at its span. A full list gives its older half back to the store (`super::store`), an
//! empty one is filled from there.
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

use crate::arch;
use crate::classes::{CLASSES, SIZES, class_of};
use crate::limits::{BATCH_MAX, CACHE_BYTES, SOMETIMES};
use crate::space::BlockId;
use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

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
    /// Where bins begin. Most classes never need more, and so the first blocks of all of them share a few pages: a page that
    /// is touched costs as much as a hundred allocations do.
    few: [FreeBlock; FEW.places()],
    many: [FreeBlock; MANY.places()],
    /// How often blocks of another class stood in, by class.
    stood_in: [u8; STAND_INS.len()],
}

/// For each class from which to take a block that is wanted of it, while blocks of the class are wanted but now and then: a
/// power of two that is large enough, and so aligned as well. The classes of the smallest blocks are used by everybody.
const STAND_INS: [u8; class_of(1024)] = {
    let mut stand_ins = [0; class_of(1024)];
    let mut class = 0;
    while class < stand_ins.len() {
        let size = SIZES[class].next_power_of_two();
        stand_ins[class] = if class < class_of(64) {
            class as u8
        } else {
            (if size < 128 { 128 } else { size } / 16 - 1) as u8
        };
        class += 1;
    }
    stand_ins
};

/// Blocks whose metadata the processor moves from one core to another together: two cache lines. What is taken of blocks
/// that were never used ends with them, so that threads which allocate at the same time do not share them.
pub(super) const LINE: usize = 8;

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
struct Layout([usize; CLASSES + 1]);

const FEW: Layout = Layout::of(1, LINE);
const MANY: Layout = Layout::of(LINE + 1, usize::MAX);

impl Layout {
    /// Places for the classes of which at least so many blocks may be taken at once: twice as many, but not for more than
    /// `most`.
    const fn of(least: usize, most: usize) -> Self {
        let mut first = [1; CLASSES + 1];
        let mut class = 0;
        while class < CLASSES {
            let batch = batch_max(class);
            let kept = if batch < most { batch } else { most };
            first[class + 1] = first[class] + if batch < least { 0 } else { 2 * kept + 1 };
            class += 1;
        }
        Self(first)
    }

    const fn places(&self) -> usize {
        self.0[CLASSES]
    }
}

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

    /// The class of which a block is taken for one of `class`, when there is none in its bin. Small programs use thirty
    /// classes, most of them a few times, and each costs a page of blocks and one of metadata.
    pub(crate) fn stand_in(&mut self, class: usize) -> usize {
        let Some(times) = self.stood_in.get_mut(class) else { return class };
        if *times == SOMETIMES || self.bins[class].base != 0 {
            return class;
        }
        *times += 1;
        STAND_INS[class].into()
    }

    /// Doubles what is taken at once of a class, and returns it.
    pub(super) fn grow(&mut self, class: usize) -> usize {
        let few = &raw const self.few[FEW.0[class]] as usize;
        let many = &raw const self.many[..][MANY.0[class]..] as *const FreeBlock as usize;
        let bin = &mut self.bins[class];
        if bin.base == 0 {
            (bin.base, bin.end, bin.full) = (few, few, few);
        }
        let batch = ((bin.full - bin.base) / size_of::<FreeBlock>()).max(LINE).min(batch_max(class));
        if batch > LINE && bin.base == few {
            bin.move_to(many);
        }
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

    /// Whether there is no place for one more.
    pub(super) fn is_full(&self) -> bool {
        self.end == self.full
    }

    /// Keeps a free block. Returns false, and does not keep it, when there is no place: `Store::spill` makes some.
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

    /// Begins to fill the empty bin with up to `count` blocks.
    pub(super) fn fill(&mut self, count: usize) -> Filling<'_> {
        let next = self.base + count * size_of::<FreeBlock>();
        Filling { bin: self, next, end: next }
    }

    /// The blocks, those that came first in front.
    pub(super) fn blocks(&mut self) -> &mut [FreeBlock] {
        let count = (self.end - self.base) / size_of::<FreeBlock>();
        let base = if count == 0 { core::ptr::dangling_mut() } else { self.base as *mut FreeBlock };
        // SAFETY: the places below `end` were written, and are this bin's alone.
        unsafe { core::slice::from_raw_parts_mut(base, count) }
    }

    /// Forgets the `count` blocks that came first.
    pub(super) fn drop_front(&mut self, count: usize) {
        let from = self.base + count * size_of::<FreeBlock>();
        self.move_down(from, (self.end - from) / size_of::<FreeBlock>());
    }

    /// Takes its blocks to other places, of which there are as many at least.
    fn move_to(&mut self, base: usize) {
        let bytes = self.end - self.base;
        for offset in (0..bytes).step_by(size_of::<FreeBlock>()) {
            // SAFETY: the blocks are written places of this bin, and the others are this bin's, too, and not in use.
            unsafe { arch::copy_16(self.base + offset, base + offset) };
        }
        compiler_fence(SeqCst);
        // As in `move_down`: a signal handler finds the list here or there.
        // SAFETY: `base` lies behind `end`.
        unsafe { arch::write_both(&raw mut self.end, [base + bytes, base]) };
    }

    /// Makes the `count` blocks that lie at `from` the only ones.
    fn move_down(&mut self, from: usize, count: usize) {
        if from != self.base {
            for offset in (0..count).map(|index| index * size_of::<FreeBlock>()) {
                // SAFETY: `from` and what follows are written places of this bin, and lie above the target.
                unsafe { arch::copy_16(from + offset, self.base + offset) };
            }
        }
        // A signal handler that allocates here, and should not, finds the list as it was until it is as it will be.
        compiler_fence(SeqCst);
        self.end = self.base + count * size_of::<FreeBlock>();
    }
}

/// An empty bin on its way to be filled: what is pushed first will be handed out first.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    bin: &'a mut Bin,
    /// Behind the place for the next block; places are filled from `end` downwards.
    next: usize,
    end: usize,
}

impl Filling<'_> {
    /// How many blocks there is room for.
    #[inline(always)]
    pub(super) fn wanted(&self) -> usize {
        (self.next - self.bin.base) / size_of::<FreeBlock>()
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Adds a block, for which there is room.
    #[inline(always)]
    pub(super) fn push(&mut self, address: usize, id: BlockId) {
        debug_assert!(self.wanted() > 0);
        self.next -= size_of::<FreeBlock>();
        // SAFETY: the place is one of the bin's.
        unsafe { (self.next as *mut FreeBlock).write(FreeBlock { address, id: id as usize }) };
    }

    /// Lets the bin have its blocks.
    pub(super) fn end(self) {
        let count = (self.end - self.next) / size_of::<FreeBlock>();
        self.bin.move_down(self.next, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_order_when_their_bin_gets_more_places() {
        for class in 0..CLASSES {
            let mut cache = Cache::empty();
            let mut kept = 0;
            let most = 2 * batch_max(class);
            while kept < most {
                if !cache.bin(class).push(kept + 1, kept as BlockId) {
                    cache.grow(class);
                    continue;
                }
                kept += 1;
            }
            assert!(cache.bin(class).is_full());
            for index in (0..kept).rev() {
                assert_eq!(cache.bin(class).pop(), Some((index + 1, index as BlockId)), "class {class}");
            }
            assert_eq!(cache.bin(class).pop(), None);
        }
    }
}
