#![forbid(unsafe_code)]
//! Cycles that nobody has made: containers of C++ hold their parts together with pointers back.
//!
//! The nodes of a `std::map` know their parents, and the first one the map itself, wherever that lies. So a lost map is a
//! cycle for the runtime, and so is the object that it is a member of. Here the pointers back to the head are left
//! out, and the nodes of one container are taken as one: if no circle is left, the whole is one thing with parts. A
//! circle that is left goes through a value that somebody has put in.

use std::collections::HashMap;

use heapcheck_rt::record::Edge;

use super::graph::Graph;

/// What a pointer inside a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointer {
    /// It leads from a part of a container to another one.
    Between,
    /// It leads from a part of a container back to its head, or from an object to itself.
    Back,
    /// Somebody has made it.
    Made,
}

/// Whether no circle is left in a component when containers are taken as one; `kind` tells pointers apart.
pub(crate) fn is_whole(graph: &Graph<'_>, component: u32, kind: impl Fn(u32, u32, &Edge) -> Pointer) -> bool {
    let members = graph.members(component);
    let number: HashMap<u32, usize> = members.iter().enumerate().map(|(at, node)| (*node, at)).collect();
    let mut one: Vec<usize> = (0..members.len()).collect();
    let mut made = Vec::new();
    for (at, &node) in members.iter().enumerate() {
        for (to, edge) in graph.pointers(node) {
            let Some(&to_at) = number.get(to) else { continue };
            match kind(node, *to, edge) {
                Pointer::Back => {}
                Pointer::Made => made.push((at, to_at)),
                Pointer::Between => {
                    let (a, b) = (find(&mut one, at), find(&mut one, to_at));
                    one[a] = b;
                }
            }
        }
    }
    // What nothing leads to any more is taken away, again and again; of a circle something stays.
    let mut pointers: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    let mut pointed = vec![0_usize; members.len()];
    for (from, to) in made {
        let (from, to) = (find(&mut one, from), find(&mut one, to));
        pointers[from].push(to);
        pointed[to] += 1;
    }
    let mut work: Vec<usize> =
        (0..members.len()).filter(|at| find(&mut one, *at) == *at && pointed[*at] == 0).collect();
    let mut gone = 0;
    while let Some(at) = work.pop() {
        gone += 1;
        for &to in &pointers[at] {
            pointed[to] -= 1;
            if pointed[to] == 0 {
                work.push(to);
            }
        }
    }
    gone == (0..members.len()).filter(|at| find(&mut one, *at) == *at).count()
}

/// Which one stands for all that it was joined with.
fn find(one: &mut [usize], mut at: usize) -> usize {
    while one[at] != at {
        one[at] = one[one[at]];
        at = one[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use heapcheck_rt::record::{Block, Check, Found, LeakKind, Moment, Totals};

    use super::*;

    /// Blocks in one component, with pointers whose kind is told by their offset.
    fn check(blocks: u32, pointers: &[(u32, u32, u64)], expected: bool) {
        let block = |id| Block {
            id,
            component: 0,
            trace: 1,
            scope: 0,
            thread: 1,
            kind: LeakKind::Cycle,
            addr: 0,
            size_bytes: 64,
            retained_bytes: 0,
        };
        let edge = |&(from, to, offset): &(u32, u32, u64)| Edge { from, to, offset, to_offset: 0 };
        let mode = heapcheck_rt::options::Mode::Normal;
        let found = Found {
            check: Check { number: 1, scope: 0, moment: Moment::AfterDestructors, mode, has_in_use: false },
            leaks: Vec::new(),
            blocks: (0..blocks).map(block).collect(),
            edges: pointers.iter().map(edge).collect(),
            contents: Vec::new(),
            held: Vec::new(),
            in_use: Vec::new(),
            totals: Some(Totals::default()),
        };
        let kind = |_, _, edge: &Edge| match edge.offset {
            MADE => Pointer::Made,
            BETWEEN => Pointer::Between,
            _ => Pointer::Back,
        };
        assert_eq!(is_whole(&Graph::of(&found), 0, kind), expected, "{pointers:?}");
    }

    const MADE: u64 = 0;
    const BETWEEN: u64 = 8;
    const BACK: u64 = 16;

    #[test]
    fn only_what_somebody_has_made_is_a_circle() {
        // A head and its nodes.
        check(3, &[(0, 1, MADE), (1, 2, BETWEEN), (2, 1, BETWEEN), (1, 0, BACK), (2, 0, BACK)], true);
        // A value in the second node leads back to the head.
        check(3, &[(0, 1, MADE), (1, 2, BETWEEN), (2, 1, BETWEEN), (1, 0, BACK), (2, 0, MADE)], false);
        // It leads there through another block.
        check(4, &[(0, 1, MADE), (1, 2, BETWEEN), (2, 3, MADE), (3, 0, MADE), (1, 0, BACK)], false);
        // Two containers of one object, and a value in one that leads to the other.
        check(3, &[(0, 1, MADE), (1, 0, BACK), (0, 2, MADE), (2, 0, BACK), (1, 2, MADE)], true);
        check(1, &[(0, 0, BACK)], true);
        check(1, &[(0, 0, MADE)], false);
        check(2, &[(0, 1, MADE), (1, 0, MADE)], false);
    }
}
