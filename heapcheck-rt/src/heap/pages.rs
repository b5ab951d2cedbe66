#![expect(unsafe_code, reason = "clears, discards and moves pages of the heap")]
//! Runs of spans: who owns which part of the heap's addresses.
//!
//! Free runs are lists by length (exact up to 63 spans, then by powers of two) and are joined with free neighbours;
//! what no run can serve comes from behind `top`. A free run keeps its memory for reuse up to a bound, and says whether
//! it may hold old content (`dirty`), because the heap promises zeros.
//!
//! Growing has a lock of its own, under which signals wait: a handler that has interrupted its own thread among the lists
//! grows the heap and leaves them alone.
//!
//! # Safety
//! Everything here happens under the page lock, or under that of growth, on spans that are free or belong to the caller.

use super::meta::Meta;
use super::span::{FREE, LARGE, REST, SMALL, Span, Spans};
use super::spare::MAP_WORDS;
use crate::arch;
use crate::limits::{REFILL_STACK_BYTES, RETAIN_BYTES, RETAIN_RUN_BYTES, SPAN_BYTES};
use crate::lock::{Held, Lock};
use crate::region::{DESCRIPTOR_BYTES, Region};
use crate::space::{BlockId, OutOfMemory};
use crate::sys;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, Release},
};

/// Lists of free runs: 1..=63 spans exactly, then one for each power of two.
const LISTS: usize = 64 + 26;
const EXACT: usize = 64;
/// How far a list of unequal runs is searched before a longer list serves.
const SEARCH_MAX: usize = 32;
/// From this size on a growing block moves by its pages and not by copying.
const MOVE_BYTES: usize = 512 << 10;
/// Ends a list. Span 0 is never a free run: it holds the first small blocks for good.
const NONE: u32 = 0;

/// The owner of all spans.
#[derive(Debug)]
pub(crate) struct Pages {
    region: &'static Region,
    spans: &'static Spans,
    pub(crate) lock: Lock,
    /// Held while the heap or its metadata grow.
    pub(crate) growth: Lock,
    lists: [AtomicU32; LISTS],
    filled: [AtomicU64; 2],
    dirty_bytes: AtomicUsize,
    /// The number behind the last block that has metadata.
    slots: AtomicUsize,
    /// Whether free runs keep their memory at all.
    keeps: AtomicBool,
    /// Single metadata slots to use again, linked by their first word.
    spare_meta: AtomicU32,
}

impl Pages {
    pub(crate) const fn on(region: &'static Region, spans: &'static Spans) -> Self {
        Self {
            region,
            spans,
            lock: Lock::new(),
            growth: Lock::new(),
            lists: [const { AtomicU32::new(NONE) }; LISTS],
            filled: [const { AtomicU64::new(0) }; 2],
            dirty_bytes: AtomicUsize::new(0),
            slots: AtomicUsize::new(1),
            keeps: AtomicBool::new(true),
            spare_meta: AtomicU32::new(0),
        }
    }

    /// Every block's number is below this.
    pub(crate) fn slots(&self) -> usize {
        self.slots.load(Relaxed)
    }

