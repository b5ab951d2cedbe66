//! Owners against their definition, on random graphs; trees and circles on small ones.

use std::collections::BTreeSet;

use heapcheck_rt::options::Mode;
use heapcheck_rt::record::{Block, Check, Edge, Found, LeakKind, Moment};

use super::circle;
use super::graph::Graph;
use super::owners::Owners;
use super::tree::{Names, grow};

/// Blocks by their components, and pointers.
fn found(components: &[u32], pointers: &[(u32, u32)]) -> Found {
    let block = |(id, component): (usize, &u32)| Block {
        id: id as u32,
        component: *component,
        trace: 1,
        scope: 0,
        thread: 0,
        kind: LeakKind::Direct,
        addr: id as u64 * 64,
        size_bytes: 10,
        retained_bytes: 0,
    };
    let edge = |&(from, to): &(u32, u32)| Edge { from, to, offset: u64::from(to) * 8, to_offset: 0 };
    Found {
        check: Check { number: 1, scope: 0, moment: Moment::Call, mode: Mode::Normal, has_in_use: false },
        leaks: Vec::new(),
        blocks: components.iter().enumerate().map(block).collect(),
        edges: pointers.iter().map(edge).collect(),
        contents: Vec::new(),
        held: Vec::new(),
        in_use: Vec::new(),
        totals: None,
    }
}

/// What is reached from `heads` without passing `without`.
fn reached(count: u32, pointers: &[(u32, u32)], heads: &[u32], without: Option<u32>) -> BTreeSet<u32> {
    let mut reached: BTreeSet<u32> = heads.iter().copied().filter(|head| Some(*head) != without).collect();
    for _ in 0..count {
        let next = pointers.iter().filter(|(from, to)| reached.contains(from) && Some(*to) != without);
        let next: Vec<u32> = next.map(|(_, to)| *to).collect();
        reached.extend(next);
    }
    reached
}

#[test]
fn an_owner_is_what_cuts_its_block_off() {
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..300 {
        let count = 1 + random(12) as u32;
        // Pointers lead to higher numbers, so every block is a component.
        let mut pointers = Vec::new();
        for _ in 0..random(24) {
            let (a, b) = (random(count.into()) as u32, random(count.into()) as u32);
            if a != b {
                pointers.push((a.min(b), a.max(b)));
            }
        }
        let ids: Vec<u32> = (0..count).collect();
        let found = found(&ids, &pointers);
        let graph = Graph::of(&found);
        let heads: Vec<u32> =
            ids.iter().copied().filter(|id| pointers.iter().all(|(_, to)| to != id)).collect();
        let entry_of: Vec<Option<u32>> =
            ids.iter().map(|id| heads.iter().position(|head| head == id).map(|at| at as u32)).collect();
        let owners = Owners::find(&graph, heads.len(), &entry_of);
        for &owner in &ids {
            let mut kept: BTreeSet<u32> = BTreeSet::new();
            let mut work = owners.of_component(owner).to_vec();
            while let Some(component) = work.pop() {
                kept.insert(component);
                work.extend(owners.of_component(component));
            }
            let mut cut = reached(count, &pointers, &heads, None);
            for id in reached(count, &pointers, &heads, Some(owner)).into_iter().chain([owner]) {
                cut.remove(&id);
            }
            assert_eq!(kept, cut, "of {owner} in {pointers:?}");
        }
    }
}

#[test]
fn without_pointers_that_hold_nothing_a_cycle_comes_apart() {
    let mut state = 11_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..400 {
        let count = 1 + random(10) as u32;
        let pointers: Vec<(u32, u32)> =
            (0..random(20)).map(|_| (random(count.into()) as u32, random(count.into()) as u32)).collect();
        let sees = |pointers: &[(u32, u32)], from: u32, to: u32| {
            reached(count, pointers, &[from], None).contains(&to)
        };
        let together = |pointers: &[(u32, u32)], a, b| sees(pointers, a, b) && sees(pointers, b, a);
        // The runtime's components, each called by its first block.
        let first = |node| (0..=node).find(|other| together(&pointers, *other, node)).unwrap();
        let components: Vec<u32> = (0..count).map(first).collect();
        let found = found(&components, &pointers);
        let is_weak = |(from, to): (u32, u32)| (from * 7 + to) % 3 == 0;
        let graph = Graph::of(&found).without(|_, ends, _| !is_weak(ends));
        // Only pointers inside of a component may go.
        let is_kept = |(from, to): &(u32, u32)| {
            components[*from as usize] != components[*to as usize] || !is_weak((*from, *to))
        };
        let kept: Vec<(u32, u32)> = pointers.iter().copied().filter(is_kept).collect();
        for a in 0..count {
            for b in 0..count {
                let is_one = graph.component_of(a) == graph.component_of(b);
                assert_eq!(is_one, together(&kept, a, b), "{a} {b} {pointers:?}");
            }
            let component = graph.component_of(a);
            assert!(graph.members(component).contains(&a));
            let mut targets: Vec<u32> = graph.pointers(a).iter().map(|(to, _)| *to).collect();
            let mut expected: Vec<u32> =
                kept.iter().filter(|(from, _)| *from == a).map(|(_, to)| *to).collect();
            targets.sort_unstable();
            expected.sort_unstable();
            assert_eq!(targets, expected);
            let was_touched = pointers
                .iter()
                .any(|ends| components[ends.0 as usize] == components[a as usize] && !is_kept(ends));
            if !was_touched {
                assert_eq!(graph.kind(component), LeakKind::Direct, "what nothing was taken from stays");
                continue;
            }
            let is_held = kept.iter().any(|(from, to)| {
                graph.component_of(*to) == component && graph.component_of(*from) != component
            });
            let is_cycle =
                graph.members(component).len() > 1 || kept.iter().any(|(from, to)| from == to && *to == a);
            let expected = match (is_held, is_cycle) {
                (true, _) => LeakKind::Indirect,
                (false, true) => LeakKind::Cycle,
                (false, false) => LeakKind::Direct,
            };
            assert_eq!(graph.kind(component), expected, "{a} {pointers:?}");
        }
    }
}

