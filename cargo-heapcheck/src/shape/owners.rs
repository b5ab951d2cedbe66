#![forbid(unsafe_code)]
//! Who alone keeps what alive: the dominator tree of the components, below the entries of the report.
//!
//! The components of a graph form no circles, so the owner of a component is the lowest common ancestor of all that
//! point to it, taken in topological order. An entry of the report stands above its heads: what several equal leaks
//! share belongs to their entry, not to nobody. Ancestors are found by skew-binary jumps, in logarithmic time.

use super::graph::Graph;

/// Above everything: what hangs here is nobody's alone.
const TOP: u32 = 0;

/// The tree. Its nodes are the top, the entries, and the components, in this order.
#[derive(Debug)]
pub(crate) struct Owners {
    entries: u32,
    children: Vec<Vec<u32>>,
}

impl Owners {
    /// Decides it. `entry_of` names the entry of each component that is a head.
    pub(crate) fn find(graph: &Graph<'_>, entries: usize, entry_of: &[Option<u32>]) -> Self {
        let count = 1 + entries + graph.components();
        let first = 1 + entries as u32;
        let mut tree = Tree { parent: vec![TOP; count], depth: vec![0; count], jump: vec![TOP; count] };
        for entry in 1..first {
            tree.hang(entry, TOP);
        }
        let mut above: Vec<Option<u32>> = entry_of.iter().map(|entry| entry.map(|entry| 1 + entry)).collect();
        let mut owners = Self { entries: entries as u32, children: vec![Vec::new(); count] };
        for component in sorted(graph) {
            let node = first + component;
            tree.hang(node, above[component as usize].unwrap_or(TOP));
            for (_, to, _) in graph.leaving(component) {
                let target = graph.component_of(to) as usize;
                if entry_of[target].is_none() {
                    above[target] = Some(above[target].map_or(node, |known| tree.meet(known, node)));
                }
            }
            owners.children[tree.parent[node as usize] as usize].push(component);
        }
        owners
    }

    /// The components that an entry itself holds: its heads, and what they share.
    pub(crate) fn of_entry(&self, entry: usize) -> &[u32] {
        &self.children[1 + entry]
    }

    /// The components that hang on nobody alone.
    pub(crate) fn shared(&self) -> &[u32] {
        &self.children[TOP as usize]
    }

    /// The components that only this one keeps alive, without what those keep.
    pub(crate) fn of_component(&self, component: u32) -> &[u32] {
        &self.children[(1 + self.entries + component) as usize]
    }
}

/// Components in topological order. In a damaged record there may be circles of components; those are left out, and so
/// belong to nobody.
fn sorted(graph: &Graph<'_>) -> Vec<u32> {
    let mut waiting = vec![0_u32; graph.components()];
    for component in 0..graph.components() as u32 {
        for (_, to, _) in graph.leaving(component) {
            waiting[graph.component_of(to) as usize] += 1;
        }
    }
    let mut order: Vec<u32> = (0..waiting.len() as u32).filter(|at| waiting[*at as usize] == 0).collect();
    let mut at = 0;
    while let Some(&component) = order.get(at) {
        for (_, to, _) in graph.leaving(component) {
            let target = graph.component_of(to);
            waiting[target as usize] -= 1;
            if waiting[target as usize] == 0 {
                order.push(target);
            }
        }
        at += 1;
    }
    order
}

/// A tree that grows at its leaves.
struct Tree {
    parent: Vec<u32>,
    depth: Vec<u32>,
    jump: Vec<u32>,
}

impl Tree {
    fn hang(&mut self, node: u32, parent: u32) {
        let (at, up) = (node as usize, parent as usize);
        self.parent[at] = parent;
        self.depth[at] = self.depth[up] + 1;
        let far = self.jump[up] as usize;
        let is_even =
            self.depth[up] - self.depth[far] == self.depth[far] - self.depth[self.jump[far] as usize];
        self.jump[at] = if is_even { self.jump[far] } else { parent };
    }

    /// The lowest node above both, or one of them.
    fn meet(&self, mut a: u32, mut b: u32) -> u32 {
        let depth = |node: u32| self.depth[node as usize];
        if depth(a) < depth(b) {
            (a, b) = (b, a);
        }
        while depth(a) > depth(b) {
            let far = self.jump[a as usize];
            a = if depth(far) >= depth(b) { far } else { self.parent[a as usize] };
        }
        while a != b {
            let (far_a, far_b) = (self.jump[a as usize], self.jump[b as usize]);
            (a, b) = if far_a == far_b {
                (self.parent[a as usize], self.parent[b as usize])
            } else {
                (far_a, far_b)
            };
        }
        a
    }
}
