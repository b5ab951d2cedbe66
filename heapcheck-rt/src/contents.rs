#![forbid(unsafe_code)]
//! Which words of leaked blocks a record keeps: those that tell what the block's pointers are.
//!
//! Two variants of an enum may have a pointer at one offset. Then only the discriminant, a number or a niche somewhere
//! near, says in which field it lies. And a C++ object is known by the table of virtual functions that its first word
//! points to. What a discriminant is only debug information says, so the words around pointers are kept; blocks that
//! lead nowhere keep only their first word, and that only if it points into a module. A word of nothing but letters, digits and signs is no discriminant but
//! text, which is nobody's business: it is left out.
//!
//! ```text
//!   block   | chunk 0: 64 words         | chunk 1                   | chunk 2      |
//!             tag . . pointer . .                                     . pointer .
//!             kept                        not kept                    kept
//! ```

use crate::classify::Block;
use crate::limits::{CONTENTS_BLOCK_CHUNKS, CONTENTS_CHUNKS};
use crate::record::Contents;
use crate::space::Space;

const WORD: usize = size_of::<usize>();
/// Words of a chunk: a bit for each fits a word.
const WORDS: usize = u64::BITS as usize;

/// Some words of one block.
#[derive(Debug)]
pub(crate) struct Chunk {
    offset: usize,
    known: u64,
    words: [u64; WORDS],
}

impl Chunk {
    /// Reads those words of a chunk that `keeps` asks for.
    fn read(space: &impl Space, block: &Block, offset: usize, keeps: impl Fn(usize, usize) -> bool) -> Self {
        let mut chunk = Self { offset, known: 0, words: [0; WORDS] };
        let begin = block.slot.base + offset;
        let mut kept = 0;
        for at in 0..WORDS {
            let addr = begin + at * WORD;
            if addr + WORD > block.slot.base + block.size {
                break;
            }
            let word = space.read(addr);
            if keeps(at, word) {
                chunk.known |= 1 << at;
                chunk.words[kept] = word as u64;
                kept += 1;
            }
        }
        chunk
    }

    /// The first word of a block that leads nowhere, if it points into a module.
    pub(crate) fn first(space: &impl Space, block: &Block, is_code: impl Fn(usize) -> bool) -> Option<Self> {
        let chunk = Self::read(space, block, 0, |at, word| at == 0 && is_code(word));
        (chunk.known != 0).then_some(chunk)
    }

    /// What the record says of it, as the block `id`.
    pub(crate) fn of(&self, id: u32) -> Contents<&[u64]> {
        let words = &self.words[..self.known.count_ones() as usize];
        Contents { block: id, offset: self.offset as u64, known: self.known, words }
    }
}

/// What may still be kept of all blocks, and where the last one is looked at.
#[derive(Debug)]
pub(crate) struct Keeper {
    left: usize,
    /// Of the block, what may still be kept, and where the last chunk of it begins.
    left_of_block: usize,
    last: Option<usize>,
}

impl Keeper {
    /// Nothing was kept yet.
    pub(crate) fn new() -> Self {
        Self { left: CONTENTS_CHUNKS, left_of_block: 0, last: None }
    }

    /// Begins with a block.
    pub(crate) fn begin_block(&mut self) {
        self.left_of_block = CONTENTS_BLOCK_CHUNKS.min(self.left);
        self.last = None;
    }

    /// Finds what is to be kept for a pointer at `offset`; pointers come in order. The beginning of a block is kept with
    /// the first one.
    pub(crate) fn meet(&mut self, space: &impl Space, block: &Block, offset: usize) -> [Option<Chunk>; 2] {
        let at = offset / (WORDS * WORD) * (WORDS * WORD);
        if self.last == Some(at) {
            return [None, None];
        }
        let is_first = self.last.is_none();
        self.last = Some(at);
        let mut take = |at| {
            self.left_of_block = self.left_of_block.checked_sub(1)?;
            self.left -= 1;
            Some(Chunk::read(space, block, at, |_, word| !is_text(word)))
        };
        [if is_first && at > 0 { take(0) } else { None }, take(at)]
    }
}

