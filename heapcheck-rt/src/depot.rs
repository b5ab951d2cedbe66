#![expect(unsafe_code, reason = "reads traces at addresses of its own")]
//! The depot: every distinct trace once, by number.
//!
//! A trace is found by a 64-bit hash that the capture keeps as it goes; equal hashes count as equal traces (a million
//! traces collide with a chance of three in a hundred million). Numbers are given in order, so that a trace says which
//! modules existed when it was taken. Trace 0 is the empty one.
//!
//! # Safety
//! A directory entry is the address of a trace's words in the arena. It is written before the number is published, and
//! never changes.
//!
//! ```text
//!   | length, flag | run: high part, count | low part | low part | .. | run: .. |     words of 32 bits
//! ```
//!
//! Program counters come innermost first. Those that follow one another mostly lie in one module, and so have their high
//! part in common: a trace takes little more than half of what whole words would, and a million of them as much less
//! fresh memory, which is what costs most of storing them.

use crate::arena::Arena;
use crate::limits::DEPTH_MAX;
use crate::lock::Lock;
use crate::space::OutOfMemory;
use crate::table::Table;
use core::ops::Deref;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Traces in one piece of the directory, and pieces: together as many as a `TraceId` can name.
const PIECE: usize = 1 << 16;
const PIECES: usize = 1 << 16;
/// Bytes taken from the arena at once for program counters.
const CHUNK: usize = 1 << 20;
const CUT: u32 = 1 << 31;
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
        // At most this; each program counter alone in a run.
        let bytes = (2 * pcs.len() + 1) * size_of::<u32>();
        if self.left.load(Relaxed) < bytes {
            self.next.store(self.arena.take(CHUNK)?, Relaxed);
            self.left.store(CHUNK, Relaxed);
        }
        let address = self.next.load(Relaxed);
        // SAFETY: there is room for `bytes` from `address` on, which is more than is written; the directory piece has room
        // for every number in it.
        let used = unsafe {
            let used = write(address as *mut u32, cut, pcs) * size_of::<u32>();
            let entry = &*(piece.load(Relaxed) as *const AtomicUsize).add(id % PIECE);
            entry.store(address, Release);
            used
        };
        self.next.store(address + used, Relaxed);
        self.left.store(self.left.load(Relaxed) - used, Relaxed);
        self.count.store(id, Release);
        Ok(id as u64)
    }

    /// The number of the trace that is one program counter.
    pub(crate) fn intern_one(&self, pc: usize) -> u32 {
        self.intern((pc as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, true, core::iter::once(pc))
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
        let id = id as usize;
        if id == 0 || id > self.count.load(Acquire) {
            return false;
        }
        let piece = self.pieces[id / PIECE].load(Acquire);
        // SAFETY: numbers up to `count` were published after their entry and their words, which `write` wrote.
        unsafe {
            let mut words = (*(piece as *const AtomicUsize).add(id % PIECE)).load(Acquire) as *const u32;
            let mut next = || {
                let word = words.read();
                words = words.add(1);
                word
            };
            let head = next();
            let mut left = head & !CUT;
            while left > 0 {
                let run = next();
                let high = (run as usize >> RUN_SHIFT) << 32;
                let count = run & ((1 << RUN_SHIFT) - 1);
                (0..count).for_each(|_| visit(high | next() as usize));
                left -= count;
            }
            head & CUT != 0
        }
    }

    /// The number of distinct traces.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }
}

/// Writes the words of a trace, and answers how many there are. Program counters of user code fit 48 bits.
///
/// # Safety
/// There is room for one word, and two more for each program counter.
unsafe fn write(words: *mut u32, cut: bool, pcs: impl ExactSizeIterator<Item = usize>) -> usize {
    let len = pcs.len();
    let (mut used, mut head, mut run) = (1, 0, 0);
    // SAFETY: as the caller promises.
    unsafe {
        words.write(len as u32 | if cut { CUT } else { 0 });
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
            assert_eq!((&trace.pcs[..], trace.cut), (&pcs(number)[..], number % 3 == 0));
            assert_eq!(DEPOT.innermost(number as u32 + 1), pcs(number).first().copied());
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
            assert_eq!(&DEPOT.trace(*id).pcs[..], pcs(number));
        }
    }
}
