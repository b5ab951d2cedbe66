#![forbid(unsafe_code)]
//! What pprof's `-list` prints: the source of the functions that match, with what was lost from each line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use regex::Regex;

use super::measure::{amount, percent};
use super::sample::Amount;
use super::select::{Profile, Selection};
use crate::symbols::shown;

/// Lines that are shown before the first and after the last one that lost something.
const LINES_AROUND: u32 = 4;

/// What was lost from one function: by itself, and with what it called; and the same for each of its lines.
#[derive(Default)]
struct Routine {
    all: (Amount, Amount),
    lines: BTreeMap<u32, (Amount, Amount)>,
}

/// Writes the source of the functions whose name matches.
pub(crate) fn render(profile: &Profile<'_>, selection: &Selection, wanted: &Regex) -> String {
    let total = profile.total(selection.metric);
    let mut text = format!("Total: {}\n", amount(total, selection.metric, selection.is_exact));
    for ((function, file), routine) in routines(profile, wanted) {
        render_routine(&mut text, function, file, &routine, total, selection);
    }
    text
}

fn routines<'e>(profile: &Profile<'e>, wanted: &Regex) -> BTreeMap<(&'e str, &'e str), Routine> {
    let mut routines: BTreeMap<(&str, &str), Routine> = BTreeMap::new();
    for sample in &profile.samples {
        let mut seen = BTreeSet::new();
        for (at, frame) in sample.frames.iter().enumerate() {
            let (Some(file), Some(line)) = (&frame.file, frame.line) else { continue };
            if !wanted.is_match(&frame.function) {
                continue;
            }
            let routine = routines.entry((&frame.function, file)).or_default();
            let amounts = routine.lines.entry(line).or_default();
            if at == 0 {
                amounts.0.add(sample.amount);
                routine.all.0.add(sample.amount);
            }
            // A function that calls itself is counted once, and so is each of its lines.
            if seen.insert((&frame.function, file, Some(line))) {
                amounts.1.add(sample.amount);
            }
            if seen.insert((&frame.function, file, None)) {
                routine.all.1.add(sample.amount);
            }
        }
    }
    routines
}

fn render_routine(
    text: &mut String,
    function: &str,
    file: &str,
    routine: &Routine,
    total: i64,
    selection: &Selection,
) {
    let metric = selection.metric;
    let shown_or_dot = |value: i64| match value {
        0 => ".".to_string(),
        value => amount(value, metric, selection.is_exact),
    };
    let lines = &routine.lines;
    let (flat, cum) = (routine.all.0.of(metric), routine.all.1.of(metric));
    let _ = writeln!(text, "ROUTINE ======================== {function} in {}", shown(file));
    let share = percent(cum, total);
    let (flat, cum) = (shown_or_dot(flat), shown_or_dot(cum));
    let _ = writeln!(text, "{flat:>10} {cum:>10} (flat, cum) {} of Total", share.trim_start());
    let source = fs::read_to_string(file).ok();
    let source: Option<Vec<&str>> = source.as_ref().map(|source| source.lines().collect());
    let (Some((first, _)), Some((last, _))) = (lines.first_key_value(), lines.last_key_value()) else {
        return;
    };
    let first = first.saturating_sub(LINES_AROUND).max(1);
    for line in first..=last.saturating_add(LINES_AROUND) {
        let code = source.as_ref().map(|source| source.get(line as usize - 1).copied());
        let amounts = lines.get(&line);
        let code = match code {
            // The file ends here.
            Some(None) => break,
            Some(Some(code)) => code,
            None if amounts.is_none() => continue,
            None => "(the source is not at hand)",
        };
        let (flat, cum) = amounts.copied().unwrap_or_default();
        let (flat, cum) = (shown_or_dot(flat.of(metric)), shown_or_dot(cum.of(metric)));
        let _ = writeln!(text, "{}", format!("{flat:>10} {cum:>10} {line:>6}:{code}").trim_end());
    }
}
