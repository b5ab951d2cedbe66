#![expect(unsafe_code, reason = "fills and reads the blocks that it takes")]
//! The heap against a list: random blocks are taken, resized and given back through several threads' caches.
//!
//! The test does what `blocks` does with the layers below it. After each step what the list says must hold: blocks
//! do not overlap, keep what was written into them, are found from any address inside them, and are what a walk over
//! the heap visits.
//!
//! # Safety
//! Memory is touched only inside of blocks that the test holds.

use super::cache::Cache;
use super::meta::tag;
use super::pages::Pages;
use super::span::{SMALL, Spans};
use super::store::{Aside, Shelf, Store};
use crate::classes::{CLASSES, REQUEST_MAX, SIZES, aligned_class_of, blocks_of_span, class_of};
use crate::limits::SPAN_BYTES;
use crate::region::Region;
use crate::space::BlockId;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;

/// A heap of its own for a test.
macro_rules! heap {
    () => {{
        static REGION: Region = Region::empty();
        static SPANS: Spans = Spans::new();
        static PAGES: Pages = Pages::on(&REGION, &SPANS);
        static STORE: Store = Store {
            spans: &SPANS,
            pages: &PAGES,
            shelves: [const { Shelf::new() }; CLASSES],
            aside: Aside::new(),
        };
        crate::testbed::prepare(&REGION);
        let opened =
            REGION.spans.open_to(REGION.spans.start() + 1).and(REGION.heap.open_to(REGION.heap.start() + 1));
        opened.expect("memory");
        SPANS.begin(&REGION);
        Heap { spans: &SPANS, pages: &PAGES, store: &STORE }
    }};
}

#[derive(Clone, Copy)]
struct Heap {
    spans: &'static Spans,
    pages: &'static Pages,
    store: &'static Store,
}

/// A block in the program's hands.
#[derive(Clone, Copy, Debug)]
struct Block {
    address: usize,
    bytes: usize,
    id: BlockId,
    /// What its words hold begins with this.
    seed: usize,
}

impl Block {
    fn words(&self) -> &'static mut [usize] {
        // SAFETY: the block is ours; it is aligned to sixteen.
        unsafe { core::slice::from_raw_parts_mut(self.address as *mut usize, self.bytes / 8) }
    }

    fn fill(&self) {
        for (index, word) in self.words().iter_mut().enumerate() {
            *word = self.seed ^ index.wrapping_mul(0x9E37_79B9);
        }
    }

    fn check(&self, bytes: usize) {
        for (index, word) in self.words()[..bytes / 8].iter().enumerate() {
            assert_eq!(*word, self.seed ^ index.wrapping_mul(0x9E37_79B9), "word {index} of {self:?}");
        }
    }
}

impl Heap {
    fn take(self, cache: &mut Cache, bytes: usize, align: usize, seed: usize) -> Block {
        self.take_from(false, cache, bytes, align, seed)
    }

    /// Takes a block, `aside` from where signal handlers get theirs.
    fn take_from(self, aside: bool, cache: &mut Cache, bytes: usize, align: usize, seed: usize) -> Block {
        let class = if align <= 16 {
            (bytes <= REQUEST_MAX).then(|| class_of(bytes))
        } else {
            aligned_class_of(bytes, align)
        };
        let (address, id) = match class {
            Some(class) if aside => self.store.take_aside(class).expect("memory"),
            Some(class) => {
                if cache.bin(class).is_empty() {
                    self.store.refill(cache, class).expect("memory");
                }
                cache.bin(class).pop().expect("a filled bin")
            }
            None => {
                let (number, id) = self.pages.take_large(bytes, align, true, aside).expect("memory");
                (self.spans.address_of(number), id)
            }
        };
        if let Some(class) = class {
            assert!(SIZES[class] as usize > bytes);
            // SAFETY: the block is ours.
            unsafe { (address as *mut u8).write_bytes(0, bytes) };
        }
        let block = Block { address, bytes, id, seed };
        assert_eq!(address % align.max(16), 0, "{block:?} at {align}");
        assert!(block.words().iter().all(|word| *word == 0), "{block:?} is not clear");
        assert!(!self.spans.meta(id).is_live(), "{block:?} is handed out twice");
        self.spans.meta(id).set_live(bytes, tag(1, 0), seed as u32, 0);
        block.fill();
        block
    }

