#![forbid(unsafe_code)]
//! Who points to whom, as plain numbers: the targets of node `n` are `targets[starts[n]..starts[n + 1]]`.

use super::leaked::{Leaked, Ordinal};
use crate::space::{Grow, Memory, OutOfMemory, Space};

pub(super) struct Graph<M: Memory> {
    starts: M::Buf<u32>,
    targets: M::Buf<Ordinal>,
}

impl<M: Memory> Graph<M> {
    /// Reads the pointers between the leaked blocks. More of them than a `u32` counts are as good as no memory for them.
    pub(super) fn link(memory: &M, space: &impl Space, leaked: &Leaked<M>) -> Result<Self, OutOfMemory> {
        let mut graph = Self { starts: memory.buf(), targets: memory.buf() };
        for from in 0..leaked.blocks().len() as Ordinal {
            graph.starts.push(graph.edge_count()?)?;
            leaked.each_edge(space, from, |edge| graph.targets.push(edge.to))?;
        }
        graph.starts.push(graph.edge_count()?)?;
        Ok(graph)
    }

    fn edge_count(&self) -> Result<u32, OutOfMemory> {
        u32::try_from(self.targets.as_slice().len()).map_err(|_| OutOfMemory)
    }

    pub(super) fn len(&self) -> usize {
        self.starts.as_slice().len() - 1
    }

    /// The numbers of the edges out of `node`.
    #[inline]
    pub(super) fn edges_of(&self, node: Ordinal) -> core::ops::Range<u32> {
        let starts = self.starts.as_slice();
        starts[node as usize]..starts[node as usize + 1]
    }

    /// The address of what [`Graph::edges_of`] reads, for a prefetch.
    #[inline]
    pub(super) fn start_addr(&self, node: Ordinal) -> usize {
        core::ptr::from_ref(&self.starts.as_slice()[node as usize]).addr()
    }

    #[inline]
    pub(super) fn target(&self, edge: u32) -> Ordinal {
        self.targets.as_slice()[edge as usize]
    }

    /// The blocks that `node` points to, one for each pointer.
    #[inline]
    pub(super) fn targets_of(&self, node: Ordinal) -> &[Ordinal] {
        let edges = self.edges_of(node);
        &self.targets.as_slice()[edges.start as usize..edges.end as usize]
    }
}
