#![forbid(unsafe_code)]
//! What is in use: live blocks summed by trace, scope and thread.
//!
//! Blocks are gathered in a list that is folded each time it has doubled: equal ones become one. So the list is never much
//! longer than twice the number of sums, however many blocks there are, and each block is sorted a few times at most.

use crate::record::InUse;
use crate::space::{Grow, Memory, OutOfMemory};

/// The list is not folded before it has so many items.
const FOLD_FROM: usize = 1 << 12;

/// The sums in the making.
pub(crate) struct Sums<M: Memory> {
    items: M::Buf<InUse>,
    /// The length at which the list is folded next.
    limit: usize,
}

impl<M: Memory> Sums<M> {
    /// Of no blocks.
    pub(crate) fn new(memory: &M) -> Self {
        Self { items: memory.buf(), limit: FOLD_FROM }
    }

    /// Adds blocks.
    pub(crate) fn add(&mut self, item: InUse) -> Result<(), OutOfMemory> {
        if self.items.as_slice().len() == self.limit {
            self.fold();
            self.limit = FOLD_FROM.max(2 * self.items.as_slice().len());
        }
        self.items.push(item)
    }

    /// The sums, the largest first: at most `count` of them, and behind those one for all the rest, which has no trace.
    pub(crate) fn largest(&mut self, count: usize) -> &[InUse] {
        self.fold();
        self.items.as_mut_slice().sort_unstable_by_key(|item| (core::cmp::Reverse(item.bytes), key(item)));
        let mut rest = InUse { trace: 0, scope: 0, thread: u32::MAX, blocks: 0, bytes: 0 };
        while self.items.as_slice().len() > count
            && let Some(item) = self.items.pop()
        {
            (rest.blocks, rest.bytes) = (rest.blocks + item.blocks, rest.bytes + item.bytes);
        }
        // What was taken out has left room.
        if rest.blocks > 0 && self.items.push(rest).is_err() {
            return self.items.as_slice();
        }
        self.items.as_slice()
    }

    /// Makes one of equal ones.
    fn fold(&mut self) {
        let items = self.items.as_mut_slice();
        items.sort_unstable_by_key(key);
        let mut kept = 0;
        for index in 0..items.len() {
            let item = items[index];
            if index > 0 && key(&items[kept]) == key(&item) {
                items[kept].blocks += item.blocks;
                items[kept].bytes += item.bytes;
            } else {
                kept += usize::from(index > 0);
                items[kept] = item;
            }
        }
        let sums = if items.is_empty() { 0 } else { kept + 1 };
        while self.items.as_slice().len() > sums {
            self.items.pop();
        }
    }
}

fn key(item: &InUse) -> (u32, u32, u32) {
    (item.trace, item.scope, item.thread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_space::{Random, TestMemory};
    use std::collections::BTreeMap;

    #[test]
    fn sums_are_those_of_a_map() {
        for seed in 1..=60 {
            let mut random = Random::new(seed);
            let (traces, blocks) = (1 + random.below(3000), random.below(40_000));
            let mut sums = Sums::new(&TestMemory);
            let mut expected: BTreeMap<(u32, u32, u32), (u64, u64)> = BTreeMap::new();
            for _ in 0..blocks {
                let mut number = |below: usize| random.below(below) as u32;
                let (trace, scope, thread, bytes) =
                    (number(traces), number(2), number(2), u64::from(number(100)));
                sums.add(InUse { trace, scope, thread, blocks: 1, bytes }).unwrap();
                let sum = expected.entry((trace, scope, thread)).or_default();
                *sum = (sum.0 + 1, sum.1 + bytes);
            }
            assert!(sums.items.len() <= FOLD_FROM.max(2 * expected.len()), "seed {seed}: the list is folded");
            let found: BTreeMap<_, _> =
                sums.largest(usize::MAX).iter().map(|item| (key(item), (item.blocks, item.bytes))).collect();
            assert_eq!(found, expected, "seed {seed}");
        }
    }

    #[test]
    fn of_too_many_the_smallest_are_told_as_one() {
        let mut sums = Sums::new(&TestMemory);
        for trace in 1..=10 {
            sums.add(InUse { trace, scope: 3, thread: 4, blocks: 2, bytes: u64::from(trace) }).unwrap();
        }
        let told: Vec<_> = sums.largest(3).iter().map(|item| (item.trace, item.blocks, item.bytes)).collect();
        assert_eq!(told, [(10, 2, 10), (9, 2, 9), (8, 2, 8), (0, 14, 28)]);
        assert!(Sums::new(&TestMemory).largest(3).is_empty());
    }
}
