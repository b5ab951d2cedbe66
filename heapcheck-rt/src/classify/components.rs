#![forbid(unsafe_code)]
//! The strongly connected components of the leaked blocks: Tarjan's algorithm with a stack of its own.
//!
//! Components are found targets first: an edge between two of them leads from the greater number to the smaller. So
//! counting down is a topological order, which the next step lives on.
//!
//! ```text
//! state of a node:   0  not seen  ──>  n  seen as the nth, open  ──>  CLOSED | component
//! ```
//!
//! A closed state is greater than every open one, so that the least state among the targets of a node is right without
//! asking which of them are open. One array, because each look at it is a load from memory.

use super::graph::Graph;
use super::leaked::Ordinal;
use crate::space::{Grow, Memory, OutOfMemory, Space};

/// The number of a strongly connected component.
pub type ComponentId = u32;

const CLOSED: u32 = 1 << 31;
/// So many targets of a node are asked for when it is entered.
const AHEAD: usize = 8;

pub(super) struct Components<M: Memory> {
    states: M::Buf<u32>,
    /// The nodes of component `c` are `members[starts[c]..starts[c + 1]]`.
    members: M::Buf<Ordinal>,
    starts: M::Buf<u32>,
}

/// A node whose edges are being walked.
#[derive(Clone, Copy)]
struct Visit {
    node: Ordinal,
    edge: u32,
    end: u32,
    /// The least state known to be reachable.
    low: u32,
}

struct Search<'g, S, M: Memory> {
    space: &'g S,
    graph: &'g Graph<M>,
    seen: u32,
    /// Nodes that have no component yet, in the order in which they were seen.
    open: M::Buf<Ordinal>,
    visits: M::Buf<Visit>,
    found: Components<M>,
}

impl<M: Memory> Components<M> {
    /// Finds the components of `graph`. `space` serves to ask for memory ahead.
    pub(super) fn find(memory: &M, space: &impl Space, graph: &Graph<M>) -> Result<Self, OutOfMemory> {
        if graph.len() >= CLOSED as usize {
            return Err(OutOfMemory);
        }
        let found = Self { states: memory.buf(), members: memory.buf(), starts: memory.buf() };
        let mut search = Search { space, graph, seen: 0, open: memory.buf(), visits: memory.buf(), found };
        search.found.states.resize(graph.len(), 0)?;
        search.found.starts.push(0)?;
        for node in 0..graph.len() as Ordinal {
            if search.found.state(node) == 0 {
                search.run_from(node)?;
            }
        }
        Ok(search.found)
    }

    #[inline]
    fn state(&self, node: Ordinal) -> u32 {
        self.states.as_slice()[node as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.starts.as_slice().len() - 1
    }

    #[inline]
    pub(super) fn component_of(&self, node: Ordinal) -> ComponentId {
        self.state(node) & !CLOSED
    }

    #[inline]
    pub(super) fn members(&self, component: ComponentId) -> &[Ordinal] {
        let starts = self.starts.as_slice();
        let (from, to) = (starts[component as usize], starts[component as usize + 1]);
        &self.members.as_slice()[from as usize..to as usize]
    }
}

impl<S: Space, M: Memory> Search<'_, S, M> {
    fn run_from(&mut self, node: Ordinal) -> Result<(), OutOfMemory> {
        self.enter(node)?;
        while let Some(visit) = self.visits.as_mut_slice().last_mut() {
            if visit.edge < visit.end {
                let target = self.graph.target(visit.edge);
                visit.edge += 1;
                match self.found.state(target) {
                    0 => self.enter(target)?,
                    state => visit.low = visit.low.min(state),
                }
            } else {
                self.leave()?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, node: Ordinal) -> Result<(), OutOfMemory> {
        self.seen += 1;
        let edges = self.graph.edges_of(node);
        for &target in self.graph.targets_of(node).iter().take(AHEAD) {
            self.space.prefetch(core::ptr::from_ref(&self.found.states.as_slice()[target as usize]).addr());
            self.space.prefetch(self.graph.start_addr(target));
        }
        self.found.states.as_mut_slice()[node as usize] = self.seen;
        self.open.push(node)?;
        self.visits.push(Visit { node, edge: edges.start, end: edges.end, low: self.seen })
    }

    /// Ends the newest visit: its node closes a component, or leaves that to one below it on the stack.
    fn leave(&mut self) -> Result<(), OutOfMemory> {
        let Some(Visit { node, low, .. }) = self.visits.pop() else { return Ok(()) };
        if low == self.found.state(node) {
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
            self.found.states.as_mut_slice()[member as usize] = CLOSED | component;
            self.found.members.push(member)?;
            if member == node {
                break;
            }
        }
        self.found.starts.push(self.found.members.as_slice().len() as u32)
    }
}