    /// Takes a span for blocks of a class; its descriptor is complete but for `carved`, which starts at 0. One that is taken
    /// `aside` comes from behind `top`, without the lock of the lists.
    pub(crate) fn take_small(
        &self,
        class: usize,
        size: u32,
        magic: u32,
        blocks: usize,
        aside: bool,
    ) -> Result<usize, OutOfMemory> {
        // One more, which never lives: the rest of the span behind its last block counts as a block of that number. The
        // map of spare blocks lies behind it, and begins empty.
        let map = (usize::from(MAP_WORDS[class]) * size_of::<u64>()).div_ceil(size_of::<Meta>());
        let metas = blocks + 1 + map;
        let become_small = |number: usize, first: BlockId| {
            let span = self.spans.number(number);
            span.first.store(first, Relaxed);
            span.size.store(size, Relaxed);
            span.class.store(class as u8, Relaxed);
            span.carved.store(0, Relaxed);
            span.run.store(first + blocks as BlockId + 1, Relaxed);
            span.spare.store(0, Relaxed);
            span.magic.store(magic, Relaxed);
            span.kind.store(SMALL, Release);
            number
        };
        let held = (!aside).then(|| self.lock.hold_lightly());
        let found = if held.is_some() { self.find_run(1) } else { None };
        let (grown, first) = {
            let growing = self.growth.hold();
            let (number, first) = self.grow(&growing, usize::from(found.is_none()), metas)?;
            if aside {
                return Ok(become_small(number, first));
            }
            (number, first)
        };
        if let Some(number) = found {
            self.take_found(number, 1);
        }
        Ok(become_small(found.unwrap_or(grown), first))
    }

    /// Takes a run for one large block of `bytes` and returns its first span and metadata number. Its first `bytes`
    /// read as zeros. The block is not live yet: the caller writes its metadata. `aside` is as in [`Pages::take_small`].
    pub(crate) fn take_large(
        &self,
        bytes: usize,
        align: usize,
        zero: bool,
        aside: bool,
    ) -> Result<(usize, BlockId), OutOfMemory> {
        let run = bytes / SPAN_BYTES + 1;
        let align = (align / SPAN_BYTES).max(1);
        let (number, dirty, meta) = if aside {
            let growing = self.growth.hold();
            let all = if align > 1 { run + align } else { run };
            let (number, meta) = self.grow(&growing, all, 1)?;
            // Those in front of an aligned run and behind it are lost: this hardly ever happens.
            for distance in 0..all {
                self.claim(number + distance, 1);
            }
            let number =
                self.spans.number_of(self.spans.address_of(number).next_multiple_of(align * SPAN_BYTES));
            self.become_large(number, run, meta);
            (number, false, meta)
        } else {
            let _held = self.lock.hold_lightly();
            let meta = self.take_single_meta()?;
            let Ok((number, dirty)) = self.take_run(run, align) else {
                self.spare(meta);
                return Err(OutOfMemory);
            };
            self.become_large(number, run, meta);
            (number, dirty, meta)
        };
        if dirty && zero {
            let address = self.spans.address_of(number);
            // SAFETY: the run is the caller's.
            unsafe { clear(address, bytes) };
        }
        Ok((number, meta))
    }

    fn become_large(&self, number: usize, run: usize, meta: BlockId) {
        for distance in 1..run {
            let rest = self.spans.number(number + distance);
            rest.magic.store(0, Relaxed);
            rest.run.store(distance as u32, Relaxed);
            rest.kind.store(REST, Relaxed);
        }
        let head = self.spans.number(number);
        head.first.store(meta, Relaxed);
        head.magic.store(0, Relaxed);
        head.run.store(run as u32, Relaxed);
        head.kind.store(LARGE, Release);
    }

    /// Does `work`, and keeps no memory of large blocks that are freed meanwhile: they are not the program's, and what it takes
    /// first would have to be cleared because of them.
    pub(crate) fn keeping_nothing<R>(&self, work: impl FnOnce() -> R) -> R {
        self.keeps.store(false, Relaxed);
        let outcome = work();
        self.keeps.store(true, Relaxed);
        outcome
    }

    /// Gives back the run of a large block whose metadata says that it is freed.
    pub(crate) fn give_back_large(&self, number: usize) {
        let head = self.spans.number(number);
        let run = head.run.load(Relaxed) as usize;
        let bytes = run * SPAN_BYTES;
        let address = self.spans.address_of(number);
        let keep = bytes <= RETAIN_RUN_BYTES
            && self.dirty_bytes.load(Relaxed) + bytes <= RETAIN_BYTES
            && self.keeps.load(Relaxed);
        // SAFETY: the block was just freed and its run is not yet in any list.
        let dirty = keep || unsafe { sys::discard(address, bytes) }.is_err();
        let _held = self.lock.hold_lightly();
        self.spare(head.first.load(Relaxed));
        self.put_run(number, run, dirty);
    }

