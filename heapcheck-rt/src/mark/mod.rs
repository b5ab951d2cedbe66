#![forbid(unsafe_code)]
//! Marks every block that the roots reach.
//!
//! A word is a strong pointer to a live block when it lies inside it at any offset (a block of size 0 counts as one
//! byte). A word that is exactly the end of a block holds it only weakly, and so does one that would be a pointer but for
//! its topmost 16 bits: see *strength* below.
//!
//! ## Following and sweeping
//!
//! Marking is bound by memory: a load that misses every cache costs 150 to 300 ns, the same load asked for in time 15.
//! So a word is first held against the bounds and the table behind [`Space::slot_of`], which fit the second-level
//! cache, then against the mark of its block, and only a block that was unmarked until now is touched at all; before
//! each of these steps a pointer rests in a short queue while the memory it needs is on its way.
//!
//! - *Following* keeps found blocks on a stack and scans the newest first. It is right while few blocks wait.
//! - *Sweeping* begins when a stack overflows. A found block then gets its mark and nothing else, and all markers walk
//!   the heap in order of addresses and scan what is marked but not scanned, until a walk finds nothing. Memory is read
//!   forward, which halves the time of a large heap, and there is nothing that could overflow. When a walk meets few
//!   blocks, following takes over again.
//!
//! The stack of the caller bounds the memory; whatever its size, no block is lost.
//!
//! ## Strength
//!
//! The strong roots come first. Then come the weak roots, and the blocks to which only *hints* lead: end pointers, and
//! pointers with a tag where addresses of programs have zeros (a counter against ABA beside the pointer, a boxed NaN).
//! What they reach in addition is marked too, and *doubtful*. A tag is no more than a hint because any word may look like
//! one: where a number of 64 random bits is never an address, 48 of them sometimes are.
//!
//! A mark on a slot that has no live block means nothing: a pointer to the first byte of a slot is believed without
//! asking whether the slot is live, because that answer lies in memory of its own.
//!
//! ## The census
//!
//! When all is marked, the markers may walk over the facts of all blocks once more and count: what lives, what is lost,
//! what is doubtful. Whoever wants to see the lost blocks need not walk when there are none.

mod marks;
mod pool;
mod marker;
#[cfg(test)]
mod tests;

pub use marks::Marks;
pub use pool::Census;

use crate::space::{Slot, Space};
use marker::Marker;
use pool::Pool;

/// Roots and huge blocks are handed out in pieces of this many bytes.
const ROOT_PIECE_BYTES: usize = 64 << 10;
/// A block above this size is offered to all markers.
const HUGE_BYTES: usize = 4 * ROOT_PIECE_BYTES;
/// A walk over the heap is handed out in pieces of this many runs.
const RUNS_PIECE: usize = 16;

/// The bits of an address: a program on x86-64 has 47 of them, and whoever hides something in a pointer does it above 48.
const ADDRESS_BITS: usize = (1 << 48) - 1;

/// Memory assumed alive, from `lo` up to `hi`. Only its aligned words count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its first byte.
    pub lo: usize,
    /// The byte after its last.
    pub hi: usize,
}

/// Where marking begins.
#[derive(Clone, Copy)]
pub struct Roots<'a> {
    /// Loose words, such as registers. They are strong.
    pub words: &'a [usize],
    /// What is alive for certain.
    pub strong: &'a [Root],
    /// What may be alive; a block that only these reach is doubtful.
    pub weak: &'a [Root],
    /// Whether a pointer to the end of a block counts as a weak root of it.
    pub ends: bool,
    /// Whether a pointer with something else in its topmost 16 bits counts as a weak root of its block.
    pub tags: bool,
}

/// One marking of a whole heap, done by all who call [`Marking::run`].
pub struct Marking<'a, S> {
    space: &'a S,
    roots: Roots<'a>,
    marks: Marks<'a>,
    pool: Pool<'a>,
}

impl<'a, S: Space> Marking<'a, S> {
    /// Prepares the marking of `space` from `roots` into `marks`. A marker that has to wait spins and calls `yield_now`.
    pub fn new(space: &'a S, roots: Roots<'a>, marks: Marks<'a>, yield_now: fn()) -> Self {
        let pool = Pool::new(roots, space.runs(), space.slots(), yield_now);
        Self { space, roots, marks, pool }
    }

    /// The same marking with a census at its end.
    pub fn counting(mut self) -> Self {
        self.pool.count_at_the_end();
        self
    }

    /// What was counted, when all who called [`Marking::run`] have returned.
    pub fn census(&self) -> Census {
        self.pool.census()
    }

    /// Marks until everything is marked. Any number of threads may call this at the same time, each with a stack of
    /// its own; it returns to all of them when the work is done.
    pub fn run(&self, stack: &mut [Slot]) {
        Marker::new(self, stack).run();
    }
}
