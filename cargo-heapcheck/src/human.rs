#![forbid(unsafe_code)]
//! The report for people, in the manner of a compiler error: what and how much, the source line, how it hangs together,
//! and the stack without the plumbing.

use std::fmt::Write;
use std::fs;

use heapcheck_rt::record::LeakKind;

use crate::explain::{Explained, Explanation, Member, place, shown};
use crate::plumbing::{Whose, whose};
use crate::symbols::Frame;
use crate::verdict::Verdict;

/// Leaks that are told in full; the rest is counted.
const LEAKS_MAX: usize = 20;
/// Members of a cycle that are drawn.
const MEMBERS_MAX: usize = 12;

/// Writes what was found in one unit.
pub(crate) fn render(unit: &Explained) -> String {
    let mut text = String::new();
    for fault in &unit.faults {
        // Of a block that is gone the size may be gone, too.
        let size =
            if fault.bytes > 0 { format!(" of a block of {}", bytes(fault.bytes)) } else { String::new() };
        let _ = writeln!(text, "error: {}{size}", fault.what);
        if let Some((_, frames)) = fault.stacks.first()
            && let Some(own) = crate::plumbing::first_own(frames)
        {
            render_source(&mut text, &frames[own]);
        }
        for (what, frames) in &fault.stacks {
            let _ = writeln!(text, "   = {what}:");
            render_stack(&mut text, frames, false);
        }
        text.push('\n');
    }
    let (hanging, told): (Vec<_>, Vec<_>) =
        unit.leaks.iter().partition(|leak| leak.kind == LeakKind::Indirect);
    for leak in told.iter().take(LEAKS_MAX) {
        render_leak(&mut text, leak);
        text.push('\n');
    }
    if let Some(more) = told.len().checked_sub(LEAKS_MAX).filter(|more| *more > 0) {
        let _ = writeln!(
            text,
            "note: {more} more leaks are not shown here; `report --format json` has them all\n"
        );
    }
    render_hanging(&mut text, &hanging);
    for note in &unit.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text.push_str(&summary(unit));
    text
}

/// The last line: what it came to.
pub(crate) fn summary(unit: &Explained) -> String {
    let whose = unit.test.as_ref().unwrap_or(&unit.program);
    let suppressed = match unit.suppressed_bytes {
        0 => String::new(),
        sum => format!("; {} suppressed", bytes(sum)),
    };
    match &unit.verdict {
        Verdict::Clean => format!("heapcheck: `{whose}` is clean{suppressed}\n"),
        Verdict::Leaked if unit.leaked_blocks == 0 => format!("heapcheck: `{whose}` freed memory wrongly\n"),
        Verdict::Leaked => {
            let (sum, count) = (bytes(unit.leaked_bytes), counted(unit.leaked_blocks, "block"));
            format!("heapcheck: `{whose}` leaked {sum} in {count}{suppressed}\n")
        }
        Verdict::Failed => format!("heapcheck: `{whose}` failed\n"),
        Verdict::None(reason) => format!("heapcheck: no verdict on `{whose}`: {reason}\n"),
    }
}

fn render_leak(text: &mut String, leak: &Explanation) {
    let kind = match leak.kind {
        LeakKind::Direct => "leak: ",
        LeakKind::Indirect => "indirect leak: ",
        LeakKind::Cycle => "leak in a cycle: ",
        LeakKind::Doubtful => "doubtful: ",
        LeakKind::Unfreed => "not freed: ",
    };
    let of_type = leak.allocated.as_ref().map_or(String::new(), |name| format!(" of `{name}`"));
    let _ = writeln!(text, "{kind}{} in {}{of_type}", bytes(leak.bytes), counted(leak.blocks, "block"));
    if let Some(frame) = leak.own.map(|own| &leak.trace[own]) {
        render_source(text, frame);
    }
    if leak.retained_blocks > 0 {
        let (sum, count) = (bytes(leak.retained_bytes), counted(leak.retained_blocks, "other block"));
        let _ = writeln!(text, "   = keeps {sum} in {count} alive");
    }
    render_cycle(text, &leak.members);
    if !leak.thread.is_empty() {
        let _ = writeln!(text, "   = allocated by thread `{}`:", leak.thread);
    } else if !leak.trace.is_empty() {
        text.push_str("   = allocated here:\n");
    }
    render_stack(text, &leak.trace, leak.is_truncated);
}

