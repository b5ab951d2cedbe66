#![forbid(unsafe_code)]
//! From what was explained to the report for machines.

use heapcheck_rt::record::LeakKind;

use super::model::{
    Also, Branch, Excused, Fault, Frame, Kind, Leak, Member, Note, Outcome, Report, Stack, Unit, UnitOutcome,
    VERSION, Way, WayBlock,
};
use crate::excused;
use crate::explain::{self, Explained, Explanation, WrongFree};
use crate::symbols;
use crate::verdict::Verdict;
use crate::why;

/// Writes the report as one JSON object.
pub(crate) fn render(units: &[Explained]) -> String {
    let mut text = serde_json::to_string_pretty(&report(units)).unwrap_or_default();
    text.push('\n');
    text
}

fn report(units: &[Explained]) -> Report {
    let sum = |of: fn(&Explained) -> u64| units.iter().map(of).sum();
    Report {
        version: VERSION,
        tool: format!("heapcheck {}", env!("CARGO_PKG_VERSION")),
        outcome: outcome(units),
        leaked_bytes: sum(|unit| unit.leaked_bytes),
        leaked_blocks: sum(|unit| unit.leaked_blocks),
        suppressed_bytes: sum(|unit| unit.suppressed_bytes),
        tests: units.iter().filter(|unit| unit.test.is_some()).map(unit_of).collect(),
        programs: units.iter().filter(|unit| unit.test.is_none()).map(unit_of).collect(),
        leaks: units.iter().flat_map(|unit| unit.leaks.iter().map(|leak| leak_of(unit, leak))).collect(),
        excused: units
            .iter()
            .flat_map(|unit| unit.excused.iter().map(|each| excused_of(unit, each)))
            .collect(),
        faults: units.iter().flat_map(|unit| unit.faults.iter().map(|fault| fault_of(unit, fault))).collect(),
        notes: units.iter().flat_map(notes_of).collect(),
    }
}

/// What it all comes to.
pub(crate) fn outcome(units: &[Explained]) -> Outcome {
    let is_any = |wanted: fn(&Verdict) -> bool| units.iter().any(|unit| wanted(&unit.verdict));
    if units.is_empty() || is_any(|verdict| matches!(verdict, Verdict::None(_))) {
        Outcome::NoVerdict
    } else if is_any(|verdict| *verdict == Verdict::Leaked) {
        Outcome::Leaked
    } else if is_any(|verdict| matches!(verdict, Verdict::Failed | Verdict::TimedOut)) {
        // Whether they leak is not known.
        Outcome::NoVerdict
    } else {
        Outcome::Clean
    }
}

fn unit_of(unit: &Explained) -> Unit {
    let (outcome, reason) = match &unit.verdict {
        Verdict::Clean => (UnitOutcome::Clean, None),
        Verdict::Leaked => (UnitOutcome::Leaked, None),
        Verdict::Failed => (UnitOutcome::Failed, None),
        Verdict::TimedOut => (UnitOutcome::TimedOut, None),
        Verdict::Unchecked => (UnitOutcome::Unchecked, None),
        Verdict::None(reason) => (UnitOutcome::NoVerdict, Some(reason.clone())),
    };
    Unit {
        name: unit.test.clone(),
        program: unit.program.clone(),
        outcome,
        reason,
        leaked_bytes: unit.leaked_bytes,
        leaked_blocks: unit.leaked_blocks,
        suppressed_bytes: unit.suppressed_bytes,
        in_use_bytes: unit.in_use.as_ref().map(|in_use| in_use.bytes),
        in_use_blocks: unit.in_use.as_ref().map(|in_use| in_use.blocks),
        took_ms: unit.took_ms,
        output: unit.output.clone(),
    }
}

fn kind_of(kind: LeakKind) -> Kind {
    match kind {
        LeakKind::Direct => Kind::Direct,
        LeakKind::Indirect => Kind::Indirect,
        LeakKind::Cycle => Kind::Cycle,
        LeakKind::Doubtful => Kind::Doubtful,
        LeakKind::Unfreed => Kind::Unfreed,
        LeakKind::Growing => Kind::Growing,
    }
}

