#![forbid(unsafe_code)]
//! The strongly connected components of the leaked blocks: Tarjan's algorithm with a stack of its own.
//!
//! Components are found targets first: an edge between two of them leads from the greater number to the smaller. So
//! counting down is a topological order, which the next step lives on.

use super::graph::Graph;
use super::leaked::Ordinal;
use crate::space::{Grow, Memory, OutOfMemory};

/// The number of a strongly connected component.
pub type ComponentId = u32;

const NONE: ComponentId = ComponentId::MAX;

pub(super) struct Components<M: Memory> {
    component_of: M::Buf<ComponentId>,
    /// The nodes of component `c` are `members[starts[c]..starts[c + 1]]`.
    members: M::Buf<Ordinal>,
    starts: M::Buf<u32>,
}

/// A node whose edges are being walked.
#[derive(Clone, Copy)]
struct Visit {
    node: Ordinal,
    edge: u32,
    /// The least visiting order known to be reachable.
    low: u32,
}

struct Search<'g, M: Memory> {
    graph: &'g Graph<M>,
    /// When a node was first seen, from 1; 0 when it was not.
    order: M::Buf<u32>,
    seen: u32,
    /// Nodes that have no component yet, in the order in which they were seen.
    open: M::Buf<Ordinal>,
    visits: M::Buf<Visit>,
    found: Components<M>,
}

impl<M: Memory> Components<M> {
    pub(super) fn find(memory: &M, graph: &Graph<M>) -> Result<Self, OutOfMemory> {
        let found = Self { component_of: memory.buf(), members: memory.buf(), starts: memory.buf() };
        let (order, open, visits) = (memory.buf(), memory.buf(), memory.buf());
        let mut search = Search { graph, order, seen: 0, open, visits, found };
        search.order.resize(graph.len(), 0)?;
        search.found.component_of.resize(graph.len(), NONE)?;
        search.found.starts.push(0)?;
        for node in 0..graph.len() as Ordinal {
            if search.order.as_slice()[node as usize] == 0 {
                search.run_from(node)?;
            }
        }
        Ok(search.found)
    }

    pub(super) fn len(&self) -> usize {
        self.starts.as_slice().len() - 1
    }

    #[inline]
    pub(super) fn component_of(&self, node: Ordinal) -> ComponentId {
        self.component_of.as_slice()[node as usize]
    }

    #[inline]
    pub(super) fn members(&self, component: ComponentId) -> &[Ordinal] {
        let starts = self.starts.as_slice();
        let (from, to) = (starts[component as usize], starts[component as usize + 1]);
        &self.members.as_slice()[from as usize..to as usize]
    }
}

impl<M: Memory> Search<'_, M> {
    fn run_from(&mut self, node: Ordinal) -> Result<(), OutOfMemory> {
        self.enter(node)?;
        while let Some(visit) = self.visits.as_mut_slice().last_mut() {
            if visit.edge < self.graph.edges_of(visit.node).end {
                let target = self.graph.target(visit.edge);
                visit.edge += 1;
                match self.order.as_slice()[target as usize] {
                    0 => self.enter(target)?,
                    order if self.found.component_of(target) == NONE => visit.low = visit.low.min(order),
                    _ => {}
                }
            } else {
                self.leave()?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, node: Ordinal) -> Result<(), OutOfMemory> {
        self.seen += 1;
        self.order.as_mut_slice()[node as usize] = self.seen;
        self.open.push(node)?;
        self.visits.push(Visit { node, edge: self.graph.edges_of(node).start, low: self.seen })
    }

    /// Ends the newest visit: its node closes a component, or leaves that to one below it on the stack.
    fn leave(&mut self) -> Result<(), OutOfMemory> {
        let Some(Visit { node, low, .. }) = self.visits.pop() else { return Ok(()) };
        if low == self.order.as_slice()[node as usize] {
            return self.close(node);
        }
        if let Some(parent) = self.visits.as_mut_slice().last_mut() {
            parent.low = parent.low.min(low);
        }
        Ok(())
    }

    /// Makes a component of `node` and all that was seen after it and is still open.
    fn close(&mut self, node: Ordinal) -> Result<(), OutOfMemory> {
        let component = self.found.len() as ComponentId;
        while let Some(member) = self.open.pop() {
            self.found.component_of.as_mut_slice()[member as usize] = component;
            self.found.members.push(member)?;
            if member == node {
                break;
            }
        }
        self.found.starts.push(self.found.members.as_slice().len() as u32)
    }
}
