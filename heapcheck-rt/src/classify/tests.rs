//! Classification against definitions: reachability is computed anew for every question.

use std::collections::BTreeSet;

use super::{Edge, Kind, Leaks, Ordinal, Retained, classify};
use crate::space::{BlockId, OutOfMemory, Run, Slot, Space};
use crate::test_space::{Random, TestMemory, TestSpace};

const WORD: usize = 8;

fn classify_all(space: &TestSpace) -> Leaks<TestMemory> {
    classify(&TestMemory, space, all_of(space).into_iter()).expect("tests have memory")
}

fn all_of(space: &TestSpace) -> Vec<Slot> {
    let mut slots = vec![];
    space.each_live(&mut |slot, _| slots.push(slot));
    slots
}

fn edges(leaks: &Leaks<TestMemory>, space: &TestSpace) -> Vec<Edge> {
    let mut edges = vec![];
    for from in 0..leaks.blocks().len() as Ordinal {
        let visited = leaks.each_edge(space, from, |edge| {
            edges.push(edge);
            Ok::<(), OutOfMemory>(())
        });
        visited.expect("the visitor never fails");
    }
    edges
}

/// The same questions by definition.
struct Oracle {
    blocks: Vec<(Slot, usize)>,
    edges: Vec<(usize, usize, usize, usize)>,
    /// Who reaches whom over at least one pointer.
    reach: Vec<BTreeSet<usize>>,
}

impl Oracle {
    fn new(space: &TestSpace, chosen: impl Fn(Slot) -> bool) -> Self {
        let mut blocks = vec![];
        space.each_live(&mut |slot, size| {
            if chosen(slot) {
                blocks.push((slot, size));
            }
        });
        blocks.sort_by_key(|(slot, _)| slot.id);
        let mut edges = vec![];
        for (from, &(slot, size)) in blocks.iter().enumerate() {
            for offset in (0..size / WORD).map(|index| index * WORD) {
                let word = space.read(slot.base + offset);
                let to =
                    blocks.iter().position(|&(to, size)| (to.base..to.base + size.max(1)).contains(&word));
                edges.extend(to.map(|to| (from, offset, to, word - blocks[to].0.base)));
            }
        }
        let reach = (0..blocks.len()).map(|from| reach(&edges, edges_from(&edges, from))).collect();
        Self { blocks, edges, reach }
    }

    fn in_one_component(&self, one: usize, other: usize) -> bool {
        one == other || (self.reach[one].contains(&other) && self.reach[other].contains(&one))
    }

    fn component(&self, block: usize) -> BTreeSet<usize> {
        (0..self.blocks.len()).filter(|&other| self.in_one_component(block, other)).collect()
    }

    fn is_head(&self, block: usize) -> bool {
        self.edges
            .iter()
            .all(|&(from, _, to, _)| !self.in_one_component(block, to) || self.in_one_component(block, from))
    }

    fn kind(&self, block: usize) -> Kind {
        match (self.is_head(block), self.reach[block].contains(&block)) {
            (true, true) => Kind::Cycle,
            (true, false) => Kind::Direct,
            _ => Kind::Indirect,
        }
    }

    /// What no head reaches any more once `removed` is gone.
    fn kept_by(&self, removed: &BTreeSet<usize>) -> BTreeSet<usize> {
        let heads = (0..self.blocks.len()).filter(|&block| self.is_head(block) && !removed.contains(&block));
        let edges: Vec<_> = self.edges.iter().filter(|edge| !removed.contains(&edge.2)).copied().collect();
        let reached = reach(&edges, heads.collect());
        (0..self.blocks.len()).filter(|block| !reached.contains(block)).collect()
    }
}

fn edges_from(edges: &[(usize, usize, usize, usize)], from: usize) -> Vec<usize> {
    edges.iter().filter(|edge| edge.0 == from).map(|edge| edge.2).collect()
}

fn reach(edges: &[(usize, usize, usize, usize)], mut waiting: Vec<usize>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    while let Some(block) = waiting.pop() {
        if reached.insert(block) {
            waiting.extend(edges_from(edges, block));
        }
    }
    reached
}

fn check(space: &TestSpace, chosen: impl Fn(Slot) -> bool + Copy, context: &str) {
    let oracle = Oracle::new(space, chosen);
    let leaks = classify(&TestMemory, space, all_of(space).into_iter().filter(|slot| chosen(*slot)))
        .expect("tests have memory");
    let blocks: Vec<_> = leaks.blocks().iter().map(|block| (block.slot, block.size)).collect();
    assert_eq!(blocks, oracle.blocks, "{context}");
    let found: Vec<_> = edges(&leaks, space)
        .iter()
        .map(|edge| (edge.from as usize, edge.offset, edge.to as usize, edge.to_offset))
        .collect();
    assert_eq!(found, oracle.edges, "{context}");
    for (block, (slot, _)) in blocks.iter().enumerate() {
        let context = format!("{context}, block {block}");
        assert_eq!(leaks.ordinal_of(slot.id), Some(block as Ordinal), "{context}");
        let component = leaks.component_of(block as Ordinal);
        let members: BTreeSet<usize> =
            leaks.members(component).iter().map(|&member| member as usize).collect();
        assert_eq!(members, oracle.component(block), "{context}");
        assert_eq!(leaks.kind(block as Ordinal), oracle.kind(block), "{context}");
        assert_eq!(leaks.is_cycle(component), oracle.reach[block].contains(&block), "{context}");
        let kept = oracle.kept_by(&members);
        let bytes = kept.iter().map(|&kept| blocks[kept].1 as u64).sum();
        assert_eq!(leaks.retained(component), Retained { bytes, blocks: kept.len() as u64 }, "{context}");
        if oracle.is_head(block) {
            for &kept in &kept {
                assert_eq!(leaks.head_of(leaks.component_of(kept as Ordinal)), Some(component), "{context}");
            }
        }
        if let Some(owner) = leaks.owner_of(component) {
            let owner = leaks.members(owner).iter().map(|&member| member as usize).collect();
            assert!(oracle.kept_by(&owner).contains(&block), "{context}");
        }
    }
}

