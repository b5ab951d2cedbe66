#![forbid(unsafe_code)]
//! One bit a block, shared by the markers.
//!
//! Every access is relaxed: a bit is a claim on a block, never a promise about other memory. What follows from a claim
//! travels from marker to marker through the pool, whose lock orders it.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::space::{BlockId, Run};

/// The number of words that a bitmap of `slots` bits has.
pub const fn words_for(slots: usize) -> usize {
    slots.div_ceil(64)
}

/// A bitmap over all slots.
#[derive(Clone, Copy)]
pub struct Bits<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Bits<'a> {
    /// Takes `words`, of which there are at least [`words_for`] the slots of the space.
    pub fn new(words: &'a [AtomicU64]) -> Self {
        Self { words }
    }

    /// Whether the bit of `id` is set.
    #[inline]
    pub fn has(&self, id: BlockId) -> bool {
        self.word(id as usize / 64) & bit(id) != 0
    }

    /// Sets the bit of `id`; true when it was this call that did.
    #[inline]
    pub fn set(&self, id: BlockId) -> bool {
        self.words[id as usize / 64].fetch_or(bit(id), Relaxed) & bit(id) == 0
    }

    /// The address of the memory that holds the bit of `id`, for a prefetch.
    #[inline]
    pub(super) fn addr_of(&self, id: BlockId) -> usize {
        core::ptr::from_ref(&self.words[id as usize / 64]).addr()
    }

    /// The bits of the word at `index`.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        self.words[index].load(Relaxed)
    }

    /// Sets `bits` in the word at `index`.
    #[inline]
    pub fn set_word(&self, index: usize, bits: u64) {
        self.words[index].fetch_or(bits, Relaxed);
    }

    /// Clears `bits` in the word at `index`.
    #[inline]
    pub fn clear_word(&self, index: usize, bits: u64) {
        self.words[index].fetch_and(!bits, Relaxed);
    }
}

#[inline]
fn bit(id: BlockId) -> u64 {
    1 << (id % 64)
}

/// The bitmap words in which `run` has bits, each with the mask of those bits.
pub(super) fn words_of(run: &Run) -> impl Iterator<Item = (usize, u64)> + use<> {
    let (first, end) = (run.first.id as usize, run.first.id as usize + run.slots);
    (first / 64..end.div_ceil(64)).map(move |index| {
        let low = first.saturating_sub(index * 64);
        let high = (end - index * 64).min(64);
        (index, (!0u64 << low) & (!0u64 >> (64 - high)))
    })
}