/// Whether each byte of a word may be one of a text in UTF-8.
fn is_text(word: usize) -> bool {
    word.to_le_bytes().iter().all(|byte| (0x20..=0xf4).contains(byte) && *byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_space::TestSpace;

    fn block(space: &mut TestSpace, words: &[usize]) -> Block {
        let size = words.len() * WORD;
        let slot = space.add_block(size);
        words.iter().enumerate().for_each(|(at, word)| space.write(slot.base + at * WORD, *word));
        Block { slot, size }
    }

    /// The offsets and words that are kept of a block with pointers at `offsets`.
    fn kept(keeper: &mut Keeper, space: &TestSpace, block: &Block, offsets: &[usize]) -> Vec<(u64, u64)> {
        keeper.begin_block();
        let chunks = offsets.iter().flat_map(|offset| keeper.meet(space, block, *offset));
        let mut all = Vec::new();
        for chunk in chunks.flatten() {
            let Contents { block, offset, known, words } = chunk.of(7);
            assert_eq!((block, words.len()), (7, known.count_ones() as usize));
            let places = (0..64).filter(|bit| known >> bit & 1 == 1);
            all.extend(places.zip(words).map(|(bit, word)| (offset + bit * 8, *word)));
        }
        all
    }

    #[test]
    fn text_is_left_out_and_numbers_are_kept() {
        let mut space = TestSpace::new(1);
        let text = usize::from_le_bytes(*b"password");
        let mixed = usize::from_le_bytes(*b"\x01assword");
        let block = block(&mut space, &[3, text, mixed, 0, usize::MAX, 0x1234]);
        let found = kept(&mut Keeper::new(), &space, &block, &[40]);
        assert_eq!(found, [(0, 3), (16, mixed as u64), (24, 0), (32, u64::MAX), (40, 0x1234)]);
        let umlauts = usize::from_le_bytes("äöüß".as_bytes().try_into().unwrap());
        assert!(is_text(umlauts) && !is_text(0) && !is_text(1 << 63) && !is_text(usize::MAX));
    }

    #[test]
    fn only_chunks_with_pointers_and_the_first_are_kept() {
        let mut space = TestSpace::new(1);
        let words: Vec<usize> = (0..300).map(|at| at << 56).collect();
        let block = block(&mut space, &words);
        let check = |offsets: &[usize], expected: &[(usize, usize)]| {
            let found = kept(&mut Keeper::new(), &space, &block, offsets);
            let expected: Vec<(u64, u64)> = expected
                .iter()
                .flat_map(|(from, to)| *from..*to)
                .map(|at| (at as u64 * 8, words[at] as u64))
                .collect();
            assert_eq!(found, expected, "{offsets:?}");
        };
        check(&[], &[]);
        check(&[8, 16, 504], &[(0, 64)]);
        check(&[8, 512, 1016], &[(0, 64), (64, 128)]);
        check(&[2048, 2056], &[(0, 64), (256, 300)]);
    }

    #[test]
    fn a_block_and_all_blocks_have_a_bound() {
        let mut space = TestSpace::new(1);
        let words = vec![1; WORDS * (CONTENTS_BLOCK_CHUNKS + 2)];
        let block = block(&mut space, &words);
        let offsets: Vec<usize> = (0..words.len()).map(|at| at * WORD).collect();
        let mut keeper = Keeper::new();
        assert_eq!(kept(&mut keeper, &space, &block, &offsets).len(), WORDS * CONTENTS_BLOCK_CHUNKS);
        let mut chunks = CONTENTS_BLOCK_CHUNKS;
        while chunks < CONTENTS_CHUNKS {
            chunks += kept(&mut keeper, &space, &block, &offsets).len() / WORDS;
        }
        assert_eq!((chunks, keeper.left), (CONTENTS_CHUNKS, 0));
        assert!(kept(&mut keeper, &space, &block, &offsets).is_empty());
    }

    #[test]
    fn of_what_leads_nowhere_only_a_table_of_functions_is_kept() {
        let mut space = TestSpace::new(1);
        let check = |space: &TestSpace, block: &Block, expected: Option<(u64, &[u64])>| {
            let chunk = Chunk::first(space, block, |word| word >= 0x7000);
            let found = chunk.as_ref().map(|chunk| chunk.of(1)).map(|all| (all.known, all.words));
            assert_eq!(found, expected);
        };
        let object = block(&mut space, &[0x7010, 5, 0x7020]);
        let behind = block(&mut space, &[3, 0x7010, 5]);
        let plain = block(&mut space, &[1, 2, 0x7020]);
        let empty = block(&mut space, &[]);
        check(&space, &object, Some((1, &[0x7010])));
        check(&space, &behind, None);
        check(&space, &plain, None);
        check(&space, &empty, None);
    }
}
