#![forbid(unsafe_code)]
//! The circle that is drawn of a cycle: the shortest one through its most telling block.

use std::collections::{HashMap, VecDeque};

use heapcheck_rt::record::Edge;

use super::graph::Graph;

/// The block to begin with: the one that most pointers of the cycle lead to, for that is what the others cling to; then
/// the largest, then the first.
pub(crate) fn centre(graph: &Graph<'_>, component: u32) -> Option<u32> {
    let mut pointed: HashMap<u32, u32> = HashMap::new();
    for &node in graph.members(component) {
        for (to, _) in graph.pointers(node).iter().filter(|(to, _)| graph.component_of(*to) == component) {
            *pointed.entry(*to).or_default() += 1;
        }
    }
    let members = graph.members(component).iter().copied();
    members.max_by_key(|&node| {
        let size = graph.blocks[node as usize].size_bytes;
        (pointed.get(&node).copied(), size, std::cmp::Reverse(node))
    })
}

/// The shortest circle through `centre` inside its component: each node with the pointer to the next one.
pub(crate) fn draw<'f>(graph: &Graph<'f>, centre: u32) -> Vec<(u32, &'f Edge)> {
    let component = graph.component_of(centre);
    let mut came: HashMap<u32, (u32, &'f Edge)> = HashMap::new();
    let mut queue = VecDeque::from([centre]);
    while let Some(node) = queue.pop_front() {
        for &(to, edge) in graph.pointers(node).iter().filter(|(to, _)| graph.component_of(*to) == component)
        {
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
