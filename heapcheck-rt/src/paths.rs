#![forbid(unsafe_code)]
//! The shortest way from the roots to each block: who holds it.
//!
//! A breadth-first search keeps, for each block, the address of the word that led to it first. From there the way back
//! to a root is a walk over these words: a word inside a block has that block as its holder, and a word in a root ends
//! the walk. Roots come in *tiers*, and a tier is searched to its end before the next begins: a static that reaches a
//! block over five pointers says more about it than a word that a function has left on its stack.
//!
//! Only strong pointers count, as in `mark`. The price is eight bytes a slot and sixteen a reached block, and one
//! processor's time; nobody pays it who has not asked why a block is alive.

use crate::mark::Root;
use crate::space::{BlockId, Grow, Memory, OutOfMemory, Slot, Space};

const WORD: usize = size_of::<usize>();
/// Blocks are asked for so many ahead of their scan.
const AHEAD: usize = 8;
/// Words are aligned, so their lowest bit is free to say that this one lies in a root.
const IN_ROOT: usize = 1;

/// The word that holds a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its address.
    pub(crate) addr: usize,
    /// Whether it lies in a root; else in a block.
    pub(crate) is_root: bool,
}

/// What was reached, and from where.
pub(crate) struct Paths<M: Memory> {
    from: M::Buf<usize>,
    reached: M::Buf<Slot>,
}

/// Searches the heap from `tiers`, one after the other, and in each from all roots at once.
pub(crate) fn find<M: Memory>(
    memory: &M,
    space: &impl Space,
    tiers: &[&[Root]],
) -> Result<Paths<M>, OutOfMemory> {
    let mut paths: Paths<M> = Paths { from: memory.buf(), reached: memory.buf() };
    paths.from.resize(space.slots(), 0)?;
    let mut scanned = 0;
    for roots in tiers {
        for root in *roots {
            paths.scan(space, *root, IN_ROOT)?;
        }
        while let Some(&slot) = paths.reached.as_slice().get(scanned) {
            if let Some(ahead) = paths.reached.as_slice().get(scanned + AHEAD) {
                space.prefetch(ahead.base);
            }
            scanned += 1;
            let size = space.live_size(slot).unwrap_or(0);
            paths.scan(space, Root { lo: slot.base, hi: slot.base + size }, 0)?;
        }
    }
    Ok(paths)
}

impl<M: Memory> Paths<M> {
    fn scan(&mut self, space: &impl Space, range: Root, flag: usize) -> Result<(), OutOfMemory> {
        let (lo, hi) = space.bounds();
        let mut addr = range.lo.next_multiple_of(WORD);
        while addr < range.hi && range.hi - addr >= WORD {
            let word = space.read(addr);
            if word.wrapping_sub(lo) < hi - lo
                && let Some(slot) = space.slot_of(word)
                && self.from.as_slice()[slot.id as usize] == 0
                && let Some(size) = space.live_size(slot)
                && word - slot.base < size.max(1)
            {
                self.from.as_mut_slice()[slot.id as usize] = addr | flag;
                self.reached.push(slot)?;
            }
            addr += WORD;
        }
        Ok(())
    }

    /// The blocks that were reached: of one tier those with a shorter way first.
    pub(crate) fn reached(&self) -> &[Slot] {
        self.reached.as_slice()
    }

