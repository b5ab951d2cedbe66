#![forbid(unsafe_code)]
//! The circle that is drawn of a cycle: the shortest one through its most telling block.

use std::collections::{HashMap, VecDeque};

use heapcheck_rt::record::Edge;

use super::graph::Graph;

/// The block to begin with: the one of the highest rank, then the one that most pointers of the cycle lead to, for that
/// is what the others cling to; then the largest, then the first.
pub(crate) fn centre<R: Ord>(graph: &Graph<'_>, component: u32, rank: impl Fn(u32) -> R) -> Option<u32> {
    let pointed = pointed(graph, component);
    let members = graph.members(component).iter().copied();
    members.max_by_key(|&node| {
        let size = graph.blocks[node as usize].size_bytes;
        (rank(node), pointed.get(&node).copied(), size, std::cmp::Reverse(node))
    })
}

/// How many pointers of a cycle lead to each of its blocks, from others.
fn pointed(graph: &Graph<'_>, component: u32) -> HashMap<u32, u32> {
    let mut pointed: HashMap<u32, u32> = HashMap::new();
    for &node in graph.members(component) {
        for (to, _) in inside(graph, node).filter(|(to, _)| *to != node) {
            *pointed.entry(to).or_default() += 1;
        }
    }
    pointed
}

fn inside<'g, 'f>(graph: &'g Graph<'f>, node: u32) -> impl Iterator<Item = (u32, &'f Edge)> + use<'g, 'f> {
    let component = graph.component_of(node);
    graph.pointers(node).iter().copied().filter(move |(to, _)| graph.component_of(*to) == component)
}

/// The shortest circle through `centre` inside its component: each node with the pointer to the next one. A block that
/// points to itself is a circle only where there is no other; and of several, the one through what only `centre` holds.
/// Pointers of which `is_back` are followed only where there is no other circle.
pub(crate) fn draw<'f>(
    graph: &Graph<'f>,
    centre: u32,
    is_back: impl Fn(u32, u32, &Edge) -> bool,
) -> Vec<(u32, &'f Edge)> {
    let made = draw_through(graph, centre, |from, to, edge| !is_back(from, to, edge));
    if made.is_empty() { draw_through(graph, centre, |_, _, _| true) } else { made }
}

fn draw_through<'f>(
    graph: &Graph<'f>,
    centre: u32,
    counts: impl Fn(u32, u32, &Edge) -> bool,
) -> Vec<(u32, &'f Edge)> {
    let component = graph.component_of(centre);
    let is_alone = graph.members(component).len() == 1;
    let pointed = pointed(graph, component);
    let mut came: HashMap<u32, (u32, &'f Edge)> = HashMap::new();
    let mut queue = VecDeque::from([centre]);
    while let Some(node) = queue.pop_front() {
        let mut pointers: Vec<_> = inside(graph, node)
            .filter(|(to, edge)| (is_alone || *to != node) && counts(node, *to, edge))
            .collect();
        pointers.sort_by_key(|(to, edge)| (*to != centre, pointed.get(to).copied(), edge.offset));
        for (to, edge) in pointers {
            if to == centre {
                let mut circle = vec![(node, edge)];
                let mut at = node;
                while at != centre {
                    let (before, edge) = came[&at];
                    circle.push((before, edge));
                    at = before;
                }
                circle.reverse();
                return circle;
            }
            came.entry(to).or_insert_with(|| {
                queue.push_back(to);
                (node, edge)
            });
        }
    }
    Vec::new()
}
