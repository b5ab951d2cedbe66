//! Marking against a naive oracle, on random heaps, with any number of markers and stacks down to none at all.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU8;

use super::pool::{Pool, Sighting, Work};
use super::{Census, HUGE_BYTES, Marking, Marks, ROOT_PIECE_BYTES, Root, Roots};
use crate::space::{BlockId, Slot, Space};
use crate::test_space::{Random, TestSpace};

const WORD: usize = 8;

/// The blocks that are reached, and those of them that only weak roots reach.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    marked: BTreeSet<BlockId>,
    doubtful: BTreeSet<BlockId>,
}

/// The same marking, with and without a census: both must agree, with each other and with the marks.
fn mark(space: &TestSpace, roots: Roots<'_>, markers: usize, stack: usize) -> Answer {
    let answer = mark_with(space, roots, markers, stack, true);
    assert_eq!(mark_with(space, roots, markers, stack, false), answer);
    answer
}

fn mark_with(space: &TestSpace, roots: Roots<'_>, markers: usize, stack: usize, counts: bool) -> Answer {
    let bytes: Vec<AtomicU8> = (0..space.slots()).map(|_| AtomicU8::new(0)).collect();
    let marks = Marks::new(&bytes);
    let mut marking = Marking::new(space, roots, marks, std::thread::yield_now);
    if counts {
        marking = marking.counting();
    }
    std::thread::scope(|scope| {
        for _ in 0..markers {
            scope.spawn(|| marking.run(&mut vec![Slot { id: 0, base: 0 }; stack]));
        }
    });
    let (mut answer, mut expected) = (Answer::default(), Census::default());
    space.each_live(&mut |slot, size| {
        (expected.blocks, expected.bytes) = (expected.blocks + 1, expected.bytes + size);
        assert_eq!(marks.is_lost(slot.id), counts && !marks.is_marked(slot.id));
        if marks.is_marked(slot.id) {
            answer.marked.insert(slot.id);
        }
        if marks.is_doubtful(slot.id) {
            answer.doubtful.insert(slot.id);
        }
    });
    expected.lost = expected.blocks - answer.marked.len();
    expected.doubtful = answer.doubtful.len();
    assert_eq!(marking.census(), if counts { expected } else { Census::default() });
    let free = (0..space.slots() as BlockId).filter(|id| space.live_size(space.slot(*id)).is_none());
    assert_eq!(free.filter(|id| marks.is_lost(*id)).count(), 0, "free slots are not lost");
    answer
}

/// The same by definition: a list of blocks, looked through for each word.
struct Oracle<'a> {
    space: &'a TestSpace,
    blocks: Vec<(Slot, usize)>,
    roots: Roots<'a>,
    marked: BTreeSet<BlockId>,
    hinted: BTreeSet<BlockId>,
}

impl<'a> Oracle<'a> {
    fn answer(space: &'a TestSpace, roots: Roots<'_>) -> Answer {
        let mut blocks = vec![];
        space.each_live(&mut |slot, size| blocks.push((slot, size)));
        let mut oracle = Oracle { space, blocks, roots, marked: BTreeSet::new(), hinted: BTreeSet::new() };
        roots.words.iter().for_each(|&word| oracle.reach(word));
        roots.strong.iter().for_each(|root| oracle.reach_from(*root));
        let strong = oracle.marked.clone();
        roots.weak.iter().for_each(|root| oracle.reach_from(*root));
        while let Some(id) = oracle.hinted.difference(&oracle.marked).next().copied() {
            oracle.reach(space.slot(id).base);
        }
        Answer { doubtful: oracle.marked.difference(&strong).copied().collect(), marked: oracle.marked }
    }

    fn reach_from(&mut self, root: Root) {
        let words = (root.lo..root.hi).filter(|addr| addr % WORD == 0 && addr + WORD <= root.hi);
        words.for_each(|addr| self.reach(self.space.read(addr)));
    }

    fn reach(&mut self, word: usize) {
        let mut waiting = vec![word];
        while let Some(word) = waiting.pop() {
            for &(slot, size) in &self.blocks {
                if (slot.base..slot.base + size.max(1)).contains(&word) {
                    if self.marked.insert(slot.id) {
                        waiting
                            .extend((0..size / WORD).map(|index| self.space.read(slot.base + index * WORD)));
                    }
                } else if (self.roots.ends && word == slot.base + size)
                    || (self.roots.tags
                        && (slot.base..slot.base + size.max(1)).contains(&((word << 16) >> 16)))
                {
                    self.hinted.insert(slot.id);
                }
            }
        }
    }
}

