#![forbid(unsafe_code)]
//! The blocks to classify, numbered without gaps, and the pointers between them.
//!
//! From a block id to its number: a bitmap over all slots with the count of bits before each word, 1.5 bits a slot.

use crate::space::{BlockId, Grow, Memory, OutOfMemory, Slot, Space};

/// The number of a leaked block; ordinals follow block ids.
pub type Ordinal = u32;

/// A leaked block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it lies.
    pub slot: Slot,
    /// Its size in bytes.
    pub size: usize,
}

/// A word of one leaked block that points into another, or into the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The block that holds the word.
    pub from: Ordinal,
    /// Where in it, in bytes.
    pub offset: usize,
    /// The block pointed into.
    pub to: Ordinal,
    /// Where into it, in bytes.
    pub to_offset: usize,
}

const WORD: usize = size_of::<usize>();
/// Blocks are asked for so many ahead of their scan.
const AHEAD: usize = 8;

pub(super) struct Leaked<M: Memory> {
    blocks: M::Buf<Block>,
    bits: M::Buf<u64>,
    /// The number of bits before each word of `bits`.
    before: M::Buf<u32>,
}

impl<M: Memory> Leaked<M> {
    /// Collects the live blocks in the slots that are `chosen`.
    pub(super) fn collect(
        memory: &M,
        space: &impl Space,
        chosen: impl Iterator<Item = Slot>,
    ) -> Result<Self, OutOfMemory> {
        let mut leaked = Self { blocks: memory.buf(), bits: memory.buf(), before: memory.buf() };
        for slot in chosen {
            if let Some(size) = space.live_size(slot) {
                if leaked.blocks.as_slice().is_empty() {
                    leaked.bits.resize(space.slots().div_ceil(64), 0)?;
                }
                leaked.blocks.push(Block { slot, size })?;
                leaked.bits.as_mut_slice()[slot.id as usize / 64] |= 1 << (slot.id % 64);
            }
        }
        leaked.blocks.as_mut_slice().sort_unstable_by_key(|block| block.slot.id);
        leaked.count_before()?;
        Ok(leaked)
    }

    fn count_before(&mut self) -> Result<(), OutOfMemory> {
        self.before.resize(self.bits.as_slice().len(), 0)?;
        let mut count = 0;
        for (before, word) in self.before.as_mut_slice().iter_mut().zip(self.bits.as_slice()) {
            *before = count;
            count += word.count_ones();
        }
        Ok(())
    }

    pub(super) fn blocks(&self) -> &[Block] {
        self.blocks.as_slice()
    }

    /// Calls `visit` with every edge out of `from`.
    #[inline]
    pub(super) fn each_edge<E>(
        &self,
        space: &impl Space,
        from: Ordinal,
        mut visit: impl FnMut(Edge) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(ahead) = self.blocks().get(from as usize + AHEAD) {
            space.prefetch(ahead.slot.base);
        }
        let (lo, hi) = space.bounds();
        let Block { slot, size } = self.blocks()[from as usize];
        for addr in (slot.base.next_multiple_of(WORD)..).step_by(WORD) {
            if addr + WORD > slot.base + size {
                break;
            }
            let word = space.read(addr);
            if word.wrapping_sub(lo) < hi - lo
                && let Some((to, to_offset)) = self.find(space, word)
            {
                visit(Edge { from, offset: addr - slot.base, to, to_offset })?;
            }
        }
        Ok(())
    }

    /// The leaked block that `word` points into strongly.
    #[inline]
    fn find(&self, space: &impl Space, word: usize) -> Option<(Ordinal, usize)> {
        let slot = space.slot_of(word)?;
        let to = self.ordinal_of(slot.id)?;
        let offset = word - slot.base;
        (offset == 0 || offset < self.blocks()[to as usize].size).then_some((to, offset))
    }

    /// The number of the block `id`, if it is a leaked one.
    #[inline]
    pub(super) fn ordinal_of(&self, id: BlockId) -> Option<Ordinal> {
        let (index, bit) = (id as usize / 64, 1 << (id % 64));
        let word = *self.bits.as_slice().get(index)?;
        (word & bit != 0).then(|| self.before.as_slice()[index] + (word & (bit - 1)).count_ones())
    }
}
