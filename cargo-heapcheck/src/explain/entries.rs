#![forbid(unsafe_code)]
//! The entries of the report: each draft with its stack, its circle, its tree and its advice.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use heapcheck_rt::record::{Edge, Found, LeakKind, Record};

use super::drafts::{Draft, Drafts};
use super::naming::Naming;
use super::signature::fnv;
use super::sites::{Site, Sites, is_counted};
use super::{Branch, Explanation, Member, advice, stacks};
use crate::shape::circle;
use crate::shape::tree::{Twig, grow};
use crate::shape::whole::{Pointer, is_whole};
use crate::symbols::{Symbols, place};
use crate::why;

/// The entries of one check.
pub(super) fn of_check(record: &Record, found: &Found, symbols: &mut Symbols) -> Vec<Explanation> {
    let mut sites = Sites::of(found);
    let mut drafts = Drafts::of(record, found, &mut sites, symbols);
    let fields = std::mem::take(&mut drafts.fields);
    let mut naming = Naming::new(&drafts, &sites, fields, &mut symbols.types);
    let entries = drafts.list.iter().enumerate();
    let mut entries: Vec<Explanation> =
        entries.map(|(number, draft)| explain(record, number, draft, &mut naming)).collect();
    let mut names = why::Names::default();
    for (entry, draft) in entries.iter_mut().zip(&drafts.list).filter(|(it, _)| it.kind == LeakKind::Unfreed)
    {
        // Most of an entry is what its heaviest place allocated.
        let most = draft.sites.iter().max_by_key(|(site, sums)| (**sums, Reverse(**site)));
        let trace = most.map(|(site, _)| sites.get(*site).number);
        entry.held_by = trace.and_then(|trace| why::way_to(record, found, trace, &mut names, symbols));
    }
    entries
}

/// Lays equal entries of several checks together, and puts all in order: what hangs on others last, then the heaviest
/// first.
pub(super) fn joined(entries: Vec<Explanation>) -> Vec<Explanation> {
    let mut all: Vec<Explanation> = Vec::new();
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    for entry in entries {
        let line = entry.own.filter(|_| entry.allocated.is_none()).and_then(|own| place(&entry.trace[own]));
        match known.entry((entry.signature.clone(), entry.is_owned, line)) {
            Entry::Occupied(at) => all[*at.get()].add(entry),
            Entry::Vacant(free) => {
                free.insert(all.len());
                all.push(entry);
            }
        }
    }
    all.sort_by(|a, b| {
        let rank = |entry: &Explanation| {
            let hangs_on_others = match entry.kind {
                LeakKind::Doubtful => 3,
                LeakKind::Indirect => 1 + u8::from(entry.is_owned),
                _ => 0,
            };
            (hangs_on_others, Reverse(entry.bytes + entry.retained_bytes))
        };
        rank(a).cmp(&rank(b)).then_with(|| a.signature.cmp(&b.signature))
    });
    all
}

impl Explanation {
    /// Adds an equal leak of another process or check. What it looks like is told once.
    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.blocks += other.blocks;
        self.largest_bytes = self.largest_bytes.max(other.largest_bytes);
        self.instances += other.instances;
        self.retained_bytes += other.retained_bytes;
        self.retained_blocks += other.retained_blocks;
        self.threads = self.threads.max(other.threads);
        self.stacks.extend(other.stacks);
    }
}

