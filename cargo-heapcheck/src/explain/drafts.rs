#![forbid(unsafe_code)]
//! Which leaks of a check are told as one: those of one kind that come from the same functions, and cycles through
//! the same places. What they sum up to is the runtime's; who owns whom is read from the graph.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use heapcheck_rt::record::{Block, Found, Leak, LeakKind, Record};

use super::contents::Contents;
use super::fields::Fields;
use super::signature::fnv;
use super::sites::{Site, Sites};
use crate::shape::graph::Graph;
use crate::shape::owners::Owners;
use crate::symbols::Symbols;

/// An entry in the making.
#[derive(Debug)]
pub(super) struct Draft {
    /// Its kind.
    pub(super) kind: LeakKind,
    /// What it is recognised by in other runs.
    pub(super) signature: u64,
    /// Whether it is told in the tree of another entry.
    pub(super) is_owned: bool,
    /// Its sums.
    pub(super) blocks: u64,
    pub(super) bytes: u64,
    pub(super) largest_bytes: u64,
    /// What the runtime says that it keeps alive, for where the graph does not tell.
    pub(super) retained: (u64, u64),
    /// Bytes and blocks by place.
    pub(super) sites: BTreeMap<usize, (u64, u64)>,
    /// Bytes and blocks by place and thread.
    pub(super) stacks: BTreeMap<(usize, u32), (u64, u64)>,
    /// Bytes by thread.
    pub(super) threads: BTreeMap<u32, u64>,
    /// Its components, where it has a tree of its own.
    pub(super) heads: Vec<u32>,
}

/// A group of the runtime.
type Group = (LeakKind, u32, u32, u32);

/// The entries of a check, and who owns whom.
#[derive(Debug)]
pub(super) struct Drafts<'f> {
    /// The graph of all leaked blocks.
    pub(super) graph: Graph<'f>,
    /// Its owners; the drafts with heads are their entries, in this order.
    pub(super) owners: Owners,
    /// The place of each block.
    pub(super) sites: Vec<usize>,
    /// Whether each block counts in this check.
    pub(super) counts: Vec<bool>,
    /// The entries.
    pub(super) list: Vec<Draft>,
    /// The fields of its pointers, as far as they were asked for.
    pub(super) fields: Fields<'f>,
}

impl<'f> Drafts<'f> {
    /// Lays equal leaks together.
    pub(super) fn of(record: &Record, found: &'f Found, sites: &mut Sites, symbols: &mut Symbols) -> Self {
        let graph = Graph::of(found);
        let known: HashSet<Group> =
            found.leaks.iter().filter(|leak| !leak.suppressed).map(group_of_leak).collect();
        let counts: Vec<bool> =
            graph.blocks.iter().map(|block| known.contains(&group_of_block(block))).collect();
        let block_sites: Vec<usize> =
            graph.blocks.iter().map(|block| sites.find(record, block.trace, symbols)).collect();
        let contents = Contents::of(found);
        sites.find_classes(record, (&graph, &block_sites), &contents, symbols);
        sites.find_pointed(&graph, &block_sites, &mut symbols.types);
        let mut fields = Fields::of(contents);
        let graph = graph.without(|graph, ends, edge| {
            fields.may_hold((graph, sites, &block_sites), ends, edge, &mut symbols.types)
        });
        let mut making = Making {
            graph: &graph,
            sites: &block_sites,
            counts: &counts,
            list: Vec::new(),
            told: HashMap::new(),
        };
        let mut numbers: HashMap<(LeakKind, u64), usize> = HashMap::new();
        let mut entry_of: Vec<Option<u32>> = vec![None; graph.components()];
        for component in 0..graph.components() as u32 {
            let kind = graph.kind(component);
            if matches!(kind, LeakKind::Direct | LeakKind::Cycle)
                && let Some(draft) = making.add(component, kind, &mut numbers, sites)
            {
                entry_of[component as usize] = Some(draft as u32);
            }
        }
        let owners = Owners::find(&graph, making.list.len(), &entry_of);
        // What hangs on several entries at once has a tree of its own; the rest is told in a tree.
        let mut tops = owners.shared().to_vec();
        let mut told: HashSet<u32> = tops.iter().copied().collect();
        while let Some(component) = tops.pop() {
            told.insert(component);
            if making.add(component, LeakKind::Indirect, &mut numbers, sites).is_none() {
                // It does not count in this check, but what hangs on it may.
                tops.extend(owners.of_component(component));
            }
        }
        for draft in &mut making.list {
            draft.heads.sort_unstable();
        }
        let mut owned = HashMap::new();
        making.add_come_apart(&told, &mut owned, sites);
        for leak in found.leaks.iter().filter(|leak| !leak.suppressed) {
            let site = sites.find(record, leak.trace, symbols);
            let is_below = leak.kind == LeakKind::Indirect && !graph.blocks.is_empty();
            making.add_rest(leak, site, sites.get(site), if is_below { &mut owned } else { &mut numbers });
        }
        let list = making.list;
        Self { owners, sites: block_sites, counts, list, graph, fields }
    }
}

struct Making<'g, 'f> {
    graph: &'g Graph<'f>,
    sites: &'g [usize],
    counts: &'g [bool],
    list: Vec<Draft>,
    /// Blocks and bytes of each group that are in some draft.
    told: HashMap<Group, (u64, u64)>,
}

