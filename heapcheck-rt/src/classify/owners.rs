#![forbid(unsafe_code)]
//! What each component keeps alive: the dominator tree of the components.
//!
//! Draw a virtual root with an edge to every *head*, that is to every component that no other one points to. A
//! component *keeps* another when every path from the root to it leads through the first: were the first freed as its
//! owner should have done, the other would be freed too. In a graph without circles the dominator of a node is the
//! lowest common ancestor of its predecessors in the tree so far, so one pass in topological order builds the tree.
//!
//! Ancestors are found in logarithmic time by one extra pointer a node, which jumps over a stretch of the tree in the
//! pattern of skew-binary numbers (Myers, "An applicative random-access stack", 1983). Without it a list whose nodes
//! all point to one shared block would take quadratic time.

use super::components::{ComponentId, Components};
use super::graph::Graph;
use super::leaked::Leaked;
use crate::space::{Grow, Memory, OutOfMemory};

/// No component: the virtual root has no number.
const NONE: ComponentId = ComponentId::MAX;

/// Blocks that are kept alive together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Their sizes, summed up.
    pub bytes: u64,
    /// Their number.
    pub blocks: u64,
}

#[derive(Clone, Copy)]
pub(super) struct Owner {
    /// The closest component that keeps this one; the virtual root if there is none.
    pub(super) parent: ComponentId,
    /// The head that keeps this one; `NONE` when several heads share it.
    pub(super) head: ComponentId,
    jump: ComponentId,
    depth: u32,
    pub(super) is_cycle: bool,
    pub(super) retained: Retained,
}

/// One [`Owner`] for each component, and the virtual root behind the last.
pub(super) struct Owners<M: Memory> {
    owners: M::Buf<Owner>,
}

impl<M: Memory> Owners<M> {
    pub(super) fn find(
        memory: &M,
        leaked: &Leaked<M>,
        graph: &Graph<M>,
        components: &Components<M>,
    ) -> Result<Self, OutOfMemory> {
        let root = components.len() as ComponentId;
        let filler = Owner {
            parent: NONE,
            head: NONE,
            jump: root,
            depth: 0,
            is_cycle: false,
            retained: Retained::default(),
        };
        let mut owners = memory.buf();
        owners.resize(components.len() + 1, filler)?;
        let mut owners = Self { owners };
        for component in (0..root).rev() {
            owners.settle(component);
            owners.point_from(component, graph, components);
        }
        for component in 0..root {
            owners.hand_up(component, leaked, components);
        }
        Ok(owners)
    }

    #[inline]
    pub(super) fn of(&self, component: ComponentId) -> &Owner {
        &self.owners.as_slice()[component as usize]
    }

    /// The owner of `component`, unless it is a head or shared by heads.
    pub(super) fn parent_of(&self, component: ComponentId) -> Option<ComponentId> {
        Some(self.of(component).parent).filter(|&parent| parent != self.root())
    }

    /// The head that alone keeps `component`, itself included.
    pub(super) fn head_of(&self, component: ComponentId) -> Option<ComponentId> {
        Some(self.of(component).head).filter(|&head| head != NONE)
    }

    fn root(&self) -> ComponentId {
        (self.owners.as_slice().len() - 1) as ComponentId
    }

    /// Gives `component`, whose predecessors are all settled, its place in the tree.
    fn settle(&mut self, component: ComponentId) {
        let root = self.root();
        let parent = self.of(component).parent;
        let (parent, head) = match parent {
            NONE => (root, component),
            _ if parent == root => (root, NONE),
            _ => (parent, self.of(parent).head),
        };
        let above = *self.of(parent);
        let over = *self.of(above.jump);
        let twice = above.depth - over.depth == over.depth - self.of(over.jump).depth;
        let jump = if twice { over.jump } else { parent };
        let owner = &mut self.owners.as_mut_slice()[component as usize];
        *owner = Owner { parent, head, jump, depth: above.depth + 1, ..*owner };
    }

    /// Tells those to which the blocks of `component` point that it is one of their predecessors.
    fn point_from(&mut self, component: ComponentId, graph: &Graph<M>, components: &Components<M>) {
        let members = components.members(component);
        let mut is_cycle = members.len() > 1;
        for &target in members.iter().flat_map(|&member| graph.targets_of(member)) {
            let target = components.component_of(target);
            if target == component {
                is_cycle = true;
                continue;
            }
            let parent = match self.of(target).parent {
                NONE => component,
                parent => self.common_ancestor(parent, component),
            };
            self.owners.as_mut_slice()[target as usize].parent = parent;
        }
        self.owners.as_mut_slice()[component as usize].is_cycle = is_cycle;
    }

    fn common_ancestor(&self, mut one: ComponentId, mut other: ComponentId) -> ComponentId {
        if self.of(one).depth < self.of(other).depth {
            core::mem::swap(&mut one, &mut other);
        }
        let depth = self.of(other).depth;
        while self.of(one).depth > depth {
            let owner = self.of(one);
            one = if self.of(owner.jump).depth >= depth { owner.jump } else { owner.parent };
        }
        while one != other {
            // Nodes of one depth jump equally far.
            let (left, right) = (self.of(one), self.of(other));
            (one, other) =
                if left.jump == right.jump { (left.parent, right.parent) } else { (left.jump, right.jump) };
        }
        one
    }

    /// Adds what `component` keeps to what its owner keeps. All that it owns has been here before.
    fn hand_up(&mut self, component: ComponentId, leaked: &Leaked<M>, components: &Components<M>) {
        let members = components.members(component);
        let sizes = members.iter().map(|&member| leaked.blocks()[member as usize].size as u64);
        let owner = &mut self.owners.as_mut_slice()[component as usize];
        owner.retained.bytes += sizes.sum::<u64>();
        owner.retained.blocks += members.len() as u64;
        let Owner { parent, retained, .. } = *owner;
        let above = &mut self.owners.as_mut_slice()[parent as usize].retained;
        above.bytes += retained.bytes;
        above.blocks += retained.blocks;
    }
}