fn explain(record: &Record, number: usize, draft: &Draft, naming: &mut Naming<'_, '_>) -> Explanation {
    let drafts = naming.drafts;
    let centre = match (draft.kind, draft.heads.first()) {
        (LeakKind::Cycle, Some(&head)) => centre(head, naming),
        _ => None,
    };
    // The stack that is shown is that of the centre of a cycle, else that of most bytes.
    let most = draft.sites.iter().max_by_key(|(site, sums)| (**sums, Reverse(**site)));
    let shown = centre.map(|node| drafts.sites[node as usize]).or(most.map(|(site, _)| *site)).unwrap_or(0);
    let site = naming.sites.get(shown);
    let heads: &[u32] = &draft.heads;
    let rest: Vec<u32> = match draft.kind {
        LeakKind::Direct | LeakKind::Cycle if !heads.is_empty() => {
            drafts.owners.of_entry(number).iter().copied().filter(|at| !is_head(draft, *at)).collect()
        }
        _ => Vec::new(),
    };
    let twigs =
        if heads.is_empty() { Vec::new() } else { grow(&drafts.graph, &drafts.owners, heads, &rest, naming) };
    let retained = match twigs.first() {
        Some(top) => (top.all_blocks - top.blocks, top.all_bytes - top.bytes),
        None => draft.retained,
    };
    let kept = branches(&twigs, naming);
    let members = centre.map_or(Vec::new(), |centre| draw(centre, naming));
    let others = centre.map_or(Vec::new(), |centre| others(draft, centre, naming));
    let main = draft.threads.iter().max_by_key(|(thread, bytes)| (**bytes, Reverse(**thread)));
    let thread = main.and_then(|(thread, _)| record.thread(*thread));
    let kind = draft.kind;
    let is_structure = kind == LeakKind::Cycle && is_structure(draft, naming);
    Explanation {
        kind,
        bytes: draft.bytes,
        blocks: draft.blocks,
        largest_bytes: draft.largest_bytes,
        instances: if kind == LeakKind::Cycle { heads.len().max(1) as u64 } else { draft.blocks },
        retained_blocks: retained.0,
        retained_bytes: retained.1,
        is_owned: draft.is_owned,
        allocated: site.allocated.clone(),
        full_type: site.typed.as_ref().map(|typed| typed.full.clone()),
        thread: thread.map_or(String::new(), |thread| String::from_utf8_lossy(&thread.name).into_owned()),
        is_own_thread: false,
        threads: draft.threads.len(),
        is_truncated: site.is_truncated,
        also: also(draft, site, naming.sites),
        held_by: None,
        help: advice::of(kind, is_structure, site, &members, &mut naming.types.sources),
        signature: format!("{:016x}", fnv([kind.name().as_bytes(), &draft.signature.to_le_bytes()])),
        trace: Arc::clone(&site.trace),
        stacks: stacks::of_draft(record, draft, naming.sites),
        own: site.own,
        is_structure,
        members,
        others,
        kept,
    }
}

/// Whether the cycles are only how collections are built.
fn is_structure(draft: &Draft, naming: &Naming<'_, '_>) -> bool {
    let graph = &naming.drafts.graph;
    draft.heads.iter().all(|head| {
        let members = graph.members(*head);
        let is_node = |node: &u32| {
            let name = naming.site_of(*node).allocated.as_deref().unwrap_or_default();
            ["BTreeMap<", "BTreeSet<", "LinkedList<"].iter().any(|collection| name.starts_with(collection))
        };
        members.iter().all(is_node)
            || (members.iter().any(|node| naming.site_of(*node).is_foreign)
                && is_whole(graph, *head, |from, to, edge| naming.pointer(from, to, edge)))
    })
}

fn is_head(draft: &Draft, component: u32) -> bool {
    draft.heads.binary_search(&component).is_ok()
}

/// The block that a cycle is told from: a counted pointer, since those are what keeps a cycle; then what was made first.
fn centre(component: u32, naming: &Naming<'_, '_>) -> Option<u32> {
    let graph = &naming.drafts.graph;
    circle::centre(graph, component, |node| {
        let allocated = naming.site_of(node).allocated.as_deref();
        let is_part = naming.is_part(node);
        (allocated.is_some_and(is_counted), !is_part, Reverse(graph.blocks[node as usize].trace))
    })
}

