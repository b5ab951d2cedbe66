#![forbid(unsafe_code)]
//! One marker: takes a piece of work, scans, and follows what it finds.
//!
//! ```text
//!  word ─> bounds? ─> slot ─> unmarked? ─┬─ first byte ──────────────> mark ─> stack ─> on its way ─> scan
//!                                        └─ inside ─> being measured ─┬> mark
//!                                                                     └> hint, or no pointer at all
//! ```
//!
//! The two short queues hold blocks whose memory has been asked for: *being measured* waits for the size of a block,
//! *on its way* for its size and its words.

use super::pool::{Batch, Census, Sighting, Work};
use super::{ADDRESS_BITS, HUGE_BYTES, Marking, Root};
use crate::space::{Run, Slot, Space};

const WORD: usize = size_of::<usize>();
const LINE: usize = 64;
/// Blocks on their way: enough to cover a load from memory, few enough for the processor's miss buffers.
const ON_ITS_WAY: usize = 16;
/// Pointers whose mark is on its way from the second-level cache, or from the cache of another marker.
const FOUND: usize = 16;
const MEASURED: usize = 16;
/// Lines of a block that are asked for ahead; the processor itself follows from there.
const LINES_AHEAD: usize = 3;
/// A marker keeps this many blocks before it gives to others.
const KEEP: usize = 32;

const NONE: Slot = Slot { id: 0, base: 0 };

pub(super) struct Marker<'m, 'a, S> {
    marking: &'m Marking<'a, S>,
    bounds_lo: usize,
    bounds_len: usize,
    /// What of a word is taken for an address.
    address_bits: usize,
    stack: &'m mut [Slot],
    depth: usize,
    found: Queue<(Slot, usize), FOUND>,
    on_its_way: Queue<Slot, ON_ITS_WAY>,
    measured: Queue<(Slot, usize), MEASURED>,
    is_weak: bool,
    is_dense: bool,
    sighting: Sighting,
}

impl<'m, 'a, S: Space> Marker<'m, 'a, S> {
    pub(super) fn new(marking: &'m Marking<'a, S>, stack: &'m mut [Slot]) -> Self {
        let (lo, hi) = marking.space.bounds();
        Self {
            marking,
            bounds_lo: lo,
            bounds_len: hi - lo,
            address_bits: if marking.roots.tags { ADDRESS_BITS } else { usize::MAX },
            stack,
            depth: 0,
            found: Queue::new((NONE, 0)),
            on_its_way: Queue::new(NONE),
            measured: Queue::new((NONE, 0)),
            is_weak: false,
            is_dense: false,
            sighting: Sighting::default(),
        }
    }

    pub(super) fn run(mut self) {
        self.marking.pool.join();
        loop {
            match self.take() {
                Work::Words => self.scan_words(),
                Work::Range(range) => self.scan_root(range),
                Work::Blocks(batch) => self.scan_batch(&batch),
                Work::Sweep { from, to } => self.each_run(from, to, Self::sweep),
                Work::Hints { from, to } => self.each_run(from, to, Self::doubt_hinted),
                Work::Count { from, to } => self.each_run(from, to, Self::count),
                Work::Done => return,
            }
            self.follow();
        }
    }

    fn take(&mut self) -> Work {
        let work = self.marking.pool.take(core::mem::take(&mut self.sighting));
        self.is_weak = self.marking.pool.is_weak();
        self.is_dense = self.marking.pool.is_dense();
        work
    }

    fn scan_words(&mut self) {
        let words = self.marking.roots.words;
        words.iter().for_each(|&word| self.consider(word));
    }

    fn scan_batch(&mut self, batch: &Batch) {
        for slot in batch.addrs().iter().filter_map(|&addr| self.marking.space.slot_of(addr)) {
            self.scan_soon(slot);
        }
    }

    /// Considers every aligned word in `range`.
    #[inline]
    fn scan(&mut self, range: Root) {
        let mut addr = range.lo.next_multiple_of(WORD);
        while addr < range.hi && range.hi - addr >= WORD {
            self.consider(self.marking.space.read(addr));
            addr += WORD;
        }
    }

    /// The same for a range of which most words are no addresses of blocks: those of a line are looked at together.
    fn scan_root(&mut self, range: Root) {
        let mut addr = range.lo.next_multiple_of(WORD);
        while addr < range.hi && range.hi - addr >= LINE {
            let words: [usize; LINE / WORD] =
                core::array::from_fn(|index| self.marking.space.read(addr + index * WORD));
            if words.iter().fold(false, |any, word| any | self.may_point(*word)) {
                self.scan(Root { lo: addr, hi: addr + LINE });
            }
            addr += LINE;
        }
        self.scan(Root { lo: addr, hi: range.hi });
    }

    #[inline(always)]
    fn may_point(&self, word: usize) -> bool {
        (word & self.address_bits).wrapping_sub(self.bounds_lo) < self.bounds_len
    }

    /// Follows `word` if it points to a block that has no mark.
    #[inline(always)]
    fn consider(&mut self, word: usize) {
        if self.may_point(word) {
            self.find(word);
        }
    }

    #[inline]
    fn find(&mut self, word: usize) {
        let Some(slot) = self.marking.space.slot_of(word & self.address_bits) else { return };
        self.marking.space.prefetch(self.marking.marks.addr_of(slot.id));
        if let Some((slot, word)) = self.found.rotate((slot, word)) {
            self.judge(slot, word);
        }
    }

    #[inline]
    fn judge(&mut self, slot: Slot, word: usize) {
        if self.marking.marks.is_marked(slot.id) {
            return;
        }
        if word == slot.base {
            self.mark(slot);
        } else {
            self.measure(slot, word);
        }
    }