    /// Gives a whole small span back.
    pub(crate) fn give_back_small(&self, number: usize) {
        let _held = self.lock.hold_lightly();
        self.put_run(number, 1, true);
    }

    /// Makes a large block longer or shorter where it is. Bytes between `old` and `new` read as zeros.
    pub(crate) fn resize_large(&self, number: usize, old: usize, new: usize) -> bool {
        let head = self.spans.number(number);
        let run = head.run.load(Relaxed) as usize;
        let wanted = new / SPAN_BYTES + 1;
        let address = self.spans.address_of(number);
        if wanted > run && !self.extend(number, run, wanted) {
            return false;
        }
        if wanted < run {
            let _held = self.lock.hold_lightly();
            head.run.store(wanted as u32, Relaxed);
            self.put_run(number + wanted, run - wanted, true);
        }
        if new > old {
            let clean = run * SPAN_BYTES;
            // SAFETY: the run is the caller's; `extend` cleared what it added, so only the old run's tail is left.
            unsafe { clear(address + old, new.min(clean).saturating_sub(old)) };
        }
        true
    }

    /// Adds free neighbours behind a run, full of zeros.
    fn extend(&self, number: usize, run: usize, wanted: usize) -> bool {
        let _held = self.lock.hold_lightly();
        let next = number + run;
        let add = wanted - run;
        if self.spans.address_of(next) == self.spans.top() {
            if !self.grow_at(next, add) {
                return false;
            }
        } else {
            let neighbour = self.spans.number(next);
            let room = neighbour.run.load(Relaxed) as usize;
            if neighbour.kind.load(Relaxed) != FREE || room < add {
                return false;
            }
            let dirty = self.unlist(next);
            self.claim(next, add);
            if room > add {
                self.put_run(next + add, room - add, dirty);
            }
            if dirty {
                // SAFETY: the spans were free and are the caller's now.
                unsafe { clear(self.spans.address_of(next), add * SPAN_BYTES) };
            }
        }
        let meta = self.spans.number(number).first.load(Relaxed);
        self.become_large(number, wanted, meta);
        true
    }

    /// Moves a large block's first `bytes` into another run, by pages when that is cheaper. Returns whether it did;
    /// the old run then reads as zeros or is unchanged.
    pub(crate) fn move_content(&self, from: usize, to: usize, bytes: usize) -> bool {
        let whole = bytes & !(sys::PAGE - 1);
        if bytes < MOVE_BYTES {
            return false;
        }
        let (source, target) = (self.spans.address_of(from), self.spans.address_of(to));
        // SAFETY: both runs are the caller's; the kernel leaves fresh pages behind (MREMAP_DONTUNMAP).
        unsafe {
            if sys::move_pages(source, whole, target).is_err() {
                // Kernels before 6.17 refuse pages of more than one mapping only when the target is unmapped already.
                let _ = sys::reserve_again(target, whole);
                return false;
            }
            core::ptr::copy_nonoverlapping(
                (source + whole) as *const u8,
                (target + whole) as *mut u8,
                bytes - whole,
            );
        }
        true
    }

    /// Takes `run` free spans whose number is a multiple of `align` from the heap's start, and says whether they may
    /// hold old content.
    fn take_run(&self, run: usize, align: usize) -> Result<(usize, bool), OutOfMemory> {
        if align > 1 {
            return self.take_aligned_run(run, align);
        }
        match self.find_run(run) {
            Some(number) => Ok((number, self.take_found(number, run))),
            None => Ok((self.grow(&self.growth.hold(), run, 0)?.0, false)),
        }
    }

