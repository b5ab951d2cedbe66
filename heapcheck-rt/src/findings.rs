#![forbid(unsafe_code)]
//! What a check found, in the terms of the record: leaks grouped by kind, trace, scope and thread, and the sums.

use crate::arena::{Arena, Buf};
use crate::classify::{Kind, Leaks};
use crate::heap::meta::Live;
use crate::record::{Leak, LeakKind, Totals};
use crate::space::{Grow, OutOfMemory};
use crate::stopped_heap::ArenaMemory;

/// What a check has come to. Who has it may be stopped by the next check, and holds nothing of what checks work with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) totals: Totals,
    /// As those of [`Findings`].
    pub(crate) guests: u64,
    pub(crate) locals: (u64, u64),
}

/// The result of a check, during the check.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) leaks: Buf<Leak>,
    pub(crate) totals: Totals,
    /// Blocks that would count, had not threads allocated them that are still in the scope.
    pub(crate) guests: u64,
    /// The blocks that only local variables hold, and their bytes.
    pub(crate) locals: (u64, u64),
}

impl Findings {
    pub(crate) fn new(arena: &'static Arena) -> Self {
        Self { leaks: Buf::new(arena), totals: Totals::default(), guests: 0, locals: (0, 0) }
    }

    /// What outlives the check.
    pub(crate) fn summary(&self) -> Summary {
        Summary { totals: self.totals, guests: self.guests, locals: self.locals }
    }

    /// Adds one block. [`Findings::group`] joins equal ones.
    pub(crate) fn add(
        &mut self, kind: LeakKind, live: &Live, suppressed: bool, retained: (u64, u64),
    ) -> Result<(), OutOfMemory> {
        let bytes = live.size as u64;
        let totals = &mut self.totals;
        let (count, sum) = match (suppressed, kind) {
            (true, _) => (&mut totals.suppressed_blocks, &mut totals.suppressed_bytes),
            (_, LeakKind::Doubtful) => (&mut totals.doubtful_blocks, &mut totals.doubtful_bytes),
            _ => (&mut totals.leaked_blocks, &mut totals.leaked_bytes),
        };
        *count += 1;
        *sum += bytes;
        self.leaks.push(Leak {
            kind,
            suppressed,
            trace: live.trace,
            scope: live.scope,
            thread: u32::from(live.thread),
            blocks: 1,
            bytes,
            largest_bytes: bytes,
            retained_blocks: retained.0,
            retained_bytes: retained.1,
        })
    }

    /// Adds what a site has grown by.
    pub(crate) fn add_growth(
        &mut self, scope: u32, trace: u32, (blocks, bytes): (u32, u64),
    ) -> Result<(), OutOfMemory> {
        // A block that was replaced by a larger one is still one.
        let blocks = u64::from(blocks.max(1));
        self.totals.leaked_blocks += blocks;
        self.totals.leaked_bytes += bytes;
        self.leaks.push(Leak {
            kind: LeakKind::Growing,
            suppressed: false,
            trace,
            scope,
            // Several may have had a part in it.
            thread: u32::MAX,
            blocks,
            bytes,
            largest_bytes: bytes / blocks,
            retained_blocks: 0,
            retained_bytes: 0,
        })
    }

    /// Excuses all leaks.
    pub(crate) fn excuse(&mut self) {
        let totals = &mut self.totals;
        totals.suppressed_blocks += core::mem::take(&mut totals.leaked_blocks);
        totals.suppressed_bytes += core::mem::take(&mut totals.leaked_bytes);
        for leak in self.leaks.as_mut_slice().iter_mut().filter(|leak| leak.kind != LeakKind::Doubtful) {
            leak.suppressed = true;
        }
    }

    /// Joins leaks of one kind, trace, scope and thread.
    pub(crate) fn group(&mut self) {
        let leaks = self.leaks.as_mut_slice();
        leaks.sort_unstable_by_key(key);
        let mut kept = 0;
        for index in 0..leaks.len() {
            let leak = leaks[index];
            if index > 0 && key(&leaks[kept]) == key(&leak) {
                let whole = &mut leaks[kept];
                whole.blocks += leak.blocks;
                whole.bytes += leak.bytes;
                whole.largest_bytes = whole.largest_bytes.max(leak.largest_bytes);
                whole.retained_blocks += leak.retained_blocks;
                whole.retained_bytes += leak.retained_bytes;
            } else {
                kept += usize::from(index > 0);
                leaks[kept] = leak;
            }
        }
        let groups = if leaks.is_empty() { 0 } else { kept + 1 };
        while self.leaks.as_slice().len() > groups {
            self.leaks.pop();
        }
    }
}

fn key(leak: &Leak) -> (LeakKind, bool, u32, u32, u32) {
    (leak.kind, leak.suppressed, leak.trace, leak.scope, leak.thread)
}

/// The record's word for a kind.
pub(crate) fn kind_of(kind: Kind) -> LeakKind {
    match kind {
        Kind::Direct => LeakKind::Direct,
        Kind::Cycle => LeakKind::Cycle,
        Kind::Indirect => LeakKind::Indirect,
    }
}

/// What a block keeps alive besides itself and its component: told at the first block of a head.
pub(crate) fn retained_of(leaks: &Leaks<ArenaMemory>, block: u32) -> (u64, u64) {
    let component = leaks.component_of(block);
    let members = leaks.members(component);
    if leaks.head_of(component) != Some(component) || members.first() != Some(&block) {
        return (0, 0);
    }
    let own: u64 = members.iter().map(|member| leaks.blocks()[*member as usize].size as u64).sum();
    let retained = leaks.retained(component);
    (retained.blocks.saturating_sub(members.len() as u64), retained.bytes.saturating_sub(own))
}
