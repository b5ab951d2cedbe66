#![forbid(unsafe_code)]
//! What was in use when a process was checked for the last time, by the stacks that allocated it.

use std::sync::Arc;

use heapcheck_rt::record::Record;

use super::sites::Sites;
use super::stacks::{Stack, thread_name};
use crate::symbols::Symbols;

/// Blocks that were alive, reachable or not.
#[derive(Debug, Default)]
pub(crate) struct InUse {
    /// Their number.
    pub(crate) blocks: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Where they come from; `None` where only the sums are known.
    pub(crate) stacks: Option<Vec<Stack>>,
}

impl InUse {
    /// What the last check of a record says; `None` when it does not say it.
    pub(super) fn of(record: &Record, symbols: &mut Symbols) -> Option<Self> {
        let found = record.checks.iter().rfind(|found| found.check.has_in_use)?;
        let mut sites = Sites::default();
        let stacks = found.in_use.iter().map(|sum| {
            let site = sites.find(record, sum.trace, symbols);
            let site = sites.get(site);
            Stack {
                blocks: sum.blocks,
                bytes: sum.bytes,
                allocated: site.allocated.clone(),
                thread: thread_name(record, sum.thread),
                trace: Arc::clone(&site.trace),
            }
        });
        let stacks: Vec<Stack> = stacks.collect();
        let sum = |of: fn(&Stack) -> u64| stacks.iter().map(of).sum();
        Some(Self { blocks: sum(|it| it.blocks), bytes: sum(|it| it.bytes), stacks: Some(stacks) })
    }

    /// Adds what another process has in use.
    pub(super) fn add(&mut self, other: Self) {
        (self.blocks, self.bytes) = (self.blocks + other.blocks, self.bytes + other.bytes);
        self.stacks = match (self.stacks.take(), other.stacks) {
            (Some(own), Some(others)) => Some(own.into_iter().chain(others).collect()),
            _ => None,
        };
    }
}
