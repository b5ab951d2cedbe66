#![forbid(unsafe_code)]
//! What a leak keeps alive as a small tree: equal branches are laid together, and a structure that repeats itself (a
//! list, a tree of its own kind) is told once, with its count.
//!
//! A *twig* is a class of blocks at a place of the tree. A component joins the twig of its class among the twigs above
//! it or right below; only otherwise a new one grows. So the number of twigs depends on the classes, not on the blocks.

use std::collections::HashMap;

use heapcheck_rt::record::Edge;

use super::graph::Graph;
use super::owners::Owners;

/// A component is told by its first block that a pointer from above leads to.
#[derive(Debug)]
pub(crate) struct Twig {
    /// What its blocks are, and by which pointers they are reached.
    pub(crate) class: Class,
    /// A block of it.
    pub(crate) example: u32,
    /// The pointer that leads there, with the block that holds it.
    pub(crate) by: Option<(u32, Edge)>,
    /// Whether all pointers lie at the same offset.
    pub(crate) is_at_one_offset: bool,
    /// Its cycles; the other blocks are single.
    pub(crate) cycles: u64,
    /// Its blocks, without those below.
    pub(crate) blocks: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Blocks of it and below.
    pub(crate) all_blocks: u64,
    /// Bytes of those.
    pub(crate) all_bytes: u64,
    /// Whether its blocks come from several places of the source.
    pub(crate) has_many_sites: bool,
    /// Twigs below, as indices; the heaviest first.
    pub(crate) below: Vec<usize>,
    above: usize,
    depth: usize,
}

/// Beyond this depth everything joins the twig above it: what reads the tree recurses.
const DEPTH_MAX: usize = 64;

/// What a component is: the number of its type, and that of the way it is reached.
pub(crate) type Class = (u32, u32);

/// What the outside knows of blocks and pointers.
pub(crate) trait Names {
    /// The number of a block's type.
    fn kind(&mut self, node: u32) -> u32;
    /// The number of the field that a pointer lies in; elements of one collection have the same. 0: it is not known.
    fn field(&mut self, from: u32, edge: &Edge) -> u32;
    /// The number of the line where a block was allocated.
    fn site(&self, node: u32) -> u32;
    /// Whether a block counts in this check.
    fn counts(&self, node: u32) -> bool;
}

/// Grows the tree of an entry below its `heads`. Twig 0 stands for the heads themselves.
pub(crate) fn grow(
    graph: &Graph<'_>,
    owners: &Owners,
    heads: &[u32],
    rest: &[u32],
    names: &mut impl Names,
) -> Vec<Twig> {
    let example = heads.first().and_then(|head| graph.members(*head).first()).copied().unwrap_or(0);
    let mut twigs = vec![Twig::new((0, 0), example, None, usize::MAX)];
    let mut found: HashMap<(usize, Class), usize> = HashMap::new();
    let mut work: Vec<(u32, usize)> = Vec::new();
    for &head in heads {
        twigs[0].add(graph, head, names);
        work.push((head, 0));
    }
    let mut ways: HashMap<u32, (u32, u32, Edge)> = HashMap::new();
    // What the heads share is reached from any of them.
    for &component in rest {
        let node = graph.members(component)[0];
        let class = (names.kind(node), 0);
        let twig = place(&mut twigs, &mut found, 0, class, node, None);
        twigs[twig].add(graph, component, names);
        work.push((component, twig));
    }
    while let Some((component, twig)) = work.pop() {
        let children = owners.of_component(component);
        if children.is_empty() {
            continue;
        }
        ways.clear();
        for (from, to, edge) in graph.leaving(component) {
            ways.entry(graph.component_of(to)).or_insert((from, to, *edge));
        }
        for &child in children {
            let way = ways.get(&child).copied();
            let node = way.map_or(graph.members(child)[0], |(_, to, _)| to);
            let field = way.map_or(0, |(from, _, edge)| names.field(from, &edge));
            let class = (names.kind(node), field);
            let by = way.map(|(from, _, edge)| (from, edge));
            let at = place(&mut twigs, &mut found, twig, class, node, by);
            twigs[at].is_at_one_offset &= match (&twigs[at].by, by) {
                (Some((_, first)), Some((_, this))) => first.offset == this.offset,
                _ => false,
            };
            twigs[at].add(graph, child, names);
            work.push((child, at));
        }
    }
    sum_up(&mut twigs);
    twigs
}

/// The twig for a class below `parent`: one of those above it, `parent` included, one right below, or a new one.
fn place(
    twigs: &mut Vec<Twig>,
    found: &mut HashMap<(usize, Class), usize>,
    parent: usize,
    class: Class,
    example: u32,
    by: Option<(u32, Edge)>,
) -> usize {
    let mut at = parent;
    while at != 0 {
        if twigs[at].class == class {
            return at;
        }
        at = twigs[at].above;
    }
    if twigs[parent].depth >= DEPTH_MAX {
        return parent;
    }
    *found.entry((parent, class)).or_insert_with(|| {
        let new = twigs.len();
        let depth = twigs[parent].depth + 1;
        twigs.push(Twig { depth, ..Twig::new(class, example, by, parent) });
        twigs[parent].below.push(new);
        new
    })
}

impl Twig {
    fn new(class: Class, example: u32, by: Option<(u32, Edge)>, above: usize) -> Self {
        Self {
            class,
            example,
            by,
            is_at_one_offset: true,
            cycles: 0,
            blocks: 0,
            bytes: 0,
            all_blocks: 0,
            all_bytes: 0,
            has_many_sites: false,
            below: Vec::new(),
            above,
            depth: 0,
        }
    }

    fn add(&mut self, graph: &Graph<'_>, component: u32, names: &impl Names) {
        self.cycles += u64::from(graph.members(component).len() > 1);
        for &node in graph.members(component) {
            if names.counts(node) {
                self.blocks += 1;
                self.bytes += graph.blocks[node as usize].size_bytes;
                self.has_many_sites |= names.site(node) != names.site(self.example);
            }
        }
    }
}

/// Twigs stand behind the one above them, so going backwards meets each after all that is below it.
fn sum_up(twigs: &mut [Twig]) {
    for at in (0..twigs.len()).rev() {
        let below = &twigs[at].below;
        let blocks = below.iter().map(|twig| twigs[*twig].all_blocks).sum::<u64>();
        let bytes = below.iter().map(|twig| twigs[*twig].all_bytes).sum::<u64>();
        let mut below = std::mem::take(&mut twigs[at].below);
        below.sort_by_key(|&twig| (std::cmp::Reverse(twigs[twig].all_bytes), twigs[twig].class, twig));
        let twig = &mut twigs[at];
        (twig.all_blocks, twig.all_bytes) = (twig.blocks + blocks, twig.bytes + bytes);
        twig.below = below;
    }
}