/// The source line, as rustc shows it.
fn render_source(text: &mut String, frame: &Frame) {
    let (Some(file), Some(line)) = (&frame.file, frame.line) else { return };
    let column = frame.column.map_or(String::new(), |column| format!(":{column}"));
    let margin = " ".repeat(line.to_string().len());
    let _ = writeln!(text, "{margin}--> {}:{line}{column}", shown(file));
    let source = fs::read_to_string(file).unwrap_or_default();
    let Some(code) = source.lines().nth(line as usize - 1) else { return };
    let code = code.replace('\t', " ");
    let before = frame.column.map_or(0, |column| column as usize - 1).min(code.len());
    // Columns are bytes in debug information; a caret under plain text is right, elsewhere near.
    let rest = code.get(before..).unwrap_or_default();
    let word =
        rest.find(|c: char| !(c.is_alphanumeric() || "_:<>.".contains(c))).unwrap_or(rest.len()).max(1);
    let _ =
        writeln!(text, "{margin} |\n{line} | {code}\n{margin} | {}{}", " ".repeat(before), "^".repeat(word));
}

fn render_cycle(text: &mut String, members: &[Member]) {
    if members.is_empty() {
        return;
    }
    text.push_str("   = the cycle:\n");
    for (at, member) in members.iter().take(MEMBERS_MAX).enumerate() {
        let name = member.allocated.clone().unwrap_or_else(|| "block".to_string());
        let place = member.place.as_ref().map_or(String::new(), |place| format!(", allocated at {place}"));
        let corner = if at == 0 { "┌─▶ " } else { "│   " };
        let _ = writeln!(text, "     {corner}{name} ({}{place})", bytes(member.bytes));
        if let Some(offset) = member.offset {
            let is_last = at + 1 == members.len();
            let arrow = if is_last { "└───── " } else { "│     ▼ " };
            let _ = writeln!(text, "     {arrow}by the pointer at offset {offset}");
        }
    }
    if members.len() > MEMBERS_MAX {
        let _ = writeln!(text, "     ... and {} more", members.len() - MEMBERS_MAX);
    }
}

/// A stack, each run of plumbing as one line.
fn render_stack(text: &mut String, frames: &[Frame], is_truncated: bool) {
    let own = crate::plumbing::first_own(frames);
    let mut at = 0;
    while at < frames.len() {
        let folded = frames[at..].iter().take_while(|frame| whose(frame) == Whose::Plumbing).count();
        // The std function that the next frame called says what was wanted of it.
        let shown_of_folded = usize::from(Some(at + folded) == own && folded > 0);
        if folded > shown_of_folded {
            let _ = writeln!(
                text,
                "       ({} of the standard library)",
                counted((folded - shown_of_folded) as u64, "frame")
            );
        }
        at += folded - shown_of_folded;
        if let Some(frame) = frames.get(at) {
            let mark = if Some(at) == own { '>' } else { ' ' };
            let inlined = if frame.is_inlined { " (inlined)" } else { "" };
            let place =
                place(frame).or_else(|| Some(frame.module.clone()).filter(|module| !module.is_empty()));
            let place = place.filter(|_| whose(frame) != Whose::Plumbing);
            let place = place.map_or(String::new(), |place| format!("  {place}"));
            let _ = writeln!(text, "     {mark} {}{place}{inlined}", frame.function);
            at += 1;
        }
    }
    if is_truncated {
        text.push_str("       (the stack goes on; it was recorded up to here)\n");
    }
}

fn render_hanging(text: &mut String, leaks: &[&Explanation]) {
    if leaks.is_empty() {
        return;
    }
    text.push_str("also lost, because only leaked blocks point to them:\n");
    for leak in leaks.iter().take(LEAKS_MAX) {
        let place = leak
            .own
            .and_then(|own| place(&leak.trace[own]))
            .unwrap_or_else(|| "an unknown place".to_string());
        let of_type = leak.allocated.as_ref().map_or(String::new(), |name| format!(" of `{name}`"));
        let _ = writeln!(
            text,
            "     {} in {}{of_type} from {place}",
            bytes(leak.bytes),
            counted(leak.blocks, "block")
        );
    }
    if let Some(more) = leaks.len().checked_sub(LEAKS_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "     ... and from {}", counted(more as u64, "more place"));
    }
    text.push('\n');
}

fn bytes(count: u64) -> String {
    counted(count, "byte")
}

/// A number with its noun.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
