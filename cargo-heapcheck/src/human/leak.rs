#![forbid(unsafe_code)]
//! One leak, from its title to its stack.

use std::fmt::Write;

use anstyle::Style;
use heapcheck_rt::record::LeakKind;

use super::{circle, item, source, stack, tree};
use crate::explain::Explanation;
use crate::figures::{bytes, counted, grouped};
use crate::look::{ERROR, HELP, Look, NOTE, TITLE, WARNING};

/// Other lines that are named.
const ALSO_MAX: usize = 4;

/// Writes `word: what`.
pub(super) fn title(text: &mut String, style: Style, word: &str, what: &str, look: Look) {
    let _ = writeln!(text, "{}{}", look.paint(style, word), look.paint(TITLE, &format!(": {what}")));
}

/// Writes a leak.
pub(super) fn render(text: &mut String, leak: &Explanation, look: Look) {
    let (style, word) = match leak.kind {
        LeakKind::Doubtful => (WARNING, "warning"),
        _ => (ERROR, "error"),
    };
    title(text, style, word, &headline(leak), look);
    if let Some(frame) = leak.own.map(|own| &leak.trace[own]) {
        let label = match (leak.kind, leak.blocks) {
            (LeakKind::Cycle, _) | (_, 0 | 1) => "allocated here".to_string(),
            (_, count) if leak.also.is_empty() => format!("{} blocks allocated here", grouped(count)),
            _ => "allocated here".to_string(),
        };
        source::render(text, frame, &label, look);
    }
    if !leak.members.is_empty() && !leak.is_structure {
        let what = if leak.instances > 1 { "each is a cycle like this:" } else { "the cycle:" };
        item(text, NOTE, "note", what, look);
        circle::render(text, &leak.members, look);
        if !leak.others.is_empty() {
            item(text, NOTE, "note", "also part of it:", look);
            tree::render(text, &leak.others, look);
        }
    }
    if leak.is_structure && !leak.others.is_empty() {
        item(text, NOTE, "note", "it is made of these as well:", look);
        tree::render(text, &leak.others, look);
    }
    if !leak.kept.is_empty() {
        item(text, NOTE, "note", &keeps(leak), look);
        tree::render(text, &leak.kept, look);
    } else if leak.retained_blocks > 0 {
        let (sum, count) = (bytes(leak.retained_bytes), counted(leak.retained_blocks, "other block"));
        item(text, NOTE, "note", &format!("keeps {sum} in {count} alive"), look);
    }
    for (place, blocks) in leak.also.iter().take(ALSO_MAX) {
        item(text, NOTE, "note", &format!("{} of them from {place}", grouped(*blocks)), look);
    }
    if leak.also.len() > ALSO_MAX {
        let more = counted((leak.also.len() - ALSO_MAX) as u64, "more line");
        item(text, NOTE, "note", &format!("and from {more} of the same function"), look);
    }
    if let Some(way) = &leak.held_by {
        item(text, NOTE, "note", "still held by:", look);
        for line in way.lines() {
            let _ = writeln!(text, "     {line}");
        }
    }
    for help in &leak.help {
        item(text, HELP, "help", help, look);
    }
    let by = match leak.threads {
        2.. => format!(", by {}", counted(leak.threads as u64, "thread")),
        _ if leak.is_own_thread => String::new(),
        _ => format!(", by thread `{}`", leak.thread),
    };
    if !leak.trace.is_empty() {
        let one = if leak.also.is_empty() { "the stack" } else { "one stack" };
        item(text, NOTE, "note", &format!("{one} of the allocation{by}:"), look);
        stack::render(text, &leak.trace, leak.is_truncated, look);
    }
}

fn keeps(leak: &Explanation) -> String {
    let (sum, count) = (bytes(leak.retained_bytes), counted(leak.retained_blocks, "block"));
    let whose = if leak.instances > 1 { "they keep" } else { "it keeps" };
    format!("{whose} {sum} in {count} alive:")
}

/// What leaked, and how much with all that it keeps alive.
pub(crate) fn headline(leak: &Explanation) -> String {
    let (all_bytes, all_blocks) = (leak.bytes + leak.retained_bytes, leak.blocks + leak.retained_blocks);
    let all = match all_blocks {
        1 => bytes(all_bytes),
        _ => format!("{} in {}", bytes(all_bytes), counted(all_blocks, "block")),
    };
    let of_type = leak.allocated.as_deref().map(|name| format!("`{name}`"));
    let thing = match (leak.kind, of_type, leak.instances) {
        (LeakKind::Cycle, Some(name), 1) if leak.is_structure => name,
        (LeakKind::Cycle, Some(name), count) if leak.is_structure => format!("{} × {name}", grouped(count)),
        (LeakKind::Cycle, Some(name), 1) => format!("a cycle through {name}"),
        (LeakKind::Cycle, None, 1) => "a cycle".to_string(),
        (LeakKind::Cycle, Some(name), count) => format!("{} cycles through {name}", grouped(count)),
        (LeakKind::Cycle, None, count) => format!("{} cycles", grouped(count)),
        (_, Some(name), 1) => name,
        (_, None, 1) => "a block".to_string(),
        (_, Some(name), count) => format!("{} × {name}", grouped(count)),
        (_, None, count) => format!("{} blocks", grouped(count)),
    };
    let happened = match leak.kind {
        LeakKind::Direct | LeakKind::Cycle => "leaked",
        LeakKind::Indirect => "leaked with several others that point to it:",
        LeakKind::Doubtful => "perhaps leaked",
        LeakKind::Unfreed => "never freed:",
        LeakKind::Growing => "grows with each repetition:",
    };
    let largest = match leak.kind {
        LeakKind::Cycle => false,
        _ => leak.blocks > 1 && leak.largest_bytes * leak.blocks != leak.bytes,
    };
    let largest =
        if largest { format!(", the largest has {}", bytes(leak.largest_bytes)) } else { String::new() };
    format!("{happened} {thing}: {all}{largest}")
}