    fn give(self, cache: &mut Cache, block: Block) {
        block.check(block.bytes);
        let span = self.spans.find(block.address).expect("a span");
        let magic = span.magic.load(Relaxed);
        let meta = self.spans.meta(block.id);
        assert_eq!(meta.live_size(), Some(block.bytes));
        meta.set_freed(0x1234, 0);
        if magic == 0 {
            self.pages.give_back_large(self.spans.number_of(block.address));
            return;
        }
        assert_eq!(self.spans.block_at(span, magic, block.address), Some(block.id));
        let class = usize::from(span.class.load(Relaxed));
        if !cache.bin(class).push(block.address, block.id) {
            self.store.spill(cache, class, block.address, block.id);
        }
    }

    fn resize(self, cache: &mut Cache, block: Block, bytes: usize) -> Block {
        let magic = self.spans.at(block.address).magic.load(Relaxed);
        let number = self.spans.number_of(block.address);
        let common = bytes.min(block.bytes);
        if magic == 0 && bytes > REQUEST_MAX && self.pages.resize_large(number, block.bytes, bytes) {
            let resized = Block { bytes, ..block };
            resized.check(common);
            assert!(resized.words()[block.bytes.div_ceil(8).min(bytes / 8)..].iter().all(|word| *word == 0));
            self.spans.meta(block.id).set_live(bytes, tag(1, 0), block.seed as u32, 0);
            resized.fill();
            return resized;
        }
        let new = self.take(cache, bytes, 16, block.seed);
        new.words().fill(0);
        let to = self.spans.number_of(new.address);
        let moved = magic == 0
            && bytes > REQUEST_MAX
            && block.bytes > REQUEST_MAX
            && self.pages.move_content(number, to, common);
        if moved {
            // The old pages are gone or as they were; what they hold does not matter to anybody.
            block.fill();
        } else {
            new.words()[..common / 8].copy_from_slice(&block.words()[..common / 8]);
        }
        new.check(common);
        assert!(new.words()[common.div_ceil(8).min(bytes / 8)..].iter().all(|word| *word == 0), "{new:?}");
        self.give(cache, block);
        new.fill();
        new
    }

    /// Whether the heap says of an address what the list says.
    fn look(self, blocks: &BTreeMap<usize, Block>, address: usize) {
        if !self.spans.covers(address) {
            assert!(
                blocks
                    .range(..=address)
                    .next_back()
                    .is_none_or(|(_, block)| block.address + block.bytes < address)
            );
            return;
        }
        let live = self.spans.slot_of(address).filter(|slot| self.spans.meta(slot.id).is_live());
        let holder = blocks.range(..=address).next_back().map(|(_, block)| block);
        match live {
            Some(slot) => {
                let block = holder.expect("a block");
                assert_eq!((slot.base, slot.id), (block.address, block.id), "{address:#x}");
            }
            // Not even the byte behind a block is another one's.
            None => assert!(holder.is_none_or(|block| block.address + block.bytes < address), "{address:#x}"),
        }
        // What is no beginning of a block is not taken for one.
        let span = self.spans.at(address);
        let magic = span.magic.load(Relaxed);
        if magic != 0
            && let Some(id) = self.spans.block_at(span, magic, address)
            && self.spans.meta(id).is_live()
        {
            assert_eq!(blocks.get(&address).map(|block| block.id), Some(id), "{address:#x} is no block");
        }
    }

