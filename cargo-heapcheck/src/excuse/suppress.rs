#![forbid(unsafe_code)]
//! Takes suppressed leaks out of records, with what hangs on them, before anybody explains the rest.
//!
//! What only a suppressed leak points to is excused with it, as in LeakSanitizer: nobody could free it otherwise. So the
//! pointers between leaked blocks are followed, and a leak of which only some blocks are reached keeps the others.

use std::collections::{BTreeMap, HashMap};

use heapcheck_rt::record::{Block, Found, Leak, LeakKind, Record, Totals};

use crate::config::filter::Subject;
use crate::config::quantity::today;
use crate::config::suppression::{Place, Suppression};
use crate::excused::{By, Excused};
use crate::explain::is_repeated;
use crate::explain::sites::{Site, Sites};
use crate::symbols::{Frame, Symbols};

/// What was taken out, and what there is to say about it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Leaks.
    pub(super) excused: Vec<Excused>,
    /// Suppressions that would have matched, were their time not over.
    pub(super) notes: Vec<String>,
}

/// A group of the runtime.
type Group = (LeakKind, u32, u32, u32);

/// Blocks and bytes.
type Sum = (u64, u64);

/// Takes out of `records` what `suppressions` excuse in a test.
pub(super) fn apply(
    records: &mut [Record],
    suppressions: &[Suppression],
    subject: &Subject,
    symbols: &mut Symbols,
) -> Outcome {
    let mut outcome = Outcome::default();
    if suppressions.is_empty() {
        return outcome;
    }
    let today = today();
    let (expired, active): (Vec<_>, Vec<_>) =
        suppressions.iter().partition(|suppression| suppression.has_expired(&today));
    for record in records {
        let mut sites = Sites::default();
        for at in 0..record.checks.len() {
            let mut by_group: HashMap<Group, &Suppression> = HashMap::new();
            for leak in record.checks[at].leaks.iter().filter(|leak| !leak.suppressed) {
                let number = sites.find(record, leak.trace, symbols);
                let site = sites.get(number);
                if let Some(found) = active.iter().find(|each| fits(each, subject, leak, site)) {
                    by_group.insert(group_of_leak(leak), found);
                } else if let Some(found) = expired.iter().find(|each| fits(each, subject, leak, site)) {
                    let (source, day, reason) = (&found.source, found.last_day(), &found.reason);
                    let note = format!("the suppression at {source} ended on {day}: {reason}");
                    if !outcome.notes.contains(&note) {
                        outcome.notes.push(note);
                    }
                }
            }
            if !by_group.is_empty() {
                // What a later check tells again is told there.
                let is_repeated = is_repeated(&record.checks[at], &record.checks[at + 1..]);
                let taken = take_out(&mut record.checks[at], &by_group);
                let taken = taken.into_iter().filter(|_| !is_repeated);
                outcome.excused.extend(taken.map(|((trace, kind, by), (blocks, bytes))| {
                    let number = sites.find(record, trace, symbols);
                    excused(sites.get(number), kind, by, blocks, bytes)
                }));
            }
        }
    }
    outcome
}

fn fits(suppression: &Suppression, subject: &Subject, leak: &Leak, site: &Site) -> bool {
    suppression.fits(subject, leak.kind, site.allocated.as_deref(), site.trace.iter().map(place_of))
}

fn place_of(frame: &Frame) -> Place<'_> {
    Place {
        function: &frame.function,
        file: frame.file.as_deref().unwrap_or_default(),
        line: frame.line,
        module: &frame.module,
    }
}

fn excused(site: &Site, kind: LeakKind, by: By, blocks: u64, bytes: u64) -> Excused {
    Excused {
        by,
        kind,
        bytes,
        blocks,
        allocated: site.allocated.clone(),
        function: site.own.map(|own| site.trace[own].function.to_string()),
        place: site.place.clone(),
        signature: None,
    }
}