#[test]
fn what_equal_leaks_share_is_their_entrys() {
    // 0 and 1 are equal and share 3; 2 is another leak and shares 4 with them.
    let found = found(&[0, 1, 2, 3, 4], &[(0, 3), (1, 3), (1, 4), (2, 4)]);
    let graph = Graph::of(&found);
    let owners = Owners::find(&graph, 2, &[Some(0), Some(0), Some(1), None, None]);
    assert_eq!(owners.of_entry(0), [0, 1, 3]);
    assert_eq!(owners.of_entry(1), [2]);
    assert_eq!(owners.shared(), [4]);
}

/// Blocks are of the types that stand in a table.
struct Table(&'static [u32]);

impl Names for Table {
    fn kind(&mut self, node: u32) -> u32 {
        self.0[node as usize]
    }

    fn field(&mut self, _: u32, _: &Edge) -> u32 {
        0
    }

    fn site(&self, node: u32) -> u32 {
        self.0[node as usize]
    }

    fn counts(&self, _: u32) -> bool {
        true
    }
}

#[test]
fn equal_branches_and_chains_are_laid_together() {
    // A vector with three strings, and a list of four nodes, each with a string.
    let pointers = [(0, 1), (0, 2), (0, 3), (0, 4), (4, 5), (5, 6), (6, 7), (4, 8), (5, 9), (6, 10), (7, 11)];
    let ids: Vec<u32> = (0..12).collect();
    let found = found(&ids, &pointers);
    let graph = Graph::of(&found);
    let mut entry_of = vec![None; 12];
    entry_of[0] = Some(0);
    let owners = Owners::find(&graph, 1, &entry_of);
    let twigs = grow(&graph, &owners, &[0], &[], &mut Table(&[1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4]));
    let told: Vec<_> = twigs.iter().map(|twig| (twig.class.0, twig.blocks, twig.all_blocks)).collect();
    assert_eq!(told[0], (0, 1, 12));
    let below: Vec<_> = twigs[0].below.iter().map(|at| told[*at]).collect();
    assert_eq!(below, [(3, 4, 8), (2, 3, 3)], "the list with its strings, and the strings of the vector");
}

#[test]
fn the_shortest_circle_through_the_centre_is_drawn() {
    // 0 -> 1 -> 2 -> 0, and 2 -> 3 -> 4 -> 2: most pointers lead to 2.
    let found = found(&[0; 5], &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 2)]);
    let graph = Graph::of(&found);
    let centre = circle::centre(&graph, 0, |_| ()).unwrap();
    assert_eq!(centre, 2);
    let circle: Vec<u32> =
        circle::draw(&graph, centre, |_, _, _| false).iter().map(|(node, _)| *node).collect();
    assert_eq!(circle, [2, 0, 1], "0 is held by 2 alone, as 3 is; the first pointer counts");
    let first = circle::centre(&graph, 0, std::cmp::Reverse).unwrap();
    assert_eq!(first, 0, "the rank counts more");
}

#[test]
fn a_pointer_to_oneself_is_drawn_only_where_there_is_no_other() {
    let found = found(&[0, 0, 2], &[(0, 0), (0, 1), (1, 0), (2, 2)]);
    let graph = Graph::of(&found);
    let circle = |centre| {
        circle::draw(&graph, centre, |_, _, _| false).iter().map(|(node, _)| *node).collect::<Vec<_>>()
    };
    assert_eq!((circle(0), circle(2)), (vec![0, 1], vec![2]));
}

#[test]
fn a_record_that_contradicts_itself_is_borne() {
    // Components that form a circle among themselves, pointers to nowhere, no blocks at all.
    let damaged = found(&[0, 1, 1, 9], &[(0, 1), (1, 0), (2, 77), (88, 3), (3, 3)]);
    let graph = Graph::of(&damaged);
    let owners = Owners::find(&graph, 0, &[None; 3]);
    assert_eq!(owners.shared().len(), 1, "what lies in a circle of components is nobody's");
    assert_eq!(circle::draw(&graph, 3, |_, _, _| false).len(), 1);
    let nothing = found(&[], &[(0, 1)]);
    let graph = Graph::of(&nothing);
    assert_eq!((graph.components(), Owners::find(&graph, 0, &[]).shared().len()), (0, 0));
}
