#![forbid(unsafe_code)]
//! A heap in a plain array, for the tests of the core.
//!
//! ```text
//!  BASE              heap_lo                              bounds end
//!   │ root words      │ run │ gap │ run │ run │ gap │ ..  │
//! ```
//!
//! Addresses are made up; the words behind them are in a `Vec`. Slots are larger than the blocks in them by at least
//! one byte, as in the runtime's heap.

use crate::space::{BlockId, Grow, Memory, OutOfMemory, Run, Slot, Space};

const BASE: usize = 0x10_0000;
const WORD: usize = 8;
/// Runs begin at multiples of this.
const PAGE: usize = 256;

/// A heap whose words, sizes and roots a test writes as it likes.
pub(crate) struct TestSpace {
    words: Vec<usize>,
    root_words: usize,
    runs: Vec<Option<Run>>,
    /// The run of each page of the heap.
    pages: Vec<Option<u32>>,
    sizes: Vec<Option<usize>>,
}

impl TestSpace {
    /// Makes a heap without runs and with `root_words` words of root memory.
    pub(crate) fn new(root_words: usize) -> Self {
        let root_words = root_words.next_multiple_of(PAGE / WORD);
        Self { words: vec![0; root_words], root_words, runs: vec![], pages: vec![], sizes: vec![] }
    }

    /// Adds a run of `slots` slots of `stride` bytes.
    pub(crate) fn add_run(&mut self, stride: usize, slots: usize) -> Run {
        assert!(stride.is_multiple_of(WORD) && slots > 0);
        let first = Slot { id: self.sizes.len() as BlockId, base: self.end() };
        let run = Run { first, stride, slots };
        let bytes = (stride * slots).next_multiple_of(PAGE);
        self.pages.resize(self.pages.len() + bytes / PAGE, Some(self.runs.len() as u32));
        self.words.resize(self.words.len() + bytes / WORD, 0);
        self.sizes.resize(self.sizes.len() + slots, None);
        self.runs.push(Some(run));
        run
    }

    /// Leaves a place without a run and some addresses without slots.
    pub(crate) fn add_gap(&mut self) {
        self.pages.push(None);
        self.words.resize(self.words.len() + PAGE / WORD, 0);
        self.runs.push(None);
    }

    /// Makes the slot `id` a live block of `size` bytes.
    pub(crate) fn set_live(&mut self, id: BlockId, size: usize) -> Slot {
        assert!(size < self.run_of(id).stride);
        self.sizes[id as usize] = Some(size);
        self.slot(id)
    }

    /// Adds a run with a single live block of `size` bytes.
    pub(crate) fn add_block(&mut self, size: usize) -> Slot {
        let run = self.add_run((size + 1).next_multiple_of(16), 1);
        self.set_live(run.first.id, size)
    }

    /// Adds a run of `count` live blocks of `size` bytes.
    pub(crate) fn add_blocks(&mut self, count: usize, size: usize) -> Run {
        let run = self.add_run((size + 1).next_multiple_of(16), count);
        (0..count).for_each(|index| self.sizes[run.first.id as usize + index] = Some(size));
        run
    }

    /// The slot `id`.
    pub(crate) fn slot(&self, id: BlockId) -> Slot {
        let run = self.run_of(id);
        run.slot((id - run.first.id) as usize)
    }

    /// Writes `word` at `addr`, in a block, in slack or in the root memory.
    pub(crate) fn write(&mut self, addr: usize, word: usize) {
        assert!(addr.is_multiple_of(WORD));
        self.words[(addr - BASE) / WORD] = word;
    }

    /// The address of the root word `index`.
    pub(crate) fn root_at(&self, index: usize) -> usize {
        assert!(index <= self.root_words);
        BASE + index * WORD
    }

    fn run_of(&self, id: BlockId) -> Run {
        let mut runs = self.runs.iter().flatten();
        *runs.rfind(|run| run.first.id <= id).expect("a run begins at or before the id")
    }

    fn end(&self) -> usize {
        BASE + self.words.len() * WORD
    }

    fn heap_lo(&self) -> usize {
        BASE + self.root_words * WORD
    }
}

impl Space for TestSpace {
    fn bounds(&self) -> (usize, usize) {
        (self.heap_lo(), self.end())
    }

    fn slots(&self) -> usize {
        self.sizes.len()
    }

    fn slot_of(&self, addr: usize) -> Option<Slot> {
        let run = self.runs[self.pages[(addr - self.heap_lo()) / PAGE]? as usize]?;
        let index = (addr - run.first.base) / run.stride;
        (index < run.slots).then(|| run.slot(index))
    }

    fn live_size(&self, slot: Slot) -> Option<usize> {
        self.sizes[slot.id as usize]
    }

    fn read(&self, addr: usize) -> usize {
        assert!(addr.is_multiple_of(WORD), "read of the unaligned word at {addr:#x}");
        self.words[(addr - BASE) / WORD]
    }

    fn prefetch_size(&self, _: Slot) {}

    fn prefetch(&self, _: usize) {}

    fn runs(&self) -> usize {
        self.runs.len()
    }

    fn run(&self, index: usize) -> Option<Run> {
        self.runs[index]
    }
}

/// The program's heap, which tests may use.
pub(crate) struct TestMemory;

impl Memory for TestMemory {
    type Buf<T: Copy> = Vec<T>;

    fn buf<T: Copy>(&self) -> Vec<T> {
        Vec::new()
    }
}

impl<T: Copy> Grow<T> for Vec<T> {
    fn push(&mut self, item: T) -> Result<(), OutOfMemory> {
        Vec::push(self, item);
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        Vec::pop(self)
    }

    fn resize(&mut self, len: usize, item: T) -> Result<(), OutOfMemory> {
        Vec::resize(self, len, item);
        Ok(())
    }

    fn as_slice(&self) -> &[T] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}

/// The generator of the model tests: xorshift64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 16) % end as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