    /// Puts `slot` in the queue of those whose size must be known before `word` can be believed.
    #[inline]
    fn measure(&mut self, slot: Slot, word: usize) {
        self.marking.space.prefetch_size(slot);
        if let Some((slot, word)) = self.measured.rotate((slot, word)) {
            self.believe(slot, word);
        }
    }

    #[inline]
    fn believe(&mut self, slot: Slot, word: usize) {
        let Some(size) = self.marking.space.live_size(slot) else { return };
        if self.marking.marks.is_marked(slot.id) {
            return;
        }
        let offset = (word & self.address_bits) - slot.base;
        let is_tagged = word & !self.address_bits != 0;
        if offset < size && !is_tagged {
            self.mark(slot);
        } else if if is_tagged { offset < size.max(1) } else { offset == size && self.marking.roots.ends } {
            self.marking.marks.set_hinted(slot.id);
            self.sighting.saw_hint = true;
        }
    }

    /// Marks `slot` and sees to it that somebody scans it.
    #[inline]
    fn mark(&mut self, slot: Slot) {
        let room = if self.is_dense { None } else { self.stack.get_mut(self.depth) };
        self.marking.marks.mark(slot.id, self.is_weak, room.is_some());
        if let Some(place) = room {
            *place = slot;
            self.depth += 1;
        } else {
            self.sighting.overflowed |= !self.is_dense;
            self.sighting.left_unscanned = true;
            self.is_dense = true;
        }
    }

    /// Scans the blocks on the stack and what they lead to, until nothing is left.
    fn follow(&mut self) {
        loop {
            if self.depth > 0 {
                if self.depth > KEEP && self.marking.pool.is_hungry() {
                    self.give();
                }
                self.depth -= 1;
                self.scan_soon(self.stack[self.depth]);
            } else if let Some(slot) = self.on_its_way.pull() {
                self.scan_block(slot);
            } else if let Some((slot, word)) = self.found.pull() {
                self.judge(slot, word);
            } else if let Some((slot, word)) = self.measured.pull() {
                self.believe(slot, word);
            } else {
                return;
            }
        }
    }

    fn give(&mut self) {
        let half = self.depth / 2;
        self.depth -= self.marking.pool.offer(&self.stack[half..self.depth]);
    }

    /// Asks for the memory of `slot` and scans the one whose turn it is.
    #[inline]
    fn scan_soon(&mut self, slot: Slot) {
        let space = self.marking.space;
        space.prefetch_size(slot);
        for line in 0..LINES_AHEAD {
            space.prefetch(slot.base + line * LINE);
        }
        if let Some(slot) = self.on_its_way.rotate(slot) {
            self.scan_block(slot);
        }
    }

    #[inline]
    fn scan_block(&mut self, slot: Slot) {
        let Some(size) = self.marking.space.live_size(slot) else { return };
        let range = Root { lo: slot.base, hi: slot.base + size };
        if size <= HUGE_BYTES || !self.marking.pool.offer_range(range) {
            self.scan(range);
        }
    }

    fn each_run(&mut self, from: usize, to: usize, visit: fn(&mut Self, Run)) {
        let space = self.marking.space;
        for run in (from..to).filter_map(|index| space.run(index)) {
            visit(self, run);
            if self.depth > self.stack.len() / 2 {
                self.follow();
            }
        }
    }

    /// Scans the blocks of `run` that are marked but not scanned.
    fn sweep(&mut self, run: Run) {
        for slot in (0..run.slots).map(|index| run.slot(index)) {
            if self.marking.marks.take_unscanned(slot.id) {
                self.sighting.swept += 1;
                self.scan_soon(slot);
            }
        }
    }

    /// Marks the blocks of `run` to which only hints lead.
    fn doubt_hinted(&mut self, run: Run) {
        for slot in (0..run.slots).map(|index| run.slot(index)) {
            if self.marking.marks.is_hinted(slot.id) {
                self.mark(slot);
            }
        }
    }

    /// Counts the live blocks of `run`, all of which is marked by now that ever will be.
    fn count(&mut self, run: Run) {
        let (space, marks) = (self.marking.space, self.marking.marks);
        let mut census = Census::default();
        for slot in (0..run.slots).map(|index| run.slot(index)) {
            let Some(size) = space.live_size(slot) else { continue };
            census.blocks += 1;
            census.bytes += size;
            if !marks.is_marked(slot.id) {
                marks.set_lost(slot.id);
                census.lost += 1;
            } else if marks.is_doubtful(slot.id) {
                census.doubtful += 1;
            }
        }
        self.sighting.census += census;
    }
}

/// The last `N` items: a new one pushes the oldest out.
struct Queue<T, const N: usize> {
    items: [T; N],
    oldest: usize,
    len: usize,
}

impl<T: Copy, const N: usize> Queue<T, N> {
    fn new(filler: T) -> Self {
        Self { items: [filler; N], oldest: 0, len: 0 }
    }

    /// Puts `item` in; gives the oldest if there is no room for both.
    #[inline]
    fn rotate(&mut self, item: T) -> Option<T> {
        if self.len < N {
            self.items[(self.oldest + self.len) % N] = item;
            self.len += 1;
            return None;
        }
        let oldest = core::mem::replace(&mut self.items[self.oldest % N], item);
        self.oldest = (self.oldest + 1) % N;
        Some(oldest)
    }

    /// Takes the oldest out.
    #[inline]
    fn pull(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        let oldest = self.items[self.oldest % N];
        self.oldest = (self.oldest + 1) % N;
        Some(oldest)
    }
}