fn leak_of(unit: &Explained, leak: &Explanation) -> Leak {
    Leak {
        kind: kind_of(leak.kind),
        bytes: leak.bytes,
        blocks: leak.blocks,
        retained_bytes: leak.retained_bytes,
        retained_blocks: leak.retained_blocks,
        largest_bytes: leak.largest_bytes,
        instances: leak.instances,
        owned: leak.is_owned,
        of_type: leak.allocated.clone(),
        type_full: leak.full_type.clone(),
        program: unit.program.clone(),
        test: unit.test.clone(),
        thread: leak.thread.clone(),
        own_thread: leak.is_own_thread,
        threads: leak.threads,
        also: leak
            .also
            .iter()
            .map(|(place, blocks)| Also { place: place.clone(), blocks: *blocks })
            .collect(),
        held_by: leak.held_by.as_ref().map(way_of),
        help: leak.help.clone(),
        signature: leak.signature.clone(),
        truncated: leak.is_truncated,
        own: leak.own,
        structure: leak.is_structure,
        members: leak.members.iter().map(member_of).collect(),
        others: leak.others.iter().map(branch_of).collect(),
        kept: leak.kept.iter().map(branch_of).collect(),
        trace: leak.trace.iter().map(frame_of).collect(),
    }
}

fn way_of(way: &why::Way) -> Way {
    let blocks = way.blocks.iter().map(|block| WayBlock {
        of_type: block.allocated.clone(),
        bytes: block.bytes,
        place: block.place.clone(),
        offset: block.offset,
        field: block.field.clone(),
    });
    Way {
        root: way.root.clone(),
        offset: way.offset,
        omitted: way.omitted.map(|(count, _)| count),
        omitted_before: way.omitted.map(|(_, before)| before),
        blocks: blocks.collect(),
    }
}

fn member_of(member: &explain::Member) -> Member {
    Member {
        bytes: member.bytes,
        of_type: member.allocated.clone(),
        place: member.place.clone(),
        offset: member.offset,
        field: member.field.clone(),
        raw: member.is_raw,
        alike: member.alike,
    }
}

/// A tree is as deep as there are different types in a row.
fn branch_of(branch: &explain::Branch) -> Branch {
    Branch {
        of_type: branch.allocated.clone(),
        field: branch.field.clone(),
        offset: branch.offset,
        place: branch.place.clone(),
        cycles: branch.cycles,
        blocks: branch.blocks,
        bytes: branch.bytes,
        below: branch.below.iter().map(branch_of).collect(),
    }
}

fn frame_of(frame: &symbols::Frame) -> Frame {
    Frame {
        function: frame.function.clone(),
        file: frame.file.clone(),
        line: frame.line,
        column: frame.column,
        inlined: frame.is_inlined,
        module: frame.module.clone(),
    }
}

fn excused_of(unit: &Explained, each: &excused::Excused) -> Excused {
    Excused {
        excuse: each.by.clone(),
        kind: kind_of(each.kind),
        bytes: each.bytes,
        blocks: each.blocks,
        of_type: each.allocated.clone(),
        function: each.function.clone(),
        place: each.place.clone(),
        program: unit.program.clone(),
        test: unit.test.clone(),
        signature: each.signature.clone(),
    }
}

fn fault_of(unit: &Explained, fault: &WrongFree) -> Fault {
    let stacks = fault.stacks.iter().map(|(what, frames)| Stack {
        what: (*what).to_string(),
        trace: frames.iter().map(frame_of).collect(),
    });
    Fault {
        what: fault.what.to_string(),
        bytes: fault.bytes,
        program: unit.program.clone(),
        test: unit.test.clone(),
        stacks: stacks.collect(),
    }
}

fn notes_of(unit: &Explained) -> impl Iterator<Item = Note> {
    unit.notes.iter().map(|text| Note {
        program: unit.program.clone(),
        test: unit.test.clone(),
        text: text.clone(),
    })
}
