#![forbid(unsafe_code)]
//! The leaked blocks of one check and the pointers between them, by plain numbers.
//!
//! A *node* is the index of a block in the record. A *component* is a single block or a cycle, numbered anew without
//! gaps. The record is not to be trusted: pointers to nowhere are left out, and nothing below recurses.

use heapcheck_rt::record::{Block, Edge, Found};

/// The graph.
#[derive(Debug)]
pub(crate) struct Graph<'f> {
    /// The blocks; a node is an index here.
    pub(crate) blocks: &'f [Block],
    /// All pointers, by the node that holds them, then by offset.
    edges: Vec<(u32, &'f Edge)>,
    /// Where the pointers of a node begin in `edges`.
    starts: Vec<u32>,
    /// The component of each node.
    component: Vec<u32>,
    /// The nodes by component, and where each component begins.
    members: Vec<u32>,
    member_starts: Vec<u32>,
}

impl<'f> Graph<'f> {
    /// Numbers what a check found.
    pub(crate) fn of(found: &'f Found) -> Self {
        let blocks = found.blocks.as_slice();
        let position = |id: u32| position(blocks, id);
        let mut edges: Vec<(u32, u32, &Edge)> = Vec::with_capacity(found.edges.len());
        for edge in &found.edges {
            if let (Some(from), Some(to)) = (position(edge.from), position(edge.to)) {
                edges.push((from, to, edge));
            }
        }
        edges.sort_by_key(|(from, _, edge)| (*from, edge.offset));
        let starts = starts_of(blocks.len(), edges.iter().map(|(from, ..)| *from));
        let mut ids: Vec<u32> = blocks.iter().map(|block| block.component).collect();
        ids.sort_unstable();
        ids.dedup();
        let number = |id: u32| ids.binary_search(&id).unwrap_or(0) as u32;
        let component: Vec<u32> = blocks.iter().map(|block| number(block.component)).collect();
        let mut members: Vec<u32> = (0..blocks.len() as u32).collect();
        members.sort_by_key(|node| component[*node as usize]);
        let member_starts = starts_of(ids.len(), members.iter().map(|node| component[*node as usize]));
        let edges = edges.into_iter().map(|(_, to, edge)| (to, edge)).collect();
        Self { blocks, edges, starts, component, members, member_starts }
    }

    /// The node of the block `id`.
    pub(crate) fn node(&self, id: u32) -> Option<u32> {
        position(self.blocks, id)
    }

    /// The number of components.
    pub(crate) fn components(&self) -> usize {
        self.member_starts.len() - 1
    }

    /// The component of a node.
    pub(crate) fn component_of(&self, node: u32) -> u32 {
        self.component[node as usize]
    }

    /// The nodes of a component.
    pub(crate) fn members(&self, component: u32) -> &[u32] {
        let at = component as usize;
        &self.members[self.member_starts[at] as usize..self.member_starts[at + 1] as usize]
    }

    /// The pointers that a node holds, each with the node it leads to, in the order of their offsets.
    pub(crate) fn pointers(&self, node: u32) -> &[(u32, &'f Edge)] {
        let at = node as usize;
        &self.edges[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// The pointers from a component to other components.
    pub(crate) fn leaving(&self, component: u32) -> impl Iterator<Item = (u32, u32, &'f Edge)> {
        let pointers = |&node: &u32| self.pointers(node).iter().map(move |&(to, edge)| (node, to, edge));
        self.members(component)
            .iter()
            .flat_map(pointers)
            .filter(move |(_, to, _)| self.component_of(*to) != component)
    }
}

/// The index of the block `id`; the runtime numbers blocks in order, mostly without gaps.
fn position(blocks: &[Block], id: u32) -> Option<u32> {
    if blocks.get(id as usize).is_some_and(|block| block.id == id) {
        return Some(id);
    }
    blocks.binary_search_by_key(&id, |block| block.id).ok().map(|at| at as u32)
}

/// Where each of `count` keys begins among sorted keys, and behind the last one their number.
fn starts_of(count: usize, keys: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut starts = vec![0; count + 1];
    for key in keys {
        starts[key as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    starts
}
