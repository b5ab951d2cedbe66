#![forbid(unsafe_code)]
//! Words of leaked blocks, as far as the record has them: what discriminants lie in.

use heapcheck_rt::record::{self, Found};

/// The words of one check.
#[derive(Debug, Default)]
pub(super) struct Contents<'f> {
    /// In the order of blocks and offsets.
    parts: Vec<&'f record::Contents<Vec<u64>>>,
    /// Where those of a block begin; the runtime numbers blocks without gaps.
    starts: Vec<u32>,
}

/// Blocks that are found by their number at once: more than a record has.
const BLOCKS_MAX: u32 = 1 << 20;

impl<'f> Contents<'f> {
    /// Those that a check has.
    pub(super) fn of(found: &'f Found) -> Self {
        Self::of_parts(found.contents.iter().filter(|part| part.block < BLOCKS_MAX).collect())
    }

    fn of_parts(mut parts: Vec<&'f record::Contents<Vec<u64>>>) -> Self {
        parts.sort_by_key(|part| (part.block, part.offset));
        let blocks = parts.last().map_or(0, |last| last.block + 1);
        let (mut starts, mut at) = (Vec::with_capacity(blocks as usize + 1), 0);
        for block in 0..=blocks {
            while parts.get(at).is_some_and(|part| part.block < block) {
                at += 1;
            }
            starts.push(at as u32);
        }
        Self { parts, starts }
    }

    /// The number of `size` bytes at `offset` of a block, if all of it is known.
    pub(super) fn read(&self, block: u32, offset: u64, size: u64) -> Option<u64> {
        let (word, shift) = (offset & !7, offset % 8 * 8);
        let size = size.clamp(1, 8);
        let mut number = self.word(block, word)? >> shift;
        if offset % 8 + size > 8 {
            number |= self.word(block, word.checked_add(8)?)? << (64 - shift);
        }
        Some(number & (u64::MAX >> (64 - 8 * size)))
    }

    /// The word at `offset`, a multiple of 8.
    fn word(&self, block: u32, offset: u64) -> Option<u64> {
        let at = block as usize;
        let parts = &self.parts[*self.starts.get(at)? as usize..*self.starts.get(at + 1)? as usize];
        let behind = parts.partition_point(|part| part.offset <= offset);
        let part = parts[..behind].last()?;
        let bit = u32::try_from((offset - part.offset) / 8).ok()?;
        let is_known = part.known.checked_shr(bit)? & 1 == 1;
        let before = (part.known & ((1 << bit) - 1)).count_ones();
        part.words.get(before as usize).copied().filter(|_| is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_where_all_their_bytes_are_known() {
        let part = |block, offset, known, words: &[u64]| record::Contents {
            block,
            offset,
            known,
            words: words.to_vec(),
        };
        let all = [
            part(7, 512, 1 << 63, &[9]),
            part(3, 0, 0b1011, &[0x0807_0605_0403_0201, 0x100f_0e0d_0c0b_0a09, 5]),
            part(7, 0, 1, &[6]),
            // What no writer has written.
            part(8, 0, u64::MAX, &[1]),
        ];
        let contents = Contents::of_parts(all.iter().collect());
        let check = |block, offset, size, expected| {
            assert_eq!(contents.read(block, offset, size), expected, "{block} {offset} {size}");
        };
        check(3, 0, 8, Some(0x0807_0605_0403_0201));
        check(3, 2, 1, Some(3));
        check(3, 4, 4, Some(0x0807_0605));
        check(3, 6, 4, Some(0x0a09_0807));
        check(3, 12, 8, None);
        check(3, 16, 1, None);
        check(3, 24, 2, Some(5));
        check(3, 32, 1, None);
        check(3, 512, 1, None);
        check(7, 0, 4, Some(6));
        check(7, 8, 4, None);
        check(7, 512 + 504, 4, Some(9));
        check(7, 1024, 4, None);
        check(2, 0, 1, None);
        check(8, 0, 1, Some(1));
        check(8, 8, 1, None);
        check(8, u64::MAX, 1, None);
    }
}
