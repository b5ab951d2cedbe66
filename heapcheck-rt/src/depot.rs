#![expect(unsafe_code, reason = "reads traces at addresses of its own")]
//! The depot: every distinct trace once, by number.
//!
//! A trace is found by a 64-bit hash that the capture keeps as it goes; equal hashes count as equal traces (a million
//! traces collide with a chance of three in a hundred million). Numbers are given in order, so that a trace says which
//! modules existed when it was taken. Trace 0 is the empty one.
//!
//! # Safety
//! A directory entry is the address of a trace's words in the arena: first the length and a flag, then the program
//! counters, innermost first. It is written before the number is published, and never changes.

use crate::arena::Arena;
use crate::lock::Lock;
use crate::space::OutOfMemory;
use crate::table::Table;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Traces in one piece of the directory, and pieces: together as many as a `TraceId` can name.
const PIECE: usize = 1 << 16;
const PIECES: usize = 1 << 16;
/// Bytes taken from the arena at once for program counters.
const CHUNK: usize = 1 << 20;
const CUT: usize = 1 << 32;

/// A trace, as it was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace {
    /// Return addresses, innermost first.
    pub(crate) pcs: &'static [usize],
    /// Whether outer frames are missing.
    pub(crate) cut: bool,
}

/// The depot.
#[derive(Debug)]
pub(crate) struct Depot {
    arena: &'static Arena,
    pub(crate) table: Table,
    pub(crate) lock: Lock,
    count: AtomicUsize,
    next: AtomicUsize,
    left: AtomicUsize,
    pieces: [AtomicUsize; PIECES],
}

impl Depot {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self {
            arena,
            table: Table::on(arena),
            lock: Lock::new(),
            count: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            pieces: [const { AtomicUsize::new(0) }; PIECES],
        }
    }

    /// The number of the trace with this hash, which is not zero; stores the frames when they are new. `pcs` come
    /// innermost first. Returns 0 when there is no memory left for traces.
    #[inline(always)]
    pub(crate) fn intern(&self, hash: u64, cut: bool, pcs: impl ExactSizeIterator<Item = usize>) -> u32 {
        match self.table.find(hash) {
            Some(id) => id as u32,
            None => self.store(hash, cut, pcs),
        }
    }

    /// The number of the trace with this hash, when it was stored before.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64) -> Option<u32> {
        self.table.find(hash).map(|id| id as u32)
    }

    #[cold]
    #[inline(never)]
    fn store(&self, hash: u64, cut: bool, pcs: impl ExactSizeIterator<Item = usize>) -> u32 {
        self.table.find_or_insert(hash, || self.append(cut, pcs)).unwrap_or(0) as u32
    }

    fn append(&self, cut: bool, pcs: impl ExactSizeIterator<Item = usize>) -> Result<u64, OutOfMemory> {
        let _held = self.lock.hold();
        let id = self.count.load(Relaxed) + 1;
        let piece = self.pieces.get(id / PIECE).ok_or(OutOfMemory)?;
        if piece.load(Relaxed) == 0 {
            piece.store(self.arena.take(PIECE * size_of::<usize>())?, Release);
        }
        let bytes = (pcs.len() + 1) * size_of::<usize>();
        if self.left.load(Relaxed) < bytes {
            self.next.store(self.arena.take(CHUNK)?, Relaxed);
            self.left.store(CHUNK, Relaxed);
        }
        let address = self.next.fetch_add(bytes, Relaxed);
        self.left.fetch_sub(bytes, Relaxed);
        let words = address as *mut usize;
        // SAFETY: `bytes` from `address` on were just taken; the directory piece has room for every number in it.
        unsafe {
            words.write(pcs.len() | if cut { CUT } else { 0 });
            for (index, pc) in pcs.enumerate() {
                words.add(index + 1).write(pc);
            }
            let entry = &*(piece.load(Relaxed) as *const AtomicUsize).add(id % PIECE);
            entry.store(address, Release);
        }
        self.count.store(id, Release);
        Ok(id as u64)
    }

    /// The number of the trace that is one program counter.
    pub(crate) fn intern_one(&self, pc: usize) -> u32 {
        self.intern((pc as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, true, core::iter::once(pc))
    }

    /// The trace with this number; the empty one when there is none.
    pub(crate) fn trace(&self, id: u32) -> Trace {
        let id = id as usize;
        let nothing = Trace { pcs: &[], cut: false };
        if id == 0 || id > self.count.load(Acquire) {
            return nothing;
        }
        let piece = self.pieces[id / PIECE].load(Acquire);
        // SAFETY: numbers up to `count` were published after their entry and their words.
        unsafe {
            let address = (*(piece as *const AtomicUsize).add(id % PIECE)).load(Acquire);
            let words = address as *const usize;
            let head = words.read();
            Trace { pcs: core::slice::from_raw_parts(words.add(1), head & (CUT - 1)), cut: head & CUT != 0 }
        }
    }

    /// The number of distinct traces.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::arena;

    /// A trace of its own for each number.
    fn pcs(number: usize) -> Vec<usize> {
        (0..number % 130).map(|frame| number * 1000 + frame).collect()
    }

    fn hash(number: usize) -> u64 {
        (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1
    }

    #[test]
    fn a_hundred_thousand_traces_come_back_as_they_went() {
        const COUNT: usize = 100_000;
        arena!(ARENA);
        static DEPOT: Depot = Depot::on(&ARENA);
        for number in 0..COUNT {
            let id = DEPOT.intern(hash(number), number % 3 == 0, pcs(number).into_iter());
            assert_eq!(id as usize, number + 1, "numbers are given in order");
        }
        for number in 0..COUNT {
            let trace = DEPOT.trace(number as u32 + 1);
            assert_eq!((trace.pcs, trace.cut), (&pcs(number)[..], number % 3 == 0));
            assert_eq!(DEPOT.intern(hash(number), false, [].into_iter()) as usize, number + 1);
        }
        assert_eq!(DEPOT.count(), COUNT);
        for nobody in [0, COUNT as u32 + 1, u32::MAX] {
            assert!(DEPOT.trace(nobody).pcs.is_empty());
        }
    }

    #[test]
    fn threads_that_store_the_same_traces_get_the_same_numbers() {
        const COUNT: usize = 5_000;
        arena!(ARENA);
        static DEPOT: Depot = Depot::on(&ARENA);
        let store = || -> Vec<u32> {
            (0..COUNT).map(|number| DEPOT.intern(hash(number), false, pcs(number).into_iter())).collect()
        };
        let numbers: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(store)).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker")).collect()
        });
        assert!(numbers.iter().all(|other| *other == numbers[0]));
        assert_eq!(DEPOT.count(), COUNT);
        for (number, id) in numbers[0].iter().enumerate() {
            assert_eq!(DEPOT.trace(*id).pcs, pcs(number));
        }
    }
}
