#![forbid(unsafe_code)]
//! Which blocks of a span nobody has: one bit a block, beside the metadata of the span.
//!
//! ```text
//!   word 0: which of the words behind it are not zero | word 1: blocks 0..63 | word 2: blocks 64..127 | ...
//! ```
//!
//! Freeing a block therefore touches neither the block nor its neighbours, and what is handed out again comes in order
//! of addresses, however it was freed: the metadata and the memory of blocks that are used together lie together.
//! Whoever reads or writes a map holds the lock of its class's shelf, so plain loads and stores do.

use crate::classes::{CLASSES, blocks_of_span};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Words of a map, by class.
pub(crate) const MAP_WORDS: [u8; CLASSES] = {
    let mut words = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        let needed = 1 + blocks_of_span(class).div_ceil(64);
        // The first word has a bit for each of the others.
        assert!(needed <= 65);
        words[class] = needed as u8;
        class += 1;
    }
    words
};

/// The map of a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpareMap<'a>(pub(crate) &'a [AtomicU64]);

impl SpareMap<'_> {
    /// Notes that nobody has these blocks any more: those of `bits`, counted from block `first` of the span.
    #[inline(always)]
    pub(crate) fn put(&self, first: u32, bits: u64) {
        let place = first / 64;
        let word = &self.0[place as usize + 1];
        let before = word.load(Relaxed);
        debug_assert!(before & bits == 0, "blocks of {bits:x} behind {first} are spare already");
        word.store(before | bits, Relaxed);
        if before == 0 {
            self.0[0].store(self.0[0].load(Relaxed) | 1 << place, Relaxed);
        }
    }

    /// Takes up to `wanted` blocks out, lowest first, shows each to `visit`, and answers how many there were.
    #[inline(always)]
    pub(crate) fn take(&self, wanted: u32, mut visit: impl FnMut(u32)) -> u32 {
        let mut taken = 0;
        let mut filled = self.0[0].load(Relaxed);
        while filled != 0 && taken < wanted {
            let place = filled.trailing_zeros();
            let word = &self.0[place as usize + 1];
            let mut bits = word.load(Relaxed);
            while bits != 0 && taken < wanted {
                visit(place * 64 + bits.trailing_zeros());
                bits &= bits - 1;
                taken += 1;
            }
            word.store(bits, Relaxed);
            if bits == 0 {
                filled &= filled - 1;
            }
        }
        self.0[0].store(filled, Relaxed);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_map_holds_what_a_set_holds_and_gives_the_lowest_first() {
        for class in [0, 2, 30, 63, 64, CLASSES - 1] {
            let words: Vec<AtomicU64> = (0..MAP_WORDS[class]).map(|_| AtomicU64::new(0)).collect();
            let (map, mut set) = (SpareMap(&words), BTreeSet::new());
            let mut state = 0x9E37_79B9_7F4A_7C15_u64;
            for _ in 0..20_000 {
                // xorshift64*
                state ^= state >> 12;
                state ^= state << 25;
                state ^= state >> 27;
                let random = (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as u32;
                if random.is_multiple_of(40) {
                    let wanted = random / 40 % 100;
                    let mut taken = Vec::new();
                    let count = map.take(wanted, |index| taken.push(index));
                    let lowest: Vec<u32> = set.iter().copied().take(wanted as usize).collect();
                    assert_eq!((count as usize, &taken), (taken.len(), &lowest), "class {class}");
                    set.retain(|index| !taken.contains(index));
                } else if set.insert(random % blocks_of_span(class) as u32) {
                    let index = random % blocks_of_span(class) as u32;
                    map.put(index / 64 * 64, 1 << (index % 64));
                }
            }
        }
    }
}
