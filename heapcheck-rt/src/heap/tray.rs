#![forbid(unsafe_code)]
//! What lies on top of a shelf: free blocks that came back last, as words of the maps that they belong to.
//!
//! A word is 64 blocks of a span, one bit each. A batch of blocks that were freed in the order in which they were allocated is two
//! or three words. They fit into the cache line of the shelf's lock: when one thread frees what another one allocates, the
//! line is all that travels between the two for a batch. The other way, through a span's map, takes four, one after the other.

/// Words on a tray: four batches, or three that begin in the middle of a word; all that one cache line has room for.
pub(crate) const WORDS: usize = 4;
/// Blocks that are worth a place on a tray. Fewer go to their map, and do not push out those that came together.
const WORTH: u32 = 8;
/// The number of a word is that of its span, and its place in the span's map: of at most 64.
const PLACE_BITS: u32 = 6;

/// 64 blocks that lie side by side: which of them are free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) key: u32,
    pub(crate) bits: u64,
}

impl Word {
    /// No block of the word that has the block `index` of a span.
    #[inline(always)]
    pub(crate) fn around(span: usize, index: u32) -> Self {
        Self { key: ((span as u32) << PLACE_BITS) + index / 64, bits: 0 }
    }

    /// The number of its span.
    #[inline(always)]
    pub(crate) fn span(self) -> usize {
        (self.key >> PLACE_BITS) as usize
    }

    /// The first block that it has a bit for, counted from the beginning of the span.
    #[inline(always)]
    pub(crate) fn first(self) -> u32 {
        self.key % (1 << PLACE_BITS) * 64
    }

    /// Whether enough blocks are in it for a tray.
    pub(crate) fn is_worth_it(self) -> bool {
        self.bits.count_ones() >= WORTH
    }
}

/// Up to four words, those that came first in front; behind them all bits are zero.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Tray {
    bits: [u64; WORDS],
    keys: [u32; WORDS],
}

impl Tray {
    pub(crate) const fn new() -> Self {
        Self { bits: [0; WORDS], keys: [0; WORDS] }
    }

    /// Puts a word down, and answers with the one that had to make room, or one without blocks.
    #[inline(always)]
    pub(crate) fn put(&mut self, word: Word) -> Word {
        for at in 0..WORDS {
            if self.bits[at] == 0 || self.keys[at] == word.key {
                debug_assert!(self.bits[at] & word.bits == 0, "{word:?} is on the tray already");
                self.keys[at] = word.key;
                self.bits[at] |= word.bits;
                return Word::default();
            }
        }
        let out = self.take();
        self.keys[WORDS - 1] = word.key;
        self.bits[WORDS - 1] = word.bits;
        out
    }

    /// Takes the word that came first; without blocks when there is none.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Word {
        let first = Word { key: self.keys[0], bits: self.bits[0] };
        self.keys.copy_within(1.., 0);
        self.bits.copy_within(1.., 0);
        self.bits[WORDS - 1] = 0;
        first
    }

    /// The word that came first.
    #[inline(always)]
    pub(crate) fn first(&self) -> Word {
        Word { key: self.keys[0], bits: self.bits[0] }
    }

    /// Leaves these blocks of the word that came first.
    #[inline(always)]
    pub(crate) fn leave(&mut self, bits: u64) {
        self.bits[0] = bits;
        if bits == 0 {
            self.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn blocks(word: Word) -> impl Iterator<Item = (usize, u32)> {
        (0..64).filter(move |bit| word.bits >> bit & 1 != 0).map(move |bit| (word.span(), word.first() + bit))
    }

    #[test]
    fn a_tray_loses_no_block_and_shows_none_twice() {
        let (mut tray, mut on_it) = (Tray::new(), BTreeSet::new());
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = || {
            // xorshift64*
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d)
        };
        for _ in 0..20_000 {
            match random() >> 62 {
                0 => {
                    let first = tray.first();
                    let left = first.bits & random();
                    if first.bits != 0 {
                        tray.leave(left);
                        blocks(Word { bits: first.bits & !left, ..first })
                            .for_each(|block| assert!(on_it.remove(&block)));
                    }
                }
                1 if random() >> 60 == 0 => {
                    blocks(tray.take()).for_each(|block| assert!(on_it.remove(&block)))
                }
                _ => {
                    let span = 1 + (random() >> 62) as usize * 0x7f_0000;
                    let mut word = Word::around(span, (random() >> 56) as u32 * 16);
                    word.bits = random() & random();
                    word.bits = blocks(word)
                        .filter(|block| !on_it.contains(block))
                        .fold(0, |bits, (_, index)| bits | 1 << (index % 64));
                    if word.bits != 0 {
                        on_it.extend(blocks(word));
                        blocks(tray.put(word)).for_each(|block| assert!(on_it.remove(&block)));
                    }
                }
            }
            let mut shown = BTreeSet::new();
            let words = tray.keys.iter().zip(&tray.bits).map(|(&key, &bits)| Word { key, bits });
            words.flat_map(blocks).for_each(|block| assert!(shown.insert(block)));
            assert_eq!(shown, on_it);
        }
    }

    #[test]
    fn a_word_knows_its_place_in_the_largest_heap() {
        let last = crate::limits::HEAP_RESERVE / crate::limits::SPAN_BYTES - 1;
        let word = Word::around(last, crate::limits::SPAN_BYTES as u32 / 16 - 1);
        assert_eq!((word.span(), word.first()), (last, 63 * 64));
    }
}
