#![forbid(unsafe_code)]
//! The leaked blocks of one check and the pointers between them, by plain numbers.
//!
//! A *node* is the index of a block in the record. A *component* is a single block or a cycle, numbered anew without
//! gaps. The record is not to be trusted: pointers to nowhere are left out, and nothing below recurses.

use std::collections::{BTreeSet, HashMap};

use heapcheck_rt::record::{Block, Edge, Found, LeakKind};

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
    /// The kind of each component that is not the one that the runtime saw.
    kinds: HashMap<u32, LeakKind>,
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
        let kinds = HashMap::new();
        Self { blocks, edges, starts, component, members, member_starts, kinds }
    }

    /// The graph without those pointers inside cycles that hold nothing. What was a cycle only by them comes apart.
    pub(crate) fn without(mut self, mut may_hold: impl FnMut(&Self, (u32, u32), &Edge) -> bool) -> Self {
        let mut kept: Vec<(u32, u32, &'f Edge)> = Vec::with_capacity(self.edges.len());
        let mut touched: BTreeSet<u32> = BTreeSet::new();
        for from in 0..self.blocks.len() as u32 {
            let component = self.component_of(from);
            for &(to, edge) in self.pointers(from) {
                if self.component_of(to) != component || may_hold(&self, (from, to), edge) {
                    kept.push((from, to, edge));
                } else {
                    touched.insert(component);
                }
            }
        }
        if touched.is_empty() {
            return self;
        }
        self.starts = starts_of(self.blocks.len(), kept.iter().map(|(from, ..)| *from));
        self.edges = kept.into_iter().map(|(_, to, edge)| (to, edge)).collect();
        let mut count = self.components() as u32;
        let mut parts: Vec<u32> = Vec::new();
        for &component in &touched {
            for (at, part) in parts_of(&self, component).into_iter().enumerate() {
                let number = if at == 0 { component } else { count };
                count += u32::from(at > 0);
                part.iter().for_each(|node| self.component[*node as usize] = number);
                parts.push(number);
            }
        }
        self.members.sort_by_key(|node| self.component[*node as usize]);
        self.member_starts =
            starts_of(count as usize, self.members.iter().map(|node| self.component[*node as usize]));
        let mut is_held = vec![false; count as usize];
        for (from, to) in (0..self.blocks.len() as u32).flat_map(|from| self.targets(from)) {
            is_held[self.component_of(to) as usize] |= self.component_of(from) != self.component_of(to);
        }
        for part in parts {
            let members = self.members(part);
            let seen = self.blocks[members[0] as usize].kind;
            if !matches!(seen, LeakKind::Direct | LeakKind::Indirect | LeakKind::Cycle) {
                continue;
            }
            let is_cycle = members.len() > 1 || self.targets(members[0]).any(|(from, to)| from == to);
            let kind = match (is_held[part as usize], is_cycle) {
                (true, _) => LeakKind::Indirect,
                (false, true) => LeakKind::Cycle,
                (false, false) => LeakKind::Direct,
            };
            self.kinds.insert(part, kind);
        }
        self
    }

    /// The kind of a component: how it hangs together, where pointers that hold nothing do not count.
    pub(crate) fn kind(&self, component: u32) -> LeakKind {
        let seen = || self.blocks[self.members(component)[0] as usize].kind;
        self.kinds.get(&component).copied().unwrap_or_else(seen)
    }

    fn targets(&self, node: u32) -> impl Iterator<Item = (u32, u32)> {
        self.pointers(node).iter().map(move |(to, _)| (node, *to))
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

/// The strongly connected parts of what was one component, by Tarjan's algorithm with a stack of its own.
fn parts_of(graph: &Graph<'_>, component: u32) -> Vec<Vec<u32>> {
    let mut search = Search::default();
    for &first in graph.members(component) {
        if search.number.contains_key(&first) {
            continue;
        }
        search.enter(first);
        while let Some((node, at)) = search.visits.last_mut() {
            let node = *node;
            match graph.pointers(node).get(*at) {
                Some((to, _)) => {
                    *at += 1;
                    if graph.component_of(*to) == component {
                        search.meet(node, *to);
                    }
                }
                None => search.leave(node),
            }
        }
    }
    let mut parts = search.parts;
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts.sort_unstable();
    parts
}

#[derive(Default)]
struct Search {
    /// The number of each node that was seen.
    number: HashMap<u32, usize>,
    /// The least number that can be reached from each, by its number; none once its part is known.
    least: Vec<Option<usize>>,
    /// Nodes whose part is not known yet, in the order in which they were seen.
    open: Vec<u32>,
    /// Nodes whose pointers are being looked at, with the next one.
    visits: Vec<(u32, usize)>,
    parts: Vec<Vec<u32>>,
}

impl Search {
    fn enter(&mut self, node: u32) {
        let number = self.least.len();
        self.number.insert(node, number);
        self.least.push(Some(number));
        self.open.push(node);
        self.visits.push((node, 0));
    }

    /// Looks at a pointer.
    fn meet(&mut self, from: u32, to: u32) {
        match self.number.get(&to) {
            None => self.enter(to),
            Some(&known) if self.least[known].is_some() => self.reach(from, known),
            Some(_) => {}
        }
    }

    fn reach(&mut self, node: u32, number: usize) {
        let least = &mut self.least[self.number[&node]];
        *least = least.map(|least| least.min(number));
    }

    fn leave(&mut self, node: u32) {
        self.visits.pop();
        let number = self.number[&node];
        let Some(least) = self.least[number] else { return };
        if let Some((above, _)) = self.visits.last().copied() {
            self.reach(above, least);
        }
        if least == number {
            let from = self.open.iter().rposition(|open| *open == node).unwrap_or(0);
            let part = self.open.split_off(from);
            part.iter().for_each(|node| self.least[self.number[node]] = None);
            self.parts.push(part);
        }
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
