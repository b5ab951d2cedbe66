#![forbid(unsafe_code)]
//! What is known of each block: one byte, written by all markers without a locked instruction.
//!
//! ```text
//!   0 ──> HINTED ──> MARKED [DOUBTFUL] ──> MARKED [DOUBTFUL] SCANNED
//!   └────────│───────────^──────────────────────────^
//!            └─> LOST ───┘    when all is marked, the live blocks that are not; what excuses one marks it after all
//! ```
//!
//! A locked instruction waits for every load before it, and the loads are what marking waits for: with a bitmap and
//! `fetch_or` the whole of marking took twice the time. A byte can be stored plainly. A store that crosses another may
//! take a byte one step back, and each such step is harmless: losing SCANNED, or two markers that both believe to be
//! first, make a block be scanned twice. MARKED is never lost, because the only write that does not contain it, HINTED,
//! is a compare-exchange (and rare). DOUBTFUL is the same for all who write at a time: see the pages of the pool.
//!
//! Accesses are relaxed: a mark is no promise about other memory. What follows from it travels from marker to marker
//! through the pool, whose lock orders it.

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::space::BlockId;

const HINTED: u8 = 1;
const MARKED: u8 = 2;
const DOUBTFUL: u8 = 4;
const SCANNED: u8 = 8;
const LOST: u8 = 16;

/// The marks of all blocks.
#[derive(Clone, Copy)]
pub struct Marks<'a> {
    bytes: &'a [AtomicU8],
}

impl<'a> Marks<'a> {
    /// Takes a zeroed byte for each slot of the space.
    pub fn new(bytes: &'a [AtomicU8]) -> Self {
        Self { bytes }
    }

    /// Whether something reaches the block, strongly or doubtfully.
    #[inline]
    pub fn is_marked(&self, id: BlockId) -> bool {
        self.get(id) & MARKED != 0
    }

    /// Whether only weak roots and hints reach the block.
    #[inline]
    pub fn is_doubtful(&self, id: BlockId) -> bool {
        self.get(id) & DOUBTFUL != 0
    }

    /// Marks the block; its scan is certain when `scanned`, otherwise it is left to the sweep.
    #[inline]
    pub(super) fn mark(&self, id: BlockId, doubtful: bool, scanned: bool) {
        let bits = MARKED | if doubtful { DOUBTFUL } else { 0 } | if scanned { SCANNED } else { 0 };
        self.bytes[id as usize].store(bits, Relaxed);
    }

    /// Whether the block was found live and unmarked when all was marked, and has not been marked since.
    #[inline]
    pub fn is_lost(&self, id: BlockId) -> bool {
        self.get(id) == LOST
    }

    /// Notes that the block is live and that nothing reaches it.
    #[inline]
    pub(super) fn set_lost(&self, id: BlockId) {
        self.bytes[id as usize].store(LOST, Relaxed);
    }

    /// Remembers a hint, unless the block is marked.
    pub(super) fn set_hinted(&self, id: BlockId) {
        _ = self.bytes[id as usize].compare_exchange(0, HINTED, Relaxed, Relaxed);
    }

    /// Whether a hint was remembered and nothing has marked the block since.
    pub(super) fn is_hinted(&self, id: BlockId) -> bool {
        self.get(id) == HINTED
    }

    /// Takes over the scan of a block that is marked and not scanned; false when there is nothing to take over.
    #[inline]
    pub(super) fn take_unscanned(&self, id: BlockId) -> bool {
        let byte = self.get(id);
        let unscanned = byte & (MARKED | SCANNED) == MARKED;
        if unscanned {
            self.bytes[id as usize].store(byte | SCANNED, Relaxed);
        }
        unscanned
    }

    /// The address of the byte, for a prefetch.
    #[inline]
    pub(super) fn addr_of(&self, id: BlockId) -> usize {
        core::ptr::from_ref(&self.bytes[id as usize]).addr()
    }

    #[inline]
    fn get(&self, id: BlockId) -> u8 {
        self.bytes[id as usize].load(Relaxed)
    }
}