    fn walk(self, blocks: &BTreeMap<usize, Block>) {
        let mut seen = Vec::new();
        self.spans.each_live(|slot, meta| seen.push((slot.base, slot.id, meta.live_size())));
        let wanted: Vec<_> =
            blocks.values().map(|block| (block.address, block.id, Some(block.bytes))).collect();
        assert!(seen == wanted, "{} blocks seen, {} there", seen.len(), wanted.len());
        assert!(blocks.values().all(|block| (block.id as usize) < self.pages.slots()));
        let is_passed_over = |address| {
            let span = self.spans.at(address);
            span.kind.load(Relaxed) == SMALL && span.is_all_spare()
        };
        assert!(
            !blocks.keys().any(|address| is_passed_over(*address)),
            "a live block in a span of spare ones"
        );
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn size(&mut self) -> usize {
        match self.below(40) {
            0..20 => self.below(200),
            20..28 => self.below(4096),
            28..34 => self.below(REQUEST_MAX + 2000),
            34..37 => REQUEST_MAX - 20 + self.below(SPAN_BYTES),
            37 => SPAN_BYTES * (1 + self.below(5)) - self.below(3),
            38 => self.below(600 << 10),
            _ => self.below(6) << 18,
        }
    }

    fn align(&mut self) -> usize {
        if self.below(6) > 0 { 16 } else { 32 << self.below(14) }
    }
}

fn insert(blocks: &mut BTreeMap<usize, Block>, block: Block) {
    let before = blocks.range(..=block.address).next_back();
    assert!(before.is_none_or(|(_, before)| before.address + before.bytes.max(1) <= block.address));
    let behind = blocks.range(block.address..).next();
    assert!(behind.is_none_or(|(at, _)| block.address + block.bytes.max(1) <= *at));
    blocks.insert(block.address, block);
}

fn check(heap: Heap, seed: u64, operations: usize) {
    let mut random = Random(seed);
    let mut caches = [Cache::empty(), Cache::empty(), Cache::empty()];
    let mut blocks: BTreeMap<usize, Block> = BTreeMap::new();
    let mut keys: Vec<usize> = Vec::new();
    for operation in 0..operations {
        // A list that grows to some hundreds, shrinks to nothing, and grows again.
        let goal = if operation % 4000 < 2500 { 800 } else { 2 };
        let cache = &mut caches[random.below(3)];
        match random.below(10) {
            0..2 if !keys.is_empty() => {
                let index = random.below(keys.len());
                let block = blocks.remove(&keys[index]).expect("a block");
                let bytes = random.size();
                let bytes = if random.below(3) == 0 { block.bytes + bytes / 2 } else { bytes };
                let block = heap.resize(cache, block, bytes);
                keys[index] = block.address;
                insert(&mut blocks, block);
            }
            2..8 if keys.len() < goal => {
                let aside = random.below(13) == 0;
                let block = heap.take_from(aside, cache, random.size(), random.align(), operation * 2 + 1);
                keys.push(block.address);
                insert(&mut blocks, block);
            }
            2..9 if !keys.is_empty() => {
                let index = random.below(keys.len());
                let block = blocks.remove(&keys.swap_remove(index)).expect("a block");
                heap.give(cache, block);
            }
            _ => {}
        }
        let near = if keys.is_empty() { heap.spans.start() } else { keys[random.below(keys.len())] };
        let bytes = blocks.get(&near).map_or(0, |block| block.bytes);
        let start = heap.spans.start();
        let anywhere = start + random.below(heap.spans.top() - start + SPAN_BYTES);
        let span_end = (near | (SPAN_BYTES - 1)) - random.below(512);
        for address in [
            near,
            near + bytes,
            near + random.below(bytes + 1),
            near.wrapping_sub(1),
            anywhere,
            span_end & !15,
        ] {
            heap.look(&blocks, address);
        }
        if operation % 500 == 0 {
            heap.walk(&blocks);
        }
    }
    for cache in &mut caches {
        heap.store.empty(cache);
    }
    heap.walk(&blocks);
    for block in blocks.into_values() {
        heap.give(&mut caches[0], block);
    }
    heap.walk(&BTreeMap::new());
}

#[test]
fn the_heap_holds_what_a_list_holds() {
    let heap = heap!();
    for seed in 1..4 {
        check(heap, seed, 12_000);
    }
}

#[test]
fn blocks_travel_between_threads_and_none_is_handed_out_twice() {
    const THREADS: usize = 4;
    let heap = heap!();
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel::<Block>()).unzip();
    let mut left: BTreeMap<usize, Block> = BTreeMap::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = receivers
            .into_iter()
            .enumerate()
            .map(|(index, receiver)| {
                let senders = senders.clone();
                scope.spawn(move || {
                    let mut random = Random(77 + index as u64);
                    let mut cache = Cache::empty();
                    let mut held: Vec<Block> = Vec::new();
                    for operation in 0..20_000 {
                        match random.below(8) {
                            0..4 if held.len() < 400 => {
                                held.push(heap.take_from(
                                    operation % 13 == 0,
                                    &mut cache,
                                    random.size() / 4,
                                    16,
                                    operation * THREADS + index,
                                ));
                            }
                            4 if !held.is_empty() => {
                                let block = held.swap_remove(random.below(held.len()));
                                let _ = senders[random.below(THREADS)].send(block);
                            }
                            5 if !held.is_empty() => {
                                let at = random.below(held.len());
                                held[at] = heap.resize(&mut cache, held[at], random.size() / 4);
                            }
                            _ => {}
                        }
                        held.extend(receiver.try_iter());
                        while held.len() > 300 {
                            let block = held.swap_remove(random.below(held.len()));
                            heap.give(&mut cache, block);
                        }
                    }
                    drop(senders);
                    heap.store.empty(&mut cache);
                    (held, receiver)
                })
            })
            .collect();
        drop(senders);
        for worker in workers {
            let (held, receiver) = worker.join().expect("a worker");
            for block in held.into_iter().chain(receiver.iter()) {
                insert(&mut left, block);
            }
        }
    });
    heap.walk(&left);
    let mut cache = Cache::empty();
    for block in left.into_values() {
        heap.give(&mut cache, block);
    }
    heap.walk(&BTreeMap::new());
}

