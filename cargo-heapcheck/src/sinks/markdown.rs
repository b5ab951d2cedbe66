#![forbid(unsafe_code)]
//! Markdown, for the summary of a CI job or a comment: what it came to, a table of leaks, and the stacks folded away.

use std::fmt::Write;

use super::root::Root;
use crate::excuse::counts;
use crate::explain::{Explained, Explanation};
use crate::figures::{bytes, counted, grouped};
use crate::human;
use crate::json::{Outcome, outcome};
use crate::look::Look;
use crate::verdict::Verdict;

/// Leaks in the table, and leaks that are told in full: a summary of GitHub may have one megabyte.
const ROWS_MAX: usize = 100;
const DETAILS_MAX: usize = 20;

/// Writes the report.
pub(crate) fn render(units: &[Explained], root: &Root) -> String {
    let sum = |of: fn(&Explained) -> u64| units.iter().map(of).sum::<u64>();
    let title = match outcome(units) {
        Outcome::Clean => "no leaks".to_string(),
        Outcome::Leaked => {
            format!(
                "{} leaked in {}",
                bytes(sum(|u| u.leaked_bytes)),
                counted(sum(|u| u.leaked_blocks), "block")
            )
        }
        Outcome::NoVerdict => "not everything was checked".to_string(),
    };
    let mut text = format!("## heapcheck: {title}\n\n{}\n", counts_of(units));
    let leaks: Vec<(&Explained, &Explanation)> = units
        .iter()
        .flat_map(|unit| unit.leaks.iter().map(move |leak| (unit, leak)))
        .filter(|(_, leak)| counts(leak) && !leak.is_owned)
        .collect();
    if !leaks.is_empty() {
        text.push_str("\n| test | leak | where |\n|---|---|---|\n");
    }
    for (unit, leak) in leaks.iter().take(ROWS_MAX) {
        let line = root.line_of(leak);
        let place = line.map(|(file, frame)| match frame.line {
            Some(line) => format!("`{file}:{line}`"),
            None => format!("`{file}`"),
        });
        let whose = unit.test.as_ref().unwrap_or(&unit.program);
        let (what, place) = (cell(&human::headline(leak)), place.unwrap_or_default());
        let _ = writeln!(text, "| `{}` | {what} | {} |", cell(whose), cell(&place));
    }
    if leaks.len() > ROWS_MAX {
        let _ = writeln!(text, "\n{} are not listed.", counted((leaks.len() - ROWS_MAX) as u64, "more leak"));
    }
    for unit in units {
        let whose = unit.test.as_ref().unwrap_or(&unit.program);
        match &unit.verdict {
            Verdict::None(reason) => {
                let _ = writeln!(text, "\n**No verdict** on `{whose}`: {}", cell(reason));
            }
            Verdict::TimedOut => {
                let _ = writeln!(text, "\n**Timed out**: `{whose}`");
            }
            _ => {}
        }
    }
    let told = units.iter().filter(|unit| unit.verdict == Verdict::Leaked);
    for unit in told.take(DETAILS_MAX) {
        let whose = unit.test.as_ref().unwrap_or(&unit.program);
        let report = human::render(unit, Look::default());
        let fence = "`".repeat(longest_run(&report, '`').max(2) + 1);
        let _ = writeln!(
            text,
            "\n<details><summary>{}</summary>\n\n{fence}text\n{report}{fence}\n\n</details>",
            html(whose)
        );
    }
    text
}

/// How many tests came to what.
fn counts_of(units: &[Explained]) -> String {
    let count =
        |wanted: fn(&Verdict) -> bool| units.iter().filter(|unit| wanted(&unit.verdict)).count() as u64;
    let excused: u64 = units.iter().flat_map(|unit| &unit.excused).map(|excused| excused.bytes).sum();
    let all = [
        (count(|verdict| *verdict == Verdict::Clean), "clean"),
        (count(|verdict| *verdict == Verdict::Leaked), "leaked"),
        (count(|verdict| *verdict == Verdict::Failed), "failed"),
        (count(|verdict| *verdict == Verdict::TimedOut), "timed out"),
        (count(|verdict| matches!(verdict, Verdict::None(_))), "without a verdict"),
        (count(|verdict| *verdict == Verdict::Unchecked), "not checked, as configured"),
    ];
    let parts = all.iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = parts.map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
    if excused > 0 {
        parts.push(format!("leaks of {} excused", bytes(excused)));
    }
    if parts.is_empty() { "Nothing was checked.".to_string() } else { parts.join(", ") + "." }
}

/// Text that stays in its cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The longest run of a character.
fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(str::len).max().unwrap_or(0)
}