/// A heap of random blocks, with pointers of all sorts in blocks, slack, free slots and roots.
fn random_heap(random: &mut Random, root_words: usize) -> TestSpace {
    let mut space = TestSpace::new(root_words);
    for _ in 0..1 + random.below(6) {
        if random.once_in(3) {
            space.add_gap();
        }
        let (stride, slots) = (16 * (1 + random.below(12)), 1 + random.below(40));
        let run = space.add_run(stride, slots);
        let free_once_in = 1 + random.below(6);
        for index in 0..slots {
            if !random.once_in(free_once_in) || free_once_in == 1 {
                let size = if random.once_in(8) { 0 } else { random.below(stride) };
                space.set_live(run.slot(index).id, size);
            }
        }
    }
    let (lo, hi) = space.bounds();
    let sparse = 1 + random.below(30);
    for addr in (lo..hi).step_by(WORD) {
        if space.slot_of(addr).is_some() && random.once_in(sparse) {
            let word = random_word(&space, random);
            space.write(addr, word);
        }
    }
    for index in 0..root_words {
        if random.once_in(root_words / 4) {
            let word = random_word(&space, random);
            space.write(space.root_at(index), word);
        }
    }
    space
}

fn random_word(space: &TestSpace, random: &mut Random) -> usize {
    let slot = space.slot(random.below(space.slots()) as BlockId);
    let size = space.live_size(slot).unwrap_or(0);
    match random.below(10) {
        0..4 => slot.base,
        4..6 => slot.base + random.below(size.max(1)),
        6 => slot.base + size,
        7 => (slot.base + random.below(size + 2)) | ((1 + random.below(0xffff)) << 48),
        8 => slot.base + size + 1 + random.below(16),
        _ => [random.next() as usize, space.root_at(0), space.bounds().1, space.bounds().0 - 1]
            [random.below(4)],
    }
}

#[test]
fn random_heaps_are_marked_as_the_oracle_says() {
    const ROOT_WORDS: usize = 64;
    let mut doubtful_seen = 0;
    for seed in 1..=600 {
        let mut random = Random::new(seed);
        let space = random_heap(&mut random, ROOT_WORDS);
        let at = |words: usize, bytes: usize| space.root_at(words) + bytes;
        let strong = [Root { lo: at(0, 0), hi: at(9, 0) }, Root { lo: at(11, 3), hi: at(20, 5) }];
        let weak = [Root { lo: at(30, 0), hi: at(30, 0) }, Root { lo: at(40, 0), hi: at(60, 0) }];
        let words = [random_word(&space, &mut random), random_word(&space, &mut random)];
        let (ends, tags) = (!random.once_in(4), !random.once_in(4));
        let roots = Roots { words: &words, strong: &strong, weak: &weak, ends, tags };
        let expected = Oracle::answer(&space, roots);
        doubtful_seen += expected.doubtful.len();
        for (markers, stack) in [(1, 4096), (1, 0), (1, 1), (1, 5), (2, 2), (3, 40)] {
            let answer = mark(&space, roots, markers, stack);
            assert_eq!(answer, expected, "seed {seed}, {markers} markers, a stack of {stack}");
        }
    }
    assert!(doubtful_seen > 1000, "the heaps had only {doubtful_seen} doubtful blocks");
}

/// Marks from the first root word and returns how many blocks that reaches.
fn reached_from(space: &TestSpace, markers: usize, stack: usize) -> usize {
    let strong = [Root { lo: space.root_at(0), hi: space.root_at(1) }];
    let roots = Roots { words: &[], strong: &strong, weak: &[], ends: true, tags: true };
    mark(space, roots, markers, stack).marked.len()
}

#[test]
fn a_long_list_is_followed_in_either_direction() {
    const LEN: usize = 20_000;
    for forward in [true, false] {
        let mut space = TestSpace::new(1);
        let run = space.add_blocks(LEN, 24);
        let at = |index: usize| run.slot(if forward { index } else { LEN - 1 - index }).base;
        space.write(space.root_at(0), at(0));
        (1..LEN).for_each(|index| space.write(at(index - 1) + 16, at(index)));
        for (markers, stack) in [(1, 64), (2, 64), (2, 1)] {
            assert_eq!(reached_from(&space, markers, stack), LEN);
        }
    }
}

#[test]
fn a_huge_block_is_shared_and_scanned_whole() {
    const COUNT: usize = 6 * HUGE_BYTES / WORD;
    let mut space = TestSpace::new(1);
    let table = space.add_block(COUNT * WORD);
    let run = space.add_blocks(COUNT, 8);
    space.write(space.root_at(0), table.base + 12_345);
    (0..COUNT).for_each(|index| space.write(table.base + index * WORD, run.slot(index * 7919 % COUNT).base));
    for (markers, stack) in [(1, 1 << 20), (1, 100), (2, 100), (3, 1000)] {
        assert_eq!(reached_from(&space, markers, stack), COUNT + 1);
    }
}

#[test]
fn a_tree_is_shared_among_markers() {
    const COUNT: usize = 60_000;
    let mut space = TestSpace::new(1);
    let run = space.add_blocks(COUNT, 24);
    space.write(space.root_at(0), run.slot(0).base);
    for child in 1..COUNT {
        space
            .write(run.slot((child - 1) / 3).base + (child - 1) % 3 * WORD, run.slot(child).base + child % 2);
    }
    for _ in 0..20 {
        assert_eq!(reached_from(&space, 3, COUNT), COUNT);
    }
}