#[test]
fn what_one_thread_frees_another_one_gets_and_no_memory_is_added() {
    let heap = heap!();
    for bytes in [8, 64, 200, 1000, 20_000] {
        let (mut maker, mut taker) = (Cache::empty(), Cache::empty());
        let mut top = 0;
        let mut random = Random(3);
        for round in 0..60 {
            let mut blocks: Vec<Block> =
                (0..1000).map(|seed| heap.take(&mut maker, bytes, 16, seed)).collect();
            for _ in 0..round % 3 * 300 {
                let (one, other) = (random.below(1000), random.below(1000));
                blocks.swap(one, other);
            }
            blocks.into_iter().for_each(|block| heap.give(&mut taker, block));
            // The two keep a batch or two each; the rest has come back.
            if round == 3 {
                top = heap.spans.top();
            }
            assert!(round < 4 || heap.spans.top() == top, "{bytes} bytes, round {round}");
        }
    }
}

#[test]
fn spans_whose_blocks_all_came_back_serve_other_sizes_when_memory_runs_out() {
    let heap = heap!();
    let mut cache = Cache::empty();
    let class = class_of(64);
    let count = 3 * blocks_of_span(class);
    let blocks: Vec<Block> = (0..count).map(|seed| heap.take(&mut cache, 64, 16, seed)).collect();
    blocks.into_iter().for_each(|block| heap.give(&mut cache, block));
    heap.store.empty(&mut cache);
    let top = heap.spans.top();
    assert!(heap.store.reclaim());
    let large = heap.take(&mut cache, 3 * SPAN_BYTES - 1, 16, 7);
    assert_eq!(heap.spans.top(), top);
    heap.give(&mut cache, large);
}

#[test]
fn a_large_block_keeps_its_content_however_often_it_moves() {
    let heap = heap!();
    let mut random = Random(5);
    let mut cache = Cache::empty();
    // Blocks between which the large ones cannot grow where they are.
    let mut blocks: Vec<Block> = (0..6).map(|index| heap.take(&mut cache, 700 << 10, 16, index)).collect();
    for _ in 0..400 {
        let index = random.below(blocks.len());
        let bytes = (520 << 10) + random.below(9 << 20);
        blocks[index] = heap.resize(&mut cache, blocks[index], bytes);
    }
    for block in blocks {
        heap.give(&mut cache, block);
    }
}
