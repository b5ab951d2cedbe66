#![expect(unsafe_code, reason = "reads traces at addresses of its own")]
//! The depot: every distinct trace once, by number.
//!
//! A trace is found by a 64-bit hash that the capture keeps as it goes; equal hashes count as equal traces (a million
//! traces collide with a chance of three in a hundred million). Numbers are given in order, so that a trace says which
//! modules existed when it was taken. Trace 0 is the empty one.
//!
//! # Safety
//! An entry of the directory is the hash of a trace and the address of its words in the arena. It is written before the
//! number is published, and never changes. The address of an outer part is that of words which were written before.
//!
//! ```text
//!   | length, flags | where the outer part lies, if there is one | run: high part, count | low part | .. | run: .. |
//! ```
//!
//! Program counters come innermost first. Those that follow one another mostly lie in one module, and so have their high
//! part in common. What lies outside of a multiple of some frames, counted from the outermost one, is stored once for all
//! traces that have it: many traces are the same stack with other inner frames. A million of them take a third of what
//! each by itself would take, and fresh memory is what costs most of storing them.

use crate::arena::Arena;
use crate::index::Index;
use crate::limits::{DEPTH_MAX, OUTER_FRAMES};
use crate::lock::{HeldLightly, Lock};
use crate::space::OutOfMemory;
use crate::table::Table;
use core::ops::Deref;
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Traces in one piece of the directory, and pieces: together as many as a `TraceId` can name.
const PIECE: usize = 1 << 16;
const PIECES: usize = 1 << 16;
/// Bytes taken from the arena at once for program counters.
const CHUNK: usize = 1 << 20;
const CUT: u32 = 1 << 31;
/// Two words follow: the address of the words of the outer part.
const OUTER: u32 = 1 << 30;
/// A run's head: its high part above, below how many program counters it has.
const RUN_SHIFT: u32 = 16;

/// A trace, as it was captured.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) pcs: Pcs,
    /// Whether outer frames are missing.
    pub(crate) cut: bool,
}

/// Return addresses, innermost first.
#[derive(Debug)]
pub(crate) struct Pcs {
    words: [usize; DEPTH_MAX],
    len: usize,
}

impl Deref for Pcs {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.words[..self.len]
    }
}

/// An entry of the directory.
#[repr(C)]
struct Entry {
    hash: AtomicU64,
    words: AtomicUsize,
}

/// The frames of a trace, innermost first, on their way into the depot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frames<P, O> {
    /// So many.
    pub(crate) len: usize,
    /// Whether outer frames are missing.
    pub(crate) cut: bool,
    /// Their program counters.
    pub(crate) pcs: P,
    /// The hash of the outer so many frames. Not asked for when outer frames are missing.
    pub(crate) outer_hash: O,
}

/// The depot.
#[derive(Debug)]
pub(crate) struct Depot {
    arena: &'static Arena,
    index: Index,
    /// From the hash of an outer part to its words.
    outer_parts: Table,
    /// Held lightly: to let signals wait takes longer than to store a trace.
    pub(crate) lock: Lock,
    count: AtomicUsize,
    next: AtomicUsize,
    left: AtomicUsize,
    pieces: [AtomicUsize; PIECES],
}

/// The depot as a capture sees it: whether new traces are stored is known beforehand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traces<'a, const STORES: bool>(&'a Depot);

impl<const STORES: bool> Traces<'_, STORES> {
    /// The number of the trace with this hash, when it was stored before.
    #[inline(always)]
    pub(crate) fn find(self, hash: u64) -> Option<u32> {
        self.0.find(hash)
    }

    /// The number of the trace with this hash, which is not zero; stores the frames when they are new. Returns 0 when they
    /// are and nothing may be stored, or when there is no memory left for traces.
    #[inline(always)]
    pub(crate) fn intern(
        self,
        hash: u64,
        frames: Frames<impl Iterator<Item = usize> + Clone, impl Fn(usize) -> u64>,
    ) -> u32 {
        match self.find(hash) {
            Some(id) => id,
            None if STORES => self.0.store(hash, frames),
            None => 0,
        }
    }

    /// The number of the trace that is one program counter.
    pub(crate) fn intern_one(self, pc: usize) -> u32 {
        let frames = Frames { len: 1, cut: true, pcs: core::iter::once(pc), outer_hash: |_| 0 };
        self.intern((pc as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, frames)
    }
}