    /// Takes the first `run` spans of a free run, and says whether they may hold old content.
    fn take_found(&self, number: usize, run: usize) -> bool {
        let found = self.spans.number(number).run.load(Relaxed) as usize;
        let dirty = self.unlist(number);
        self.claim(number, run);
        if found > run {
            self.put_run(number + run, found - run, dirty);
        }
        dirty
    }

    /// Makes spans of a run that was taken out of its list look taken, before a remainder looks for free neighbours.
    fn claim(&self, number: usize, run: usize) {
        for distance in [0, run - 1] {
            self.spans.number(number + distance).kind.store(REST, Release);
        }
    }

    /// Rare: takes a longer run and gives both ends back.
    fn take_aligned_run(&self, run: usize, align: usize) -> Result<(usize, bool), OutOfMemory> {
        let (number, dirty) = self.take_run(run + align, 1)?;
        let address = self.spans.address_of(number);
        let front = (address.next_multiple_of(align * SPAN_BYTES) - address) / SPAN_BYTES;
        self.claim(number + front, run);
        if front > 0 {
            self.put_run(number, front, dirty);
        }
        if align > front {
            self.put_run(number + front + run, align - front, dirty);
        }
        Ok((number + front, dirty))
    }

    /// Takes `run` spans behind `top`, which are taken from the moment that anybody sees them, and metadata for `metas`
    /// further blocks. Returns the first of each.
    fn grow(&self, _: &Held<'_>, run: usize, metas: usize) -> Result<(usize, BlockId), OutOfMemory> {
        let top = self.spans.top().max(self.spans.start());
        let grown = self.open_metas(metas).and_then(|first| Ok((self.grow_top(top, run)?, first)));
        // The end of these spans is where the first block of the next one will lie.
        arch::clear_below::<REFILL_STACK_BYTES>();
        grown
    }

    /// Takes `run` spans behind `top` if these are the ones with that number.
    fn grow_at(&self, number: usize, run: usize) -> bool {
        let growing = self.growth.hold();
        self.spans.address_of(number) == self.spans.top() && self.grow(&growing, run, 0).is_ok()
    }

    #[inline(never)]
    fn grow_top(&self, top: usize, run: usize) -> Result<usize, OutOfMemory> {
        let end = run.checked_mul(SPAN_BYTES).and_then(|bytes| top.checked_add(bytes)).ok_or(OutOfMemory)?;
        let number = self.spans.number_of(top);
        if run > 0 {
            self.region.spans.open_to(self.region.spans.start() + (number + run) * DESCRIPTOR_BYTES)?;
            self.region.heap.open_to(end)?;
            self.claim(number, run);
            self.spans.set_top(end);
        }
        Ok(number)
    }

    fn find_run(&self, run: usize) -> Option<usize> {
        let mut list = self.next_filled(list_of(run))?;
        loop {
            let mut number = self.lists[list].load(Relaxed);
            for _ in 0..SEARCH_MAX {
                if number == NONE {
                    break;
                }
                let span = self.spans.number(number as usize);
                if span.run.load(Relaxed) as usize >= run {
                    return Some(number as usize);
                }
                number = span.next.load(Relaxed);
            }
            list = self.next_filled(list + 1)?;
        }
    }

    fn next_filled(&self, from: usize) -> Option<usize> {
        (from / 64..2).find_map(|word| {
            let skip = if word == from / 64 { from % 64 } else { 0 };
            let bits = self.filled[word].load(Relaxed) >> skip << skip;
            (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize)
        })
    }