    /// What holds the block; `None` when no root reaches it.
    pub(crate) fn holder_of(&self, id: BlockId) -> Option<Holder> {
        match self.from.as_slice().get(id as usize) {
            None | Some(0) => None,
            Some(from) => Some(Holder { addr: from & !IN_ROOT, is_root: from & IN_ROOT != 0 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_space::{Random, TestMemory, TestSpace};

    /// Distances by definition: all blocks are asked again in each round, until a round finds nothing.
    fn distances(space: &TestSpace, tiers: &[&[Root]]) -> Vec<Option<(usize, usize)>> {
        let mut blocks = vec![];
        space.each_live(&mut |slot, size| blocks.push((slot, size)));
        let targets = |lo: usize, hi: usize| {
            let words = (lo.next_multiple_of(WORD)..).step_by(WORD).take_while(move |addr| addr + WORD <= hi);
            let blocks = &blocks;
            words.filter_map(move |addr| {
                let word = space.read(addr);
                let hit = blocks
                    .iter()
                    .find(|(slot, size)| (slot.base..slot.base + (*size).max(1)).contains(&word));
                hit.map(|(slot, _)| slot.id as usize)
            })
        };
        let mut found = vec![None; space.slots()];
        for (tier, roots) in tiers.iter().enumerate() {
            let mut round: Vec<usize> = roots.iter().flat_map(|root| targets(root.lo, root.hi)).collect();
            // What an earlier tier reached leads nowhere new.
            let mut distance = 0;
            while !round.is_empty() {
                let mut next = vec![];
                for id in round {
                    if found[id].is_none() {
                        found[id] = Some((tier, distance));
                        let (slot, size) =
                            blocks[blocks.iter().position(|(slot, _)| slot.id as usize == id).unwrap()];
                        next.extend(targets(slot.base, slot.base + size));
                    }
                }
                (round, distance) = (next, distance + 1);
            }
        }
        found
    }

    #[test]
    fn every_way_is_a_way_and_none_is_shorter() {
        let (mut reached, mut long) = (0, 0);
        for seed in 1..=800 {
            let mut random = Random::new(seed);
            let mut space = TestSpace::new(16);
            for _ in 0..1 + random.below(4) {
                let run = space.add_run(16 * (1 + random.below(6)), 1 + random.below(30));
                for index in 0..run.slots {
                    if !random.once_in(5) {
                        let size = random.below(run.stride);
                        space.set_live(run.slot(index).id, size);
                    }
                }
            }
            let (lo, hi) = space.bounds();
            let pointer = |space: &TestSpace, random: &mut Random| {
                let slot = space.slot(random.below(space.slots()) as BlockId);
                slot.base + if random.once_in(3) { random.below(40) } else { 0 }
            };
            for addr in
                (lo..hi).step_by(WORD).filter(|addr| space.slot_of(*addr).is_some()).collect::<Vec<_>>()
            {
                if random.once_in(4) {
                    let word = pointer(&space, &mut random);
                    space.write(addr, word);
                }
            }
            for index in [0, 3, 9, 12] {
                let word = pointer(&space, &mut random);
                space.write(space.root_at(index), word);
            }
            let root = |from: usize, to: usize| Root { lo: space.root_at(from), hi: space.root_at(to) };
            let (first, second) = ([root(0, 2), root(2, 6)], [root(8, 16)]);
            let tiers: [&[Root]; 2] = [&first, &second];
            let expected = distances(&space, &tiers);
            let paths = find(&TestMemory, &space, &tiers).expect("tests have memory");
            for (id, expected) in expected.iter().enumerate() {
                let mut way = vec![];
                let mut at = paths.holder_of(id as BlockId).map(|holder| (space.slot(id as BlockId), holder));
                let Some((tier, distance)) = *expected else {
                    assert_eq!(at.map(|(_, holder)| holder), None, "seed {seed}: {id} is reached by nobody");
                    continue;
                };
                while let Some((slot, holder)) = at {
                    let word = space.read(holder.addr);
                    assert!(word - slot.base < space.live_size(slot).unwrap().max(1), "seed {seed}");
                    way.push(holder);
                    at = (!holder.is_root).then(|| {
                        let holder = space.slot_of(holder.addr).expect("a word in a block");
                        (holder, paths.holder_of(holder.id).expect("a holder is held"))
                    });
                }
                let last = way.last().expect("a way has an end").addr;
                let in_tier = tiers[tier].iter().any(|root| (root.lo..root.hi).contains(&last));
                assert!(in_tier || tier == 1, "seed {seed}: {id} is held by the wrong tier");
                // A later tier may end at a block of an earlier one only by going through it, which it never needs.
                assert_eq!((in_tier, way.len()), (true, distance + 1), "seed {seed}: the way to {id}");
                reached += 1;
                long += usize::from(distance > 3);
            }
            assert_eq!(paths.reached().len(), expected.iter().flatten().count());
        }
        assert!(reached > 3000 && long > 200, "{reached} reached, {long} of them far");
    }
}
