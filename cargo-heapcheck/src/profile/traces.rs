#![forbid(unsafe_code)]
//! What pprof's `-traces` prints: each stack with what it lost, and the tags of that.

use std::fmt::Write;

use super::measure::amount;
use super::select::{Granularity, Profile, Selection};
use crate::symbols::Frame;
use crate::symbols::place;

const RULE: &str = "-----------+-------------------------------------------------------\n";

/// Writes the stacks, the largest first.
pub(crate) fn render(profile: &Profile<'_>, selection: &Selection) -> String {
    let mut text = format!("Type: {}\n", selection.name());
    for sample in &profile.samples {
        text.push_str(RULE);
        let tags = [
            ("test", sample.test),
            ("kind", sample.kind_name()),
            ("type", sample.allocated),
            ("thread", sample.thread),
        ];
        for (tag, value) in tags.into_iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "{tag:>10}:  {value}");
        }
        let value = amount(sample.amount.of(selection.metric), selection.metric, selection.is_exact);
        for (at, frame) in sample.frames.iter().enumerate() {
            let value = if at == 0 { &*value } else { "" };
            let _ = writeln!(text, "{value:>10}   {}", line(frame, selection.granularity));
        }
        if sample.frames.is_empty() {
            let _ = writeln!(text, "{value:>10}   (no stack)");
        }
    }
    text.push_str(RULE);
    text
}

fn line(frame: &Frame, granularity: Granularity) -> String {
    let inlined = if frame.is_inlined { " (inline)" } else { "" };
    let place = match granularity {
        Granularity::Functions => None,
        Granularity::Lines | Granularity::Addresses => place(frame),
    };
    let place = place.map_or(String::new(), |place| format!("  {place}"));
    match granularity {
        Granularity::Addresses => {
            format!("{:016x} {}{place}{inlined}", frame.pc.saturating_sub(1), frame.function)
        }
        _ => format!("{}{place}{inlined}", frame.function),
    }
}