/// Takes groups and what hangs on them out of a check. Answers what was taken, by trace, kind and excuse.
fn take_out(
    found: &mut Found,
    by_group: &HashMap<Group, &Suppression>,
) -> BTreeMap<(u32, LeakKind, By), Sum> {
    let mut reached: HashMap<u32, &Suppression> = HashMap::new();
    for block in &found.blocks {
        if let Some(suppression) = by_group.get(&group_of_block(block)) {
            reached.insert(block.id, suppression);
        }
    }
    flood(found, &mut reached);
    // Of a group that is suppressed all is taken, also what is not recorded block by block.
    let mut hanging: HashMap<Group, (Sum, &Suppression)> = HashMap::new();
    for block in &found.blocks {
        if let Some(by) = reached.get(&block.id) {
            let ((blocks, bytes), _) = hanging.entry(group_of_block(block)).or_insert(((0, 0), by));
            (*blocks, *bytes) = (*blocks + 1, *bytes + block.size_bytes);
        }
    }
    let mut taken = BTreeMap::new();
    for leak in found.leaks.iter_mut().filter(|leak| !leak.suppressed) {
        let group = group_of_leak(leak);
        let ((blocks, bytes), by) = match (by_group.get(&group), hanging.get(&group)) {
            (Some(by), _) => ((leak.blocks, leak.bytes), *by),
            (None, Some((sum, by))) => (*sum, *by),
            (None, None) => continue,
        };
        leak.blocks = leak.blocks.saturating_sub(blocks);
        leak.bytes = leak.bytes.saturating_sub(bytes);
        if let Some(totals) = &mut found.totals {
            move_to_suppressed(totals, leak.kind, blocks, bytes);
        }
        let by = By::Suppression { source: by.source.clone(), reason: by.reason.clone() };
        let sum: &mut Sum = taken.entry((leak.trace, leak.kind, by)).or_default();
        *sum = (sum.0 + blocks, sum.1 + bytes);
    }
    found.leaks.retain(|leak| leak.blocks > 0);
    found.blocks.retain(|block| !reached.contains_key(&block.id));
    found.edges.retain(|edge| !reached.contains_key(&edge.from) && !reached.contains_key(&edge.to));
    found.contents.retain(|contents| !reached.contains_key(&contents.block));
    taken
}

/// Follows the pointers from what is reached already.
fn flood<'s>(found: &Found, reached: &mut HashMap<u32, &'s Suppression>) {
    let mut targets: HashMap<u32, Vec<u32>> = HashMap::new();
    for edge in &found.edges {
        targets.entry(edge.from).or_default().push(edge.to);
    }
    let mut open: Vec<(u32, &'s Suppression)> = reached.iter().map(|(at, by)| (*at, *by)).collect();
    // The order decides only which of two excuses is told.
    open.sort_by_key(|(at, _)| *at);
    while let Some((at, by)) = open.pop() {
        for to in targets.get(&at).into_iter().flatten() {
            if !reached.contains_key(to) {
                reached.insert(*to, by);
                open.push((*to, by));
            }
        }
    }
}

fn move_to_suppressed(totals: &mut Totals, kind: LeakKind, blocks: u64, bytes: u64) {
    let (of_blocks, of_bytes) = match kind {
        LeakKind::Doubtful => (&mut totals.doubtful_blocks, &mut totals.doubtful_bytes),
        _ => (&mut totals.leaked_blocks, &mut totals.leaked_bytes),
    };
    *of_blocks = of_blocks.saturating_sub(blocks);
    *of_bytes = of_bytes.saturating_sub(bytes);
    totals.suppressed_blocks += blocks;
    totals.suppressed_bytes += bytes;
}

fn group_of_leak(leak: &Leak) -> Group {
    (leak.kind, leak.trace, leak.scope, leak.thread)
}

fn group_of_block(block: &Block) -> Group {
    (block.kind, block.trace, block.scope, block.thread)
}