    /// Makes a run free and joins it with its free neighbours.
    fn put_run(&self, mut number: usize, mut run: usize, mut dirty: bool) {
        for distance in 0..run {
            let span = self.spans.number(number + distance);
            span.kind.store(FREE, Release);
            span.magic.store(0, Relaxed);
        }
        let behind = number + run;
        if self.spans.address_of(behind) < self.spans.top() && self.is_free(behind) {
            run += self.spans.number(behind).run.load(Relaxed) as usize;
            dirty |= self.unlist(behind);
        }
        if number > 1 && self.is_free(number - 1) {
            let before = self.spans.number(number - 1).run.load(Relaxed) as usize;
            number -= before;
            run += before;
            dirty |= self.unlist(number);
        }
        let (head, tail) = (self.spans.number(number), self.spans.number(number + run - 1));
        tail.run.store(run as u32, Relaxed);
        head.run.store(run as u32, Relaxed);
        head.spare.store(u32::from(dirty), Relaxed);
        if dirty {
            self.dirty_bytes.fetch_add(run * SPAN_BYTES, Relaxed);
        }
        let list = list_of(run);
        let next = self.lists[list].swap(number as u32, Relaxed);
        head.previous.store(NONE, Relaxed);
        head.next.store(next, Relaxed);
        if next != NONE {
            self.spans.number(next as usize).previous.store(number as u32, Relaxed);
        }
        self.filled[list / 64].fetch_or(1 << (list % 64), Relaxed);
    }

    fn is_free(&self, number: usize) -> bool {
        self.spans.number(number).kind.load(Relaxed) == FREE
    }

    /// Takes a free run out of its list and says whether it may hold old content.
    fn unlist(&self, number: usize) -> bool {
        let head: &Span = self.spans.number(number);
        let run = head.run.load(Relaxed) as usize;
        let list = list_of(run);
        let (previous, next) = (head.previous.load(Relaxed), head.next.load(Relaxed));
        if next != NONE {
            self.spans.number(next as usize).previous.store(previous, Relaxed);
        }
        if previous != NONE {
            self.spans.number(previous as usize).next.store(next, Relaxed);
        } else {
            self.lists[list].store(next, Relaxed);
            if next == NONE {
                self.filled[list / 64].fetch_and(!(1 << (list % 64)), Relaxed);
            }
        }
        let dirty = head.spare.load(Relaxed) != 0;
        if dirty {
            self.dirty_bytes.fetch_sub(run * SPAN_BYTES, Relaxed);
        }
        dirty
    }

    /// Opens metadata for `count` further blocks. The caller holds `growth`.
    fn open_metas(&self, count: usize) -> Result<BlockId, OutOfMemory> {
        let first = self.slots.load(Relaxed);
        let end = first + count;
        if end > u32::MAX as usize {
            return Err(OutOfMemory);
        }
        self.region.meta.open_to(self.region.meta.start() + end * size_of::<Meta>())?;
        self.slots.store(end, Relaxed);
        Ok(first as BlockId)
    }

    fn take_single_meta(&self) -> Result<BlockId, OutOfMemory> {
        let spare = self.spare_meta.load(Relaxed);
        if spare == 0 {
            return Ok(self.grow(&self.growth.hold(), 0, 1)?.1);
        }
        self.spare_meta.store(self.spans.meta(spare).link(), Relaxed);
        Ok(spare)
    }

    fn spare(&self, meta: BlockId) {
        self.spans.meta(meta).set_link(self.spare_meta.load(Relaxed));
        self.spare_meta.store(meta, Relaxed);
    }
}

fn list_of(run: usize) -> usize {
    if run < EXACT { run } else { (EXACT - 6 + run.ilog2() as usize).min(LISTS - 1) }
}

/// Makes a piece of a run read as zeros: by hand when it is short, by giving the pages away when it is long.
///
/// # Safety
/// The piece belongs to the caller.
unsafe fn clear(address: usize, bytes: usize) {
    let (first, end) = (address.next_multiple_of(sys::PAGE), (address + bytes) & !(sys::PAGE - 1));
    // SAFETY: as the caller promises; the pages lie inside the piece.
    unsafe {
        if bytes > RETAIN_RUN_BYTES && sys::discard(first, end - first).is_ok() {
            (address as *mut u8).write_bytes(0, first - address);
            (end as *mut u8).write_bytes(0, address + bytes - end);
        } else {
            (address as *mut u8).write_bytes(0, bytes);
        }
    }
}
