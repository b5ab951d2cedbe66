#![forbid(unsafe_code)]
//! The report for people, in the manner of a compiler error: what and how much, the source line, how it hangs together,
//! what can be done, and the stack without the plumbing.

mod source;
mod stack;
mod circle;
mod tree;
mod leak;

pub(crate) use leak::headline;

use std::fmt::Write;

use heapcheck_rt::foreign::Reason;
use heapcheck_rt::record::LeakKind;

use crate::excused::sums;
use crate::explain::{Explained, Explanation};
use crate::figures::{bytes, counted};
use crate::look::{ERROR, Look, NOTE};
use crate::plumbing::first_own;
use crate::verdict::Verdict;

/// Leaks that are told in full; the rest is counted.
const LEAKS_MAX: usize = 20;

/// Writes what was found in one unit.
pub(crate) fn render(unit: &Explained, look: Look) -> String {
    let mut text = String::new();
    for fault in &unit.faults {
        // Of a block that is gone the size may be gone, too.
        let size =
            if fault.bytes > 0 { format!(" of a block of {}", bytes(fault.bytes)) } else { String::new() };
        leak::title(&mut text, ERROR, "error", &format!("{}{size}", fault.what), look);
        if let Some((what, frames)) = fault.stacks.first()
            && let Some(own) = first_own(frames)
        {
            source::render(&mut text, &frames[own], what, look);
        }
        for (what, frames) in &fault.stacks {
            item(&mut text, NOTE, "note", &format!("{what}:"), look);
            stack::render(&mut text, frames, false, look);
        }
        text.push('\n');
    }
    let told: Vec<_> = unit.leaks.iter().filter(|leak| !leak.is_owned).collect();
    for leak in told.iter().take(LEAKS_MAX) {
        leak::render(&mut text, leak, look);
        text.push('\n');
    }
    if let Some(more) = told.get(LEAKS_MAX..).filter(|more| !more.is_empty()) {
        let sum = more.iter().map(|leak| leak.bytes + leak.retained_bytes).sum();
        let count = counted(more.len() as u64, "more leak");
        let what =
            format!("{count} of {} in all; `cargo heapcheck report --format json` has them", bytes(sum));
        leak::title(&mut text, NOTE, "note", &what, look);
        text.push('\n');
    }
    for note in &unit.notes {
        leak::title(&mut text, NOTE, "note", note, look);
    }
    for excused in &unit.excused {
        leak::title(&mut text, NOTE, "note", &excused.told(), look);
    }
    text.push_str(&summary(unit));
    if let Verdict::None(reason) = &unit.verdict
        && let Some(hint) = hint(reason)
    {
        let _ = writeln!(text, "heapcheck: hint: {hint}");
    }
    text
}

/// Writes one leak.
pub(crate) fn leak(leak: &Explanation, look: Look) -> String {
    let mut text = String::new();
    leak::render(&mut text, leak, look);
    text
}

/// The last line: what it came to.
pub(crate) fn summary(unit: &Explained) -> String {
    let whose = unit.test.as_ref().unwrap_or(&unit.program);
    let excused = sums(unit.suppressed_bytes, &unit.excused);
    match &unit.verdict {
        Verdict::Clean => format!("heapcheck: `{whose}` is clean{excused}\n"),
        Verdict::Leaked if !unit.faults.is_empty() && unit.leaked_blocks == 0 => {
            format!("heapcheck: `{whose}` freed memory wrongly\n")
        }
        Verdict::Leaked if unit.leaked_blocks == 0 => {
            format!("heapcheck: `{whose}` fails its `#[heapcheck]`\n")
        }
        Verdict::Leaked if unit.leaks.iter().all(|leak| leak.kind == LeakKind::Growing) => {
            let (sum, count) = (bytes(unit.leaked_bytes), counted(unit.leaked_blocks, "block"));
            format!("heapcheck: `{whose}` grew by {sum} in {count}{excused}\n")
        }
        Verdict::Leaked => {
            let (sum, count) = (bytes(unit.leaked_bytes), counted(unit.leaked_blocks, "block"));
            format!("heapcheck: `{whose}` leaked {sum} in {count}{excused}\n")
        }
        Verdict::Failed => format!("heapcheck: `{whose}` failed\n"),
        Verdict::TimedOut => format!("heapcheck: `{whose}` was killed because its time was over\n"),
        Verdict::Unchecked => format!("heapcheck: `{whose}` is not checked, as configured\n"),
        Verdict::None(reason) => format!("heapcheck: no verdict on `{whose}`: {reason}\n"),
    }
}

/// What can be done about a program without a verdict.
pub(crate) fn hint(reason: &str) -> Option<&'static str> {
    Reason::ALL.iter().find(|known| known.text() == reason).map(|known| known.hint())
}

/// A line below an entry, as rustc has them: `= help: ..`.
fn item(text: &mut String, style: anstyle::Style, label: &str, what: &str, look: Look) {
    let label = look.paint(style, label);
    let _ = writeln!(text, "   = {label}: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_the_runtime_comes_with_its_hint() {
        for reason in Reason::ALL {
            assert_eq!(hint(reason.text()), Some(reason.hint()));
        }
        assert_eq!(hint("it was ended by signal 9"), None);
    }
}