impl Making<'_, '_> {
    /// Adds a component to the draft of its like; `None` when nothing of it counts.
    fn add(
        &mut self,
        component: u32,
        kind: LeakKind,
        numbers: &mut HashMap<(LeakKind, u64), usize>,
        sites: &Sites,
    ) -> Option<usize> {
        let members = self.graph.members(component);
        if !members.iter().any(|node| self.counts[*node as usize]) {
            return None;
        }
        let all = |of: fn(&Site) -> u64| {
            let keys: BTreeSet<u64> =
                members.iter().map(|node| of(sites.get(self.sites[*node as usize]))).collect();
            match (keys.len(), keys.first()) {
                (1, Some(key)) => *key,
                _ => fnv(keys.iter().map(|key| key.to_le_bytes())),
            }
        };
        let (key, signature) = (all(|site| site.key), all(|site| site.signature));
        let list = &mut self.list;
        let at = *numbers.entry((kind, key)).or_insert_with(|| {
            list.push(Draft::new(kind, signature, false));
            list.len() - 1
        });
        let draft = &mut self.list[at];
        draft.heads.push(component);
        for &node in members.iter().filter(|node| self.counts[**node as usize]) {
            let block = &self.graph.blocks[node as usize];
            draft.add(self.sites[node as usize], block.thread, 1, block.size_bytes, block.size_bytes);
            let told = self.told.entry(group_of_block(block)).or_default();
            *told = (told.0 + 1, told.1 + block.size_bytes);
        }
        Some(at)
    }

    /// Adds what hangs on others since a cycle came apart, which the runtime saw as a part of that.
    fn add_come_apart(
        &mut self,
        told: &HashSet<u32>,
        numbers: &mut HashMap<(LeakKind, u64), usize>,
        sites: &Sites,
    ) {
        for component in (0..self.graph.components() as u32).filter(|component| !told.contains(component)) {
            let members = self.graph.members(component).iter().copied();
            for node in members.filter(|node| self.counts[*node as usize]) {
                let block = &self.graph.blocks[node as usize];
                let place = sites.get(self.sites[node as usize]);
                if self.graph.kind(component) != LeakKind::Indirect || block.kind == LeakKind::Indirect {
                    continue;
                }
                let told = self.told.entry(group_of_block(block)).or_default();
                *told = (told.0 + 1, told.1 + block.size_bytes);
                let list = &mut self.list;
                let at = *numbers.entry((LeakKind::Indirect, place.key)).or_insert_with(|| {
                    list.push(Draft::new(LeakKind::Indirect, place.signature, true));
                    list.len() - 1
                });
                let site = self.sites[node as usize];
                self.list[at].add(site, block.thread, 1, block.size_bytes, block.size_bytes);
            }
        }
    }

    /// Adds what the graph does not have of a group: blocks beyond those that are written one by one, kinds that have
    /// no graph, and what is told in trees.
    fn add_rest(
        &mut self,
        leak: &Leak,
        site: usize,
        place: &Site,
        numbers: &mut HashMap<(LeakKind, u64), usize>,
    ) {
        let told = self.told.get(&group_of_leak(leak)).copied().unwrap_or_default();
        let (blocks, bytes) = (leak.blocks.saturating_sub(told.0), leak.bytes.saturating_sub(told.1));
        if blocks == 0 {
            return;
        }
        let list = &mut self.list;
        let is_owned = leak.kind == LeakKind::Indirect;
        let at = *numbers.entry((leak.kind, place.key)).or_insert_with(|| {
            list.push(Draft::new(leak.kind, place.signature, is_owned));
            list.len() - 1
        });
        let draft = &mut self.list[at];
        draft.add(site, leak.thread, blocks, bytes, leak.largest_bytes);
        draft.retained = (draft.retained.0 + leak.retained_blocks, draft.retained.1 + leak.retained_bytes);
    }
}

impl Draft {
    fn new(kind: LeakKind, signature: u64, is_owned: bool) -> Self {
        Self {
            kind,
            signature,
            is_owned,
            blocks: 0,
            bytes: 0,
            largest_bytes: 0,
            retained: (0, 0),
            sites: BTreeMap::new(),
            stacks: BTreeMap::new(),
            threads: BTreeMap::new(),
            heads: Vec::new(),
        }
    }

    fn add(&mut self, site: usize, thread: u32, blocks: u64, bytes: u64, largest_bytes: u64) {
        (self.blocks, self.bytes) = (self.blocks + blocks, self.bytes + bytes);
        self.largest_bytes = self.largest_bytes.max(largest_bytes);
        let of_site = self.sites.entry(site).or_default();
        *of_site = (of_site.0 + bytes, of_site.1 + blocks);
        let of_stack = self.stacks.entry((site, thread)).or_default();
        *of_stack = (of_stack.0 + bytes, of_stack.1 + blocks);
        *self.threads.entry(thread).or_default() += bytes;
    }
}

fn group_of_leak(leak: &Leak) -> Group {
    (leak.kind, leak.trace, leak.scope, leak.thread)
}

fn group_of_block(block: &Block) -> Group {
    (block.kind, block.trace, block.scope, block.thread)
}