/// The other lines that a leak comes from. The places of a cycle are in its drawing.
fn also(draft: &Draft, shown: &Site, sites: &Sites) -> Vec<(String, u64)> {
    if draft.kind == LeakKind::Cycle {
        return Vec::new();
    }
    let mut places: BTreeMap<&str, u64> = BTreeMap::new();
    for (site, (_, blocks)) in &draft.sites {
        if let Some(place) = sites.get(*site).place.as_deref()
            && Some(place) != shown.place.as_deref()
        {
            *places.entry(place).or_default() += blocks;
        }
    }
    places.into_iter().map(|(place, blocks)| (place.to_string(), blocks)).collect()
}

fn drawn<'f>(centre: u32, naming: &Naming<'_, 'f>) -> Vec<(u32, &'f Edge)> {
    circle::draw(&naming.drafts.graph, centre, |from, to, edge| {
        naming.pointer(from, to, edge) == Pointer::Back
    })
}

/// The circle through `centre`, with the pointers that make it.
fn draw(centre: u32, naming: &mut Naming<'_, '_>) -> Vec<Member> {
    let drafts = naming.drafts;
    let component = drafts.graph.component_of(centre);
    let circle = drawn(centre, naming);
    let mut alike: BTreeMap<u32, u64> = BTreeMap::new();
    for node in drafts.graph.members(component) {
        *alike.entry(naming.site_of(*node).kind).or_default() += 1;
    }
    let members = circle.into_iter().map(|(node, edge)| {
        let site = naming.site_of(node);
        Member {
            bytes: drafts.graph.blocks[node as usize].size_bytes,
            allocated: site.allocated.clone(),
            place: site.place.clone(),
            offset: naming.offset(node, edge),
            field: naming.path(node, edge),
            is_raw: naming.is_raw(node, edge),
            alike: alike.get(&site.kind).copied().unwrap_or(1),
        }
    });
    members.collect()
}

/// What lies in the cycles besides what is drawn, by type.
fn others(draft: &Draft, centre: u32, naming: &Naming<'_, '_>) -> Vec<Branch> {
    let drafts = naming.drafts;
    let drawn: Vec<u32> = drawn(centre, naming).iter().map(|(node, _)| naming.site_of(*node).kind).collect();
    let mut sums: BTreeMap<u32, Branch> = BTreeMap::new();
    let nodes = draft.heads.iter().flat_map(|head| drafts.graph.members(*head));
    for &node in nodes.filter(|node| drafts.counts[**node as usize]) {
        let site = naming.site_of(node);
        if drawn.contains(&site.kind) {
            continue;
        }
        let branch = sums.entry(site.kind).or_insert_with(|| Branch {
            allocated: site.allocated.clone(),
            field: None,
            offset: None,
            place: site.place.clone(),
            cycles: 0,
            blocks: 0,
            bytes: 0,
            below: Vec::new(),
        });
        branch.blocks += 1;
        branch.bytes += drafts.graph.blocks[node as usize].size_bytes;
    }
    let mut others: Vec<Branch> = sums.into_values().collect();
    others.sort_by_key(|branch| Reverse(branch.bytes));
    others
}

/// The tree in words. Twigs stand behind the one above them, so the last ones are whole first.
fn branches(twigs: &[Twig], naming: &mut Naming<'_, '_>) -> Vec<Branch> {
    let mut made: Vec<Option<Branch>> = Vec::new();
    made.resize_with(twigs.len(), || None);
    let mut top = Vec::new();
    for at in (0..twigs.len()).rev() {
        let twig = &twigs[at];
        let below: Vec<Branch> = twig.below.iter().filter_map(|child| made[*child].take()).collect();
        if at == 0 {
            top = below;
            continue;
        }
        let site = naming.site_of(twig.example);
        made[at] = Some(Branch {
            allocated: site.allocated.clone(),
            field: twig.by.and_then(|(from, edge)| naming.path(from, &edge)),
            offset: twig
                .by
                .filter(|_| twig.is_at_one_offset)
                .and_then(|(from, edge)| naming.offset(from, &edge)),
            place: site.place.clone().filter(|_| !twig.has_many_sites),
            cycles: twig.cycles,
            blocks: twig.blocks,
            bytes: twig.bytes,
            below,
        });
    }
    top
}