impl Depot {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self {
            arena,
            index: Index::on(arena),
            outer_parts: Table::on(arena),
            lock: Lock::new(),
            count: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            pieces: [const { AtomicUsize::new(0) }; PIECES],
        }
    }

    /// The traces that are there.
    #[inline(always)]
    pub(crate) fn to_find(&self) -> Traces<'_, false> {
        Traces(self)
    }

    /// The same, to which others may be added, by a thread whose signal handlers wait for no lock meanwhile.
    #[inline(always)]
    pub(crate) fn to_store(&self) -> Traces<'_, true> {
        Traces(self)
    }

    /// The number of the trace with this hash, when it was stored before.
    #[inline(always)]
    fn find(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |id| self.entry(id).hash.load(Relaxed) == hash)
    }

    /// The entry of a number that was published.
    #[inline(always)]
    fn entry(&self, id: u32) -> &Entry {
        let piece = self.pieces[id as usize / PIECE].load(Relaxed);
        // SAFETY: numbers are published after the piece that has their entry.
        unsafe { &*(piece as *const Entry).add(id as usize % PIECE) }
    }

    #[cold]
    #[inline(never)]
    fn store(
        &self,
        hash: u64,
        frames: Frames<impl Iterator<Item = usize> + Clone, impl Fn(usize) -> u64>,
    ) -> u32 {
        let held = self.lock.hold_lightly();
        match self.find(hash) {
            Some(id) => id,
            None => self.append(&held, hash, frames).unwrap_or(0),
        }
    }

    fn append(
        &self,
        held: &HeldLightly<'_>,
        hash: u64,
        frames: Frames<impl Iterator<Item = usize> + Clone, impl Fn(usize) -> u64>,
    ) -> Result<u32, OutOfMemory> {
        let id = self.count.load(Relaxed) + 1;
        let piece = self.pieces.get(id / PIECE).ok_or(OutOfMemory)?;
        if piece.load(Relaxed) == 0 {
            piece.store(self.arena.take(PIECE * size_of::<Entry>())?, Release);
        }
        let outside = if frames.cut { 0 } else { frames.len.saturating_sub(1) / OUTER_FRAMES * OUTER_FRAMES };
        let outer = self.outer_part(held, outside, &frames)?;
        let inside = frames.len - outside;
        let words = self.append_words(inside, frames.cut, outer, frames.pcs.take(inside))?;
        let entry = self.entry(id as u32);
        entry.hash.store(hash, Relaxed);
        entry.words.store(words, Relaxed);
        self.count.store(id, Release);
        self.index.insert(id as u32, |id| self.entry(id).hash.load(Relaxed))?;
        Ok(id as u32)
    }

    /// The words of the outer `wanted` frames, a multiple of those of a part; 0 when they are none.
    fn outer_part(
        &self,
        held: &HeldLightly<'_>,
        wanted: usize,
        frames: &Frames<impl Iterator<Item = usize> + Clone, impl Fn(usize) -> u64>,
    ) -> Result<usize, OutOfMemory> {
        let key = |count: usize| (frames.outer_hash)(count) | 1;
        let (mut count, mut words) = (wanted, 0);
        while count > 0 {
            if let Some(found) = self.outer_parts.find(key(count)) {
                words = found as usize;
                break;
            }
            count -= OUTER_FRAMES;
        }
        while count < wanted {
            count += OUTER_FRAMES;
            let pcs = frames.pcs.clone().skip(frames.len - count).take(OUTER_FRAMES);
            words = self.append_words(OUTER_FRAMES, false, words, pcs)?;
            self.outer_parts.insert(held, key(count), words as u64)?;
        }
        Ok(words)
    }

    fn append_words(
        &self,
        len: usize,
        cut: bool,
        outer: usize,
        pcs: impl Iterator<Item = usize>,
    ) -> Result<usize, OutOfMemory> {
        // At most this; each program counter alone in a run.
        let bytes = (2 * len + 3) * size_of::<u32>();
        if self.left.load(Relaxed) < bytes {
            self.next.store(self.arena.take(CHUNK)?, Relaxed);
            self.left.store(CHUNK, Relaxed);
        }
        let address = self.next.load(Relaxed);
        // SAFETY: there is room for `bytes` from `address` on, which is more than is written.
        let used = unsafe { write(address as *mut u32, len, cut, outer, pcs) } * size_of::<u32>();
        self.next.store(address + used, Relaxed);
        self.left.store(self.left.load(Relaxed) - used, Relaxed);
        Ok(address)
    }

    /// The trace with this number; the empty one when there is none.
    pub(crate) fn trace(&self, id: u32) -> Trace {
        let mut pcs = Pcs { words: [0; DEPTH_MAX], len: 0 };
        let cut = self.each_pc(id, |pc| {
            if let Some(word) = pcs.words.get_mut(pcs.len) {
                *word = pc;
                pcs.len += 1;
            }
        });
        Trace { pcs, cut }
    }

    /// The innermost program counter of a trace.
    pub(crate) fn innermost(&self, id: u32) -> Option<usize> {
        let mut first = None;
        self.each_pc(id, |pc| {
            first.get_or_insert(pc);
        });
        first
    }

    /// Calls `visit` with the program counters of a trace, and answers whether outer ones are missing.
    #[inline(always)]
    fn each_pc(&self, id: u32, mut visit: impl FnMut(usize)) -> bool {
        if id == 0 || id as usize > self.count.load(Acquire) {
            return false;
        }
        let mut words = Words(self.entry(id).words.load(Relaxed));
        let first = words.next();
        let mut head = first;
        loop {
            let outer =
                if head & OUTER == 0 { 0 } else { words.next() as usize | (words.next() as usize) << 32 };
            let mut left = head & !(CUT | OUTER);
            while left > 0 {
                let run = words.next();
                let high = (run as usize >> RUN_SHIFT) << 32;
                let count = run & ((1 << RUN_SHIFT) - 1);
                (0..count).for_each(|_| visit(high | words.next() as usize));
                left -= count;
            }
            if outer == 0 {
                return first & CUT != 0;
            }
            words = Words(outer);
            head = words.next();
        }
    }

    /// The number of distinct traces.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }
}

