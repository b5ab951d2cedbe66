#![forbid(unsafe_code)]
//! One test's part of the record of a process that ran many: what belongs to its scopes.

use std::collections::BTreeSet;

use heapcheck_rt::record::{LeakKind, NoteKind, Record};

/// Keeps of a record what belongs to these scopes, and the notes on this test.
pub(crate) fn keep(record: &mut Record, scopes: &BTreeSet<u32>, test: Option<&str>) {
    for found in &mut record.checks {
        found.leaks.retain(|leak| scopes.contains(&leak.scope));
        found.blocks.retain(|block| scopes.contains(&block.scope));
        let blocks: BTreeSet<u32> = found.blocks.iter().map(|block| block.id).collect();
        found.edges.retain(|edge| blocks.contains(&edge.from) && blocks.contains(&edge.to));
        found.contents.retain(|contents| blocks.contains(&contents.block));
        found.in_use.retain(|in_use| scopes.contains(&in_use.scope));
        let Some(totals) = &mut found.totals else { continue };
        let sum = |is_wanted: &dyn Fn(LeakKind, bool) -> bool| {
            let wanted = found.leaks.iter().filter(|leak| is_wanted(leak.kind, leak.suppressed));
            wanted.fold((0, 0), |(blocks, bytes), leak| (blocks + leak.blocks, bytes + leak.bytes))
        };
        (totals.leaked_blocks, totals.leaked_bytes) =
            sum(&|kind, is_suppressed| !is_suppressed && kind != LeakKind::Doubtful);
        (totals.doubtful_blocks, totals.doubtful_bytes) =
            sum(&|kind, is_suppressed| !is_suppressed && kind == LeakKind::Doubtful);
        (totals.suppressed_blocks, totals.suppressed_bytes) = sum(&|_, is_suppressed| is_suppressed);
    }
    record.notes.retain(|note| match note.kind {
        NoteKind::Failed => failed_test(&note.text).is_some_and(|(name, _)| Some(name.as_str()) == test),
        _ => test.is_none(),
    });
    // A wrong free is nobody's: the process as a whole has it.
    if test.is_some() {
        record.faults.clear();
    }
}

/// The test that fails by its attribute, and why, as a note has it.
pub(crate) fn failed_test(text: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(text);
    text.split_once(": ").map(|(name, why)| (name.to_string(), why.to_string()))
}