#[test]
fn random_leaks_are_classified_as_by_definition() {
    for seed in 1..=400 {
        let mut random = Random::new(seed);
        let mut space = TestSpace::new(0);
        for _ in 0..1 + random.below(4) {
            let run = space.add_run(16 * (2 + random.below(4)), 1 + random.below(12));
            for index in 0..run.slots {
                if !random.once_in(6) {
                    space.set_live(run.slot(index).id, random.below(run.stride));
                }
            }
        }
        let sparse = 1 + random.below(12);
        let (lo, hi) = space.bounds();
        for addr in (lo..hi).step_by(WORD) {
            if space.slot_of(addr).is_some() && random.once_in(sparse) {
                let slot = space.slot(random.below(space.slots()) as BlockId);
                let size = space.live_size(slot).unwrap_or(1);
                let word = slot.base + [0, random.below(size.max(1)), size][random.below(3)];
                space.write(addr, word);
            }
        }
        check(&space, |_| true, &format!("seed {seed}"));
        check(&space, |slot| slot.id % 3 != 0, &format!("seed {seed}, two thirds"));
    }
}

/// Blocks of 32 bytes that point to each other as `edges` say.
fn graph(blocks: usize, edges: &[(usize, usize)]) -> TestSpace {
    let mut space = TestSpace::new(0);
    let run = space.add_blocks(blocks, 32);
    let mut used = vec![0; blocks];
    for &(from, to) in edges {
        space.write(run.slot(from).base + used[from] * WORD, run.slot(to).base);
        used[from] += 1;
    }
    space
}

#[test]
fn the_drawing_in_the_head_of_the_module_is_true() {
    use Kind::{Cycle, Direct, Indirect};
    let [a, b, c, d, e, f, g, h, i, j] = std::array::from_fn(|index| index);
    let space = graph(10, &[(a, b), (b, c), (d, e), (e, d), (e, f), (g, h), (h, g), (i, h), (j, j)]);
    let leaks = classify_all(&space);
    let kinds: Vec<Kind> = (0..10).map(|block| leaks.kind(block)).collect();
    assert_eq!(
        kinds,
        [Direct, Indirect, Indirect, Cycle, Cycle, Indirect, Indirect, Indirect, Direct, Cycle]
    );
    let kept = [a, d, i, j].map(|block| leaks.retained(leaks.component_of(block as Ordinal)).blocks);
    assert_eq!(kept, [3, 3, 3, 1]);
    assert!(leaks.is_cycle(leaks.component_of(g as Ordinal)));
    check(&space, |_| true, "the drawing");
}

#[test]
fn what_two_heads_share_belongs_to_neither() {
    let leaks = classify_all(&graph(4, &[(0, 2), (1, 2), (2, 3)]));
    let retained = |block| leaks.retained(leaks.component_of(block)).blocks;
    assert_eq!([0, 1, 2, 3].map(retained), [1, 1, 2, 1]);
    assert_eq!(leaks.head_of(leaks.component_of(3)), None);
    assert_eq!(leaks.owner_of(leaks.component_of(3)), Some(leaks.component_of(2)));
}

#[test]
fn nothing_chosen_is_no_leak() {
    let space = graph(3, &[(0, 1), (1, 2)]);
    let leaks = classify(&TestMemory, &space, std::iter::empty()).expect("tests have memory");
    assert!(leaks.blocks().is_empty());
    assert_eq!((leaks.components(), leaks.ordinal_of(0)), (0, None));
}

/// Large shapes: their numbers are known without an oracle, and anything quadratic or recursive would show.
#[test]
fn large_shapes_are_classified_in_linear_time() {
    const N: usize = 200_000;
    type Shape = fn(usize) -> [Option<usize>; 2];
    let shapes: [(&str, Shape, u64, usize); 6] = [
        ("a list", |n| [(n + 1 < N).then_some(n + 1), None], N as u64, N),
        ("a list backwards", |n| [n.checked_sub(1), None], 1, N),
        ("a ring", |n| [Some((n + 1) % N), None], N as u64, 1),
        ("a doubly linked list", |n| [n.checked_sub(1), (n + 1 < N).then_some(n + 1)], N as u64, 1),
        ("a tree", |n| [1, 2].map(|side| Some(2 * n + side).filter(|&to| to < N)), N as u64, N),
        (
            "a list of which all point to the last",
            |n| [(n + 1 < N).then_some(n + 1), (n + 1 < N).then_some(N - 1)],
            N as u64,
            N,
        ),
    ];
    for (name, shape, kept_by_first, components) in shapes {
        let mut space = TestSpace::new(0);
        let run: Run = space.add_blocks(N, 16);
        for from in 0..N {
            for (index, to) in shape(from).into_iter().enumerate() {
                space.write(run.slot(from).base + index * WORD, to.map_or(0, |to| run.slot(to).base));
            }
        }
        let leaks = classify_all(&space);
        assert_eq!(leaks.components(), components, "{name}");
        assert_eq!(leaks.retained(leaks.component_of(0)).blocks, kept_by_first, "{name}");
        let heads = (0..N as Ordinal).filter(|&block| leaks.kind(block) != Kind::Indirect).count();
        assert_eq!(heads, if components == 1 { N } else { 1 }, "{name}");
    }
}