/// Reads the words of a trace that was published.
struct Words(usize);

impl Words {
    #[inline(always)]
    fn next(&mut self) -> u32 {
        // SAFETY: the reader asks for as many words as `write` wrote, which came before the number.
        let word = unsafe { (self.0 as *const u32).read() };
        self.0 += size_of::<u32>();
        word
    }
}

/// Writes the words of a trace, and answers how many there are. Program counters of user code fit 48 bits.
///
/// # Safety
/// There is room for three words, and two more for each program counter.
unsafe fn write(
    words: *mut u32,
    len: usize,
    cut: bool,
    outer: usize,
    pcs: impl Iterator<Item = usize>,
) -> usize {
    let (mut used, mut head, mut run) = (1, 0, 0);
    // SAFETY: as the caller promises.
    unsafe {
        words.write(len as u32 | if cut { CUT } else { 0 } | if outer != 0 { OUTER } else { 0 });
        if outer != 0 {
            words.add(1).write(outer as u32);
            words.add(2).write((outer >> 32) as u32);
            used = 3;
        }
        for pc in pcs {
            let high = ((pc >> 32) as u32) << RUN_SHIFT;
            if head == 0 || run >> RUN_SHIFT << RUN_SHIFT != high {
                (head, run) = (used, high);
                used += 1;
            }
            run += 1;
            words.add(head).write(run);
            words.add(used).write(pc as u32);
            used += 1;
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::arena;

    /// A trace of its own for each number.
    fn pcs(number: usize) -> Vec<usize> {
        let high = |frame: usize| [0, 0x5555, 0x7fff][(number + frame / 5) % 3] << 32;
        (0..number % (DEPTH_MAX + 1)).map(|frame| high(frame) | (number * 1000 + frame)).collect()
    }

    fn hash(number: usize) -> u64 {
        (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1
    }

    fn frames(
        pcs: &[usize],
        cut: bool,
    ) -> Frames<impl Iterator<Item = usize> + Clone + '_, impl Fn(usize) -> u64 + '_> {
        let outer_hash = |count: usize| {
            let outer = pcs[pcs.len() - count..].iter().rev();
            outer.fold(7, |hash, pc| (hash ^ *pc as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29))
        };
        Frames { len: pcs.len(), cut, pcs: pcs.iter().copied(), outer_hash }
    }

    #[test]
    fn a_hundred_thousand_traces_come_back_as_they_went() {
        const COUNT: usize = 100_000;
        arena!(ARENA);
        static DEPOT: Depot = Depot::on(&ARENA);
        for number in 0..COUNT {
            let id = DEPOT.to_store().intern(hash(number), frames(&pcs(number), number % 3 == 0));
            assert_eq!(id as usize, number + 1, "numbers are given in order");
        }
        for number in 0..COUNT {
            let trace = DEPOT.trace(number as u32 + 1);
            assert_eq!((&trace.pcs[..], trace.cut), (&pcs(number)[..], number % 3 == 0));
            assert_eq!(DEPOT.innermost(number as u32 + 1), pcs(number).first().copied());
            assert_eq!(DEPOT.to_store().intern(hash(number), frames(&[], false)) as usize, number + 1);
        }
        assert_eq!(DEPOT.count(), COUNT);
        for nobody in [0, COUNT as u32 + 1, u32::MAX] {
            assert!(DEPOT.trace(nobody).pcs.is_empty());
        }
    }

    #[test]
    fn what_traces_have_in_common_at_their_outer_ends_is_stored_once() {
        const COUNT: usize = 1_000;
        arena!(ARENA);
        static DEPOT: Depot = Depot::on(&ARENA);
        let pcs = |number: usize| -> Vec<usize> {
            let inner = number % OUTER_FRAMES;
            let own = (0..inner).map(|frame| 0x5555_0000_0000 + 1000 * number + frame);
            own.chain((0..DEPTH_MAX - OUTER_FRAMES).map(|frame| 0x7fff_0000_0000 + frame)).collect()
        };
        DEPOT.to_store().intern(hash(COUNT), frames(&pcs(0), false));
        let before = DEPOT.left.load(Relaxed);
        let longest = (3 + 1 + 1 + OUTER_FRAMES) * size_of::<u32>();
        for number in 0..COUNT {
            DEPOT.to_store().intern(hash(number), frames(&pcs(number), false));
        }
        assert!(before - DEPOT.left.load(Relaxed) <= COUNT * longest);
        for number in 0..COUNT {
            let trace = DEPOT.trace(number as u32 + 2);
            assert_eq!((&trace.pcs[..], trace.cut), (&pcs(number)[..], false));
        }
    }

    #[test]
    fn threads_that_store_the_same_traces_get_the_same_numbers() {
        const COUNT: usize = 5_000;
        arena!(ARENA);
        static DEPOT: Depot = Depot::on(&ARENA);
        let store = || -> Vec<u32> {
            (0..COUNT)
                .map(|number| DEPOT.to_store().intern(hash(number), frames(&pcs(number), false)))
                .collect()
        };
        let numbers: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(store)).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker")).collect()
        });
        assert!(numbers.iter().all(|other| *other == numbers[0]));
        assert_eq!(DEPOT.count(), COUNT);
        for (number, id) in numbers[0].iter().enumerate() {
            assert_eq!(&DEPOT.trace(*id).pcs[..], pcs(number));
        }
    }
}
