#![forbid(unsafe_code)]
//! How the core sees memory: one narrow trait that a stopped process and a plain array both satisfy.
//!
//! The mark phase and the classification never learn where blocks live. They ask a [`Space`] which block a word points
//! into, whether it is live, and what words it holds. Blocks have dense numbers ([`BlockId`]), so that every per-block
//! fact of the core is an array or a bitmap indexed by them.
//!
//! Growable memory comes through [`Grow`], because the runtime may not use the program's heap: there it is a mapping
//! of its own, in tests a `Vec`.

/// A dense number of a block slot; at most [`Space::slots`].
pub type BlockId = u32;

/// A slot of the heap that a word points into, whether or not a live block is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its dense number.
    pub id: BlockId,
    /// The address of its first byte.
    pub base: usize,
}

/// Consecutive slots of one size: the unit in which a heap is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The slot at its beginning. Ids and addresses grow together inside a run.
    pub first: Slot,
    /// The distance in bytes from one slot to the next.
    pub stride: usize,
    /// The number of slots, live or free.
    pub slots: usize,
}

impl Run {
    /// The slot at `index`, which is below `self.slots`.
    pub fn slot(&self, index: usize) -> Slot {
        Slot { id: self.first.id + index as BlockId, base: self.first.base + index * self.stride }
    }
}

/// Memory as the core sees it while nothing in it changes.
pub trait Space: Sync {
    /// The addresses between which every slot lies. A word outside is no pointer; this is the only test most words get.
    fn bounds(&self) -> (usize, usize);
    /// The number of slots: every [`BlockId`] is below it.
    fn slots(&self) -> usize;
    /// Finds the slot whose storage holds `addr`. `addr` lies inside [`Space::bounds`].
    fn slot_of(&self, addr: usize) -> Option<Slot>;
    /// The exact size in bytes of the live block in `slot`, or `None` when the slot is free.
    fn live_size(&self, slot: Slot) -> Option<usize>;
    /// Reads the word at `addr`, which is word-aligned and lies inside a live block or a root.
    fn read(&self, addr: usize) -> usize;
    /// Asks for the facts that [`Space::live_size`] reads, without waiting for them.
    fn prefetch_size(&self, slot: Slot);
    /// Asks for the cache line at `addr`, without waiting for it.
    fn prefetch(&self, addr: usize);
    /// The number of places where a run may be, in order of addresses.
    fn runs(&self) -> usize;
    /// The run at place `index`, or `None` when that place has none.
    fn run(&self, index: usize) -> Option<Run>;

    /// Calls `visit` with every live block and its size, in order of addresses.
    fn each_live(&self, visit: &mut dyn FnMut(Slot, usize)) {
        for run in (0..self.runs()).filter_map(|index| self.run(index)) {
            for slot in (0..run.slots).map(|index| run.slot(index)) {
                if let Some(size) = self.live_size(slot) {
                    visit(slot, size);
                }
            }
        }
    }
}

/// A vector that the core may push to. Running out of memory is an answer, never a panic.
pub trait Grow<T: Copy> {
    /// Appends `item`.
    fn push(&mut self, item: T) -> Result<(), OutOfMemory>;
    /// Takes the last item.
    fn pop(&mut self) -> Option<T>;
    /// Makes the length `len`, filling with `item`.
    fn resize(&mut self, len: usize, item: T) -> Result<(), OutOfMemory>;
    /// The items.
    fn as_slice(&self) -> &[T];
    /// The items, to write.
    fn as_mut_slice(&mut self) -> &mut [T];
}

/// Where the core gets its vectors from.
pub trait Memory {
    /// A vector of this memory. Dropping it gives the memory back.
    type Buf<T: Copy>: Grow<T>;
    /// Makes an empty vector.
    fn buf<T: Copy>(&self) -> Self::Buf<T>;
}

/// The runtime could get no more memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;
