#![forbid(unsafe_code)]
//! From the report for machines back to what was explained, as far as the report has it: addresses, linkers' names and the
//! table of loaded files are gone.

use std::sync::Arc;

use heapcheck_rt::record::{FaultKind, LeakKind};

use super::model::{
    Branch, Excused, Fault, Frame, Kind, Leak, Member, Report, Unit, UnitOutcome, VERSION, Way,
};
use crate::excused;
use crate::explain::{self, Explained, Explanation, InUse, WrongFree};
use crate::symbols;
use crate::verdict::Verdict;
use crate::why;

/// Reads a report.
pub(crate) fn read(text: &str) -> Result<Vec<Explained>, String> {
    let report: Report = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if report.version != VERSION {
        return Err(format!(
            "it has version {} of the format, this heapcheck knows {VERSION}",
            report.version
        ));
    }
    let mut units: Vec<Explained> = report.tests.into_iter().chain(report.programs).map(unit_of).collect();
    for leak in report.leaks {
        find(&mut units, &leak.program, &leak.test).leaks.push(leak_of(leak));
    }
    for each in report.excused {
        find(&mut units, &each.program, &each.test).excused.push(excused_of(each));
    }
    for fault in report.faults {
        find(&mut units, &fault.program, &fault.test).faults.push(fault_of(fault));
    }
    for note in report.notes {
        find(&mut units, &note.program, &note.test).notes.push(note.text);
    }
    Ok(units)
}

/// The last unit of these names. Where the report forgot it, it has leaked.
fn find<'u>(units: &'u mut Vec<Explained>, program: &str, test: &Option<String>) -> &'u mut Explained {
    let at =
        units.iter().rposition(|unit| unit.program == program && unit.test == *test).unwrap_or(units.len());
    if at == units.len() {
        let test = test.clone().unwrap_or_default();
        units.push(Explained::without_records(program.to_string(), test, Verdict::Leaked));
    }
    &mut units[at]
}

fn unit_of(unit: Unit) -> Explained {
    let in_use = in_use_of(&unit);
    let verdict = match unit.outcome {
        UnitOutcome::Clean => Verdict::Clean,
        UnitOutcome::Leaked => Verdict::Leaked,
        UnitOutcome::Failed => Verdict::Failed,
        UnitOutcome::TimedOut => Verdict::TimedOut,
        UnitOutcome::Unchecked => Verdict::Unchecked,
        UnitOutcome::NoVerdict => Verdict::None(unit.reason.unwrap_or_default()),
    };
    Explained {
        leaked_bytes: unit.leaked_bytes,
        leaked_blocks: unit.leaked_blocks,
        suppressed_bytes: unit.suppressed_bytes,
        in_use,
        took_ms: unit.took_ms,
        output: unit.output,
        ..Explained::without_records(unit.program, unit.name.unwrap_or_default(), verdict)
    }
}

/// What was in use: the report has the sums of it.
fn in_use_of(unit: &Unit) -> Option<InUse> {
    Some(InUse { bytes: unit.in_use_bytes?, blocks: unit.in_use_blocks?, stacks: None })
}

fn kind_of(kind: Kind) -> LeakKind {
    match kind {
        Kind::Direct => LeakKind::Direct,
        Kind::Indirect => LeakKind::Indirect,
        Kind::Cycle => LeakKind::Cycle,
        Kind::Doubtful => LeakKind::Doubtful,
        Kind::Unfreed => LeakKind::Unfreed,
        Kind::Growing => LeakKind::Growing,
    }
}

fn leak_of(leak: Leak) -> Explanation {
    let trace: Arc<[symbols::Frame]> = leak.trace.into_iter().map(frame_of).collect();
    // The report has one stack for all that was laid together.
    let stack = explain::Stack {
        blocks: leak.blocks,
        bytes: leak.bytes,
        allocated: leak.of_type.clone(),
        thread: leak.thread.clone(),
        trace: Arc::clone(&trace),
    };
    Explanation {
        kind: kind_of(leak.kind),
        bytes: leak.bytes,
        blocks: leak.blocks,
        largest_bytes: leak.largest_bytes,
        instances: leak.instances,
        retained_bytes: leak.retained_bytes,
        retained_blocks: leak.retained_blocks,
        is_owned: leak.owned,
        allocated: leak.of_type,
        full_type: leak.type_full,
        thread: leak.thread,
        is_own_thread: leak.own_thread,
        threads: leak.threads,
        own: leak.own.filter(|own| *own < trace.len()),
        trace,
        stacks: vec![stack],
        is_truncated: leak.truncated,
        also: leak.also.into_iter().map(|also| (also.place, also.blocks)).collect(),
        is_structure: leak.structure,
        members: leak.members.into_iter().map(member_of).collect(),
        others: leak.others.into_iter().map(branch_of).collect(),
        kept: leak.kept.into_iter().map(branch_of).collect(),
        held_by: leak.held_by.map(way_of),
        help: leak.help,
        signature: leak.signature,
    }
}

fn way_of(way: Way) -> why::Way {
    let blocks = way.blocks.into_iter().map(|block| why::WayBlock {
        allocated: block.of_type,
        bytes: block.bytes,
        place: block.place,
        offset: block.offset,
        field: block.field,
    });
    let blocks: Vec<_> = blocks.collect();
    let omitted = way.omitted.zip(way.omitted_before).filter(|(_, before)| *before <= blocks.len());
    why::Way { root: way.root, offset: way.offset, omitted, blocks }
}

fn member_of(member: Member) -> explain::Member {
    explain::Member {
        bytes: member.bytes,
        allocated: member.of_type,
        place: member.place,
        offset: member.offset,
        field: member.field,
        is_raw: member.raw,
        alike: member.alike,
    }
}

fn branch_of(branch: Branch) -> explain::Branch {
    explain::Branch {
        allocated: branch.of_type,
        field: branch.field,
        offset: branch.offset,
        place: branch.place,
        cycles: branch.cycles,
        blocks: branch.blocks,
        bytes: branch.bytes,
        below: branch.below.into_iter().map(branch_of).collect(),
    }
}

fn frame_of(frame: Frame) -> symbols::Frame {
    symbols::Frame {
        function: frame.function,
        is_named: true,
        file: frame.file,
        line: frame.line,
        column: frame.column,
        is_inlined: frame.inlined,
        module: frame.module,
        ..symbols::Frame::default()
    }
}

fn excused_of(each: Excused) -> excused::Excused {
    excused::Excused {
        by: each.excuse,
        kind: kind_of(each.kind),
        bytes: each.bytes,
        blocks: each.blocks,
        allocated: each.of_type,
        function: each.function,
        place: each.place,
        signature: each.signature,
    }
}

fn fault_of(fault: Fault) -> WrongFree {
    let known = FaultKind::ALL.iter().map(|kind| kind.name()).find(|name| *name == fault.what);
    let stacks = fault.stacks.into_iter().map(|stack| {
        let what = explain::STACKS.into_iter().find(|known| *known == stack.what);
        (what.unwrap_or("called here"), stack.trace.into_iter().map(frame_of).collect())
    });
    WrongFree { what: known.unwrap_or("wrong free"), bytes: fault.bytes, stacks: stacks.collect() }
}
