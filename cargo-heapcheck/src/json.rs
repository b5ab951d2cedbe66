#![forbid(unsafe_code)]
//! The report for machines.

use serde_json::{Value, json};

use crate::excused::Excused;
use crate::explain::{Branch, Explained, Explanation};
use crate::symbols::Frame;
use crate::verdict::Verdict;
use crate::why::Way;

/// Changes when a reader of the last one would misread.
const VERSION: u32 = 1;

/// Writes the report as one JSON object.
pub(crate) fn render(units: &[Explained]) -> String {
    let leaks = units.iter().flat_map(|unit| unit.leaks.iter().map(move |leak| leak_value(unit, leak)));
    let value = json!({
        "version": VERSION,
        "outcome": overall(units),
        "leaked_bytes": units.iter().map(|unit| unit.leaked_bytes).sum::<u64>(),
        "leaked_blocks": units.iter().map(|unit| unit.leaked_blocks).sum::<u64>(),
        "suppressed_bytes": units.iter().map(|unit| unit.suppressed_bytes).sum::<u64>(),
        "tests": units.iter().filter(|unit| unit.test.is_some()).map(test_value).collect::<Vec<_>>(),
        "leaks": leaks.collect::<Vec<_>>(),
        "excused": units.iter().flat_map(|unit| unit.excused.iter().map(move |excused| excused_value(unit, excused)))
            .collect::<Vec<_>>(),
        "faults": units.iter().flat_map(|unit| unit.faults.iter().map(move |fault| json!({
            "what": fault.what,
            "bytes": fault.bytes,
            "program": unit.program,
            "test": unit.test,
            "stacks": fault.stacks.iter().map(|(what, frames)| json!({
                "what": what, "trace": frames.iter().map(frame_value).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        }))).collect::<Vec<_>>(),
        "notes": units.iter().flat_map(|unit| &unit.notes).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn overall(units: &[Explained]) -> &'static str {
    let is_any = |wanted: fn(&Verdict) -> bool| units.iter().any(|unit| wanted(&unit.verdict));
    if units.is_empty() || is_any(|verdict| matches!(verdict, Verdict::None(_))) {
        Verdict::None(String::new()).name()
    } else if is_any(|verdict| *verdict == Verdict::Leaked) {
        Verdict::Leaked.name()
    } else if is_any(|verdict| matches!(verdict, Verdict::Failed | Verdict::TimedOut)) {
        // Whether they leak is not known.
        Verdict::None(String::new()).name()
    } else {
        Verdict::Clean.name()
    }
}

fn excused_value(unit: &Explained, excused: &Excused) -> Value {
    json!({ "excuse": excused.by, "kind": excused.kind.name(), "bytes": excused.bytes, "blocks": excused.blocks,
        "type": excused.allocated, "function": excused.function, "place": excused.place,
        "program": unit.program, "test": unit.test, "signature": excused.signature })
}

fn test_value(unit: &Explained) -> Value {
    let reason = match &unit.verdict {
        Verdict::None(reason) => Some(reason),
        _ => None,
    };
    json!({ "name": unit.test, "program": unit.program, "outcome": unit.verdict.name(), "reason": reason,
        "leaked_bytes": unit.leaked_bytes, "leaked_blocks": unit.leaked_blocks })
}

fn leak_value(unit: &Explained, leak: &Explanation) -> Value {
    json!({
        "kind": leak.kind.name(),
        "bytes": leak.bytes,
        "blocks": leak.blocks,
        "retained_bytes": leak.retained_bytes,
        "retained_blocks": leak.retained_blocks,
        "largest_bytes": leak.largest_bytes,
        "instances": leak.instances,
        "owned": leak.is_owned,
        "type": leak.allocated,
        "type_full": leak.full_type,
        "program": unit.program,
        "test": unit.test,
        "thread": leak.thread,
        "threads": leak.threads,
        "also": leak.also.iter().map(|(place, blocks)| json!({ "place": place, "blocks": blocks }))
            .collect::<Vec<_>>(),
        "held_by": leak.held_by.as_ref().map(Way::value),
        "help": leak.help,
        "signature": leak.signature,
        "truncated": leak.is_truncated,
        "members": leak.members.iter().map(|member| json!({
            "bytes": member.bytes, "type": member.allocated, "place": member.place, "offset": member.offset,
            "field": member.field, "alike": member.alike,
        })).collect::<Vec<_>>(),
        "others": leak.others.iter().map(branch_value).collect::<Vec<_>>(),
        "kept": leak.kept.iter().map(branch_value).collect::<Vec<_>>(),
        "trace": leak.trace.iter().map(frame_value).collect::<Vec<_>>(),
    })
}

/// A tree is as deep as there are different types in a row.
fn branch_value(branch: &Branch) -> Value {
    json!({ "type": branch.allocated, "field": branch.field, "offset": branch.offset, "place": branch.place,
        "cycles": branch.cycles, "blocks": branch.blocks, "bytes": branch.bytes,
        "below": branch.below.iter().map(branch_value).collect::<Vec<_>>() })
}

fn frame_value(frame: &Frame) -> Value {
    json!({ "function": frame.function, "file": frame.file, "line": frame.line, "column": frame.column,
        "inlined": frame.is_inlined, "module": frame.module })
}
