#![forbid(unsafe_code)]
//! Why is it alive? The shortest way from a root to blocks that are chosen by their type or by where they were
//! allocated.

mod names;
mod way;

use std::fmt::Write;
use std::fs;

use heapcheck_rt::record::{Found, Record};

use crate::figures::{bytes, counted, grouped};
use crate::look::{Look, NOTE, TITLE};
use crate::plumbing::first_own;
use crate::run::Run;
use crate::symbols::{Symbols, place};
use crate::types::Sizes;

pub(crate) use names::Names;
pub(crate) use way::{Way, WayBlock};

/// Answers that are told; the rest is counted.
const ANSWERS_MAX: usize = 20;
/// The file in a run's folder that says so when something has matched.
const ANSWERED: &str = "answered";

/// Live blocks of one place, and what holds them.
#[derive(Debug)]
pub(crate) struct Answer {
    blocks: u64,
    bytes: u64,
    allocated: Option<String>,
    place: Option<String>,
    way: Way,
}

/// The way to the blocks of a trace, when the record has one.
pub(crate) fn way_to(
    record: &Record,
    found: &Found,
    trace: u32,
    names: &mut Names,
    symbols: &mut Symbols,
) -> Option<Way> {
    let held = found.held.iter().find(|held| held.trace == trace)?;
    Some(Way::explain(record, held, names, symbols))
}

/// Whether a record says what keeps blocks alive.
pub(crate) fn is_recorded(record: &Record) -> bool {
    record.checks.iter().any(|found| !found.held.is_empty())
}

/// Finds the live blocks whose type, function or `file:line` has `pattern` in it, the largest sum first.
pub(crate) fn find(pattern: &str, records: &[Record], symbols: &mut Symbols) -> Vec<Answer> {
    let (mut answers, mut names) = (Vec::new(), Names::default());
    for record in records {
        // A later check says more of what stayed.
        let Some(found) = record.checks.iter().rfind(|found| !found.held.is_empty()) else { continue };
        for held in &found.held {
            let frames = symbols.find_frames(record, held.trace);
            let Some(own) = first_own(&frames) else { continue };
            let mut sizes = Sizes::default();
            sizes.add_all(held.blocks, held.bytes, held.steps.last().map_or(0, |step| step.size_bytes));
            let typed = symbols.find_type(record, held.trace, &frames, sizes);
            let (allocated, full) = typed.map_or((None, None), |typed| (Some(typed.short), Some(typed.full)));
            let place = place(&frames[own]);
            let function = &*frames[own].function;
            let texts = [allocated.as_deref(), full.as_deref(), place.as_deref(), Some(function)];
            if texts.into_iter().flatten().any(|text| text.contains(pattern)) {
                let way = Way::explain(record, held, &mut names, symbols);
                answers.push(Answer { blocks: held.blocks, bytes: held.bytes, allocated, place, way });
            }
        }
    }
    answers.sort_by_key(|answer| std::cmp::Reverse(answer.bytes));
    answers
}

/// The answers for people.
pub(crate) fn render(answers: &[Answer], look: Look) -> String {
    let mut text = String::new();
    for answer in answers.iter().take(ANSWERS_MAX) {
        let what = match (answer.blocks, &answer.allocated) {
            (1, Some(name)) => format!("`{name}`"),
            (1, None) => "a block".to_string(),
            (_, Some(name)) => format!("{} × `{name}`", grouped(answer.blocks)),
            (_, None) => counted(answer.blocks, "block"),
        };
        let place = answer.place.as_ref().map_or(String::new(), |place| format!(" from {place}"));
        let title = format!(": {what}, {}{place}", bytes(answer.bytes));
        let _ = writeln!(text, "{}{}", look.paint(NOTE, "alive"), look.paint(TITLE, &title));
        let who = if answer.blocks > 1 { "the largest is held by" } else { "held by" };
        let _ = writeln!(text, "   = {}: {who}:", look.paint(NOTE, "note"));
        for line in answer.way.lines() {
            let _ = writeln!(text, "     {line}");
        }
        text.push('\n');
    }
    if let Some(more) = answers.get(ANSWERS_MAX..).filter(|more| !more.is_empty()) {
        let count = counted(more.len() as u64, "more place");
        let _ =
            writeln!(text, "{}: {count} match; a longer pattern chooses fewer\n", look.paint(NOTE, "note"));
    }
    text
}

/// The answers of one process of a run, or nothing; the run remembers that there were some.
pub(crate) fn answer(pattern: &str, records: &[Record], run: &Run, look: Look) -> String {
    let answers = find(pattern, records, &mut Symbols::default());
    if !answers.is_empty() {
        // If that fails, the run says at its end that nothing matched, below an answer that says otherwise.
        let _ = fs::write(run.path.join(ANSWERED), "");
    }
    render(&answers, look)
}

/// Whether a process of the run had an answer.
pub(crate) fn was_answered(run: &Run) -> bool {
    run.path.join(ANSWERED).exists()
}

/// What to say when nothing matches.
pub(crate) fn no_match(pattern: &str) -> String {
    format!(
        "heapcheck: no live block matches `{pattern}`\nhint: a pattern is a part of a type, of a function, or of \
         `file:line` as reports show them\n"
    )
}
