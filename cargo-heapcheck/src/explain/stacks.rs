#![forbid(unsafe_code)]
//! The stacks that an entry is laid together from: what profiles are made of.

use std::sync::Arc;

use heapcheck_rt::record::Record;

use super::drafts::Draft;
use super::sites::Sites;
use crate::symbols::Frame;

/// Blocks that one thread has lost from one stack, or has in use from there.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Their number.
    pub(crate) blocks: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Their type.
    pub(crate) allocated: Option<String>,
    /// The name of the thread.
    pub(crate) thread: String,
    /// The stack, innermost first.
    pub(crate) trace: Arc<[Frame]>,
}

/// The stacks of a draft.
pub(super) fn of_draft(record: &Record, draft: &Draft, sites: &Sites) -> Vec<Stack> {
    let stacks = draft.stacks.iter().map(|(&(site, thread), &(bytes, blocks))| {
        let site = sites.get(site);
        Stack {
            blocks,
            bytes,
            allocated: site.allocated.clone(),
            thread: thread_name(record, thread),
            trace: Arc::clone(&site.trace),
        }
    });
    stacks.collect()
}

/// The name of a thread; empty when it is not known.
pub(super) fn thread_name(record: &Record, thread: u32) -> String {
    let known = record.thread(thread);
    known.map_or(String::new(), |thread| String::from_utf8_lossy(&thread.name).into_owned())
}