#[test]
fn what_is_offered_is_taken_once() {
    let roots = Roots { words: &[], strong: &[], weak: &[], ends: false, tags: false };
    let pool = Pool::new(roots, 0, 0, std::thread::yield_now);
    pool.join();
    let slots: Vec<Slot> = (1..=100).map(|id| Slot { id, base: id as usize * 16 }).collect();
    let left = slots.len() - pool.offer(&slots);
    assert!(pool.offer_range(Root { lo: 0, hi: 3 * ROOT_PIECE_BYTES - 8 }));
    let (mut addrs, mut bytes) = (vec![], 0);
    loop {
        match pool.take(Sighting::default()) {
            Work::Blocks(batch) => addrs.extend_from_slice(batch.addrs()),
            Work::Range(range) => bytes += range.hi - range.lo,
            Work::Done => break,
            _ => {}
        }
    }
    addrs.sort_unstable();
    let expected: Vec<usize> = slots[left..].iter().map(|slot| slot.base).collect();
    assert!(!expected.is_empty());
    assert_eq!((addrs, bytes), (expected, 3 * ROOT_PIECE_BYTES - 8));
}

#[test]
fn a_large_root_is_scanned_to_its_last_word() {
    const WORDS: usize = 3 * ROOT_PIECE_BYTES / WORD + 1;
    let mut space = TestSpace::new(WORDS);
    let run = space.add_blocks(WORDS, 16);
    (0..WORDS).for_each(|index| space.write(space.root_at(index), run.slot(index).base));
    let strong = [Root { lo: space.root_at(0), hi: space.root_at(WORDS) }];
    let roots = Roots { words: &[], strong: &strong, weak: &[], ends: false, tags: false };
    assert_eq!(mark(&space, roots, 2, 256).marked.len(), WORDS);
}

#[test]
fn an_end_pointer_in_a_doubtful_block_counts() {
    let mut space = TestSpace::new(1);
    let [first, second, third] = [24, 40, 0].map(|size| space.add_block(size));
    space.write(space.root_at(0), first.base + 24);
    space.write(first.base, second.base + 40);
    space.write(second.base + 32, third.base);
    let strong = [Root { lo: space.root_at(0), hi: space.root_at(1) }];
    let mut roots = Roots { words: &[], strong: &strong, weak: &[], ends: true, tags: true };
    let answer = mark(&space, roots, 1, 16);
    assert_eq!(answer.doubtful, BTreeSet::from([first.id, second.id, third.id]));
    roots.ends = false;
    assert_eq!(mark(&space, roots, 1, 16), Answer::default());
}

#[test]
fn a_tagged_pointer_is_a_hint() {
    let mut space = TestSpace::new(1);
    let [first, second, third] = [24, 40, 0].map(|size| space.add_block(size));
    space.write(space.root_at(0), (first.base + 23) | (0xfff8 << 48));
    space.write(first.base, second.base | (1 << 48));
    space.write(second.base + 32, third.base | (1 << 63));
    let strong = [Root { lo: space.root_at(0), hi: space.root_at(1) }];
    let mut roots = Roots { words: &[], strong: &strong, weak: &[], ends: true, tags: true };
    let answer = mark(&space, roots, 1, 16);
    assert_eq!(answer.doubtful, BTreeSet::from([first.id, second.id, third.id]));
    assert_eq!(answer.marked, answer.doubtful);
    roots.tags = false;
    assert_eq!(mark(&space, roots, 1, 16), Answer::default());
}

#[test]
fn a_marker_that_comes_late_finds_all_done() {
    let mut space = TestSpace::new(1);
    let block = space.add_block(8);
    space.write(space.root_at(0), block.base);
    let bytes = [AtomicU8::new(0)];
    let strong = [Root { lo: space.root_at(0), hi: space.root_at(1) }];
    let roots = Roots { words: &[], strong: &strong, weak: &[], ends: true, tags: true };
    let marking = Marking::new(&space, roots, Marks::new(&bytes), std::thread::yield_now);
    marking.run(&mut []);
    marking.run(&mut []);
    assert!(Marks::new(&bytes).is_marked(block.id));
}

#[test]
fn what_is_excused_after_the_census_is_lost_no_more() {
    let mut space = TestSpace::new(1);
    let [excused, held, lost] = [24, 40, 8].map(|size| space.add_block(size));
    space.write(excused.base + 16, held.base + 8);
    let bytes: Vec<AtomicU8> = (0..space.slots()).map(|_| AtomicU8::new(0)).collect();
    let marks = Marks::new(&bytes);
    let none = Roots { words: &[], strong: &[], weak: &[], ends: true, tags: true };
    let marking = Marking::new(&space, none, marks, std::thread::yield_now).counting();
    marking.run(&mut []);
    assert_eq!(marking.census(), Census { blocks: 3, bytes: 72, lost: 3, doubtful: 0 });
    let again = Roots { words: &[excused.base], ..none };
    Marking::new(&space, again, marks, std::thread::yield_now).run(&mut []);
    assert_eq!([excused, held, lost].map(|slot| marks.is_lost(slot.id)), [false, false, true]);
}
