#![forbid(unsafe_code)]
//! One page with everything in it: what was found, as a table, as a flame graph, and as graphs of what holds what.
//!
//! The page asks for nothing from anywhere, and its own policy forbids it to. What was found reaches it as JSON that can't
//! end the element it stands in, and from there only as text.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::sample::{Sample, counts};
use super::select::Profile;
use super::svg::escaped;
use crate::explain::{Branch, Explained, Explanation, Member};
use crate::plumbing::{Whose, whose};
use crate::symbols::{Frame, place, shown};
use crate::verdict::Verdict;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const MODEL: &str = include_str!("page/model.js");
const SCRIPT: &str = include_str!("page/page.js");

/// Levels of what a leak keeps alive.
const DEPTH_MAX: usize = 12;
/// Branches of one of them.
const WIDTH_MAX: usize = 24;

/// Writes the page.
pub(crate) fn render(profile: &Profile<'_>) -> String {
    let title = format!("heapcheck: {}", headline(profile.units));
    let data = inside_script(&data(profile).to_string());
    let mut page = String::with_capacity(PAGE.len() + data.len() + STYLE.len() + MODEL.len() + SCRIPT.len());
    // Each part is put in once: what stands in one is never looked through for the marks of another.
    for (at, part) in PAGE.split('@').enumerate() {
        match (at % 2, part) {
            (1, "TITLE") => page.push_str(&escaped(&title)),
            (1, "STYLE") => page.push_str(STYLE),
            (1, "DATA") => page.push_str(&data),
            (1, "MODEL") => page.push_str(MODEL),
            (1, "SCRIPT") => page.push_str(SCRIPT),
            _ => page.push_str(part),
        }
    }
    page
}

/// JSON that can't end the `<script>` around it, nor begin a comment in it.
fn inside_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn headline(units: &[Explained]) -> String {
    let leaked = units.iter().filter(|unit| unit.verdict == Verdict::Leaked);
    let names: Vec<&str> = leaked.map(Explained::name).collect();
    match names.as_slice() {
        [] => "nothing leaked".to_string(),
        [name] => format!("{name} leaked"),
        [first, rest @ ..] => format!("{first} and {} more leaked", rest.len()),
    }
}

/// The functions, each once, as the page numbers them.
#[derive(Default)]
struct Functions<'e> {
    numbers: HashMap<(&'e str, &'e str), usize>,
    values: Vec<Value>,
}

impl<'e> Functions<'e> {
    fn number(&mut self, frame: &'e Frame) -> usize {
        let file = frame.file.as_deref().unwrap_or(&frame.module);
        let next = self.values.len();
        let number = *self.numbers.entry((&frame.function, file)).or_insert(next);
        if number == next {
            self.values.push(json!([&*frame.function, shown(file), kind(frame)]));
        }
        number
    }
}

fn kind(frame: &Frame) -> &'static str {
    match whose(frame) {
        Whose::Own => "own",
        Whose::Library => "library",
        Whose::Plumbing => "plumbing",
    }
}

fn data<'e>(profile: &Profile<'e>) -> Value {
    let units = profile.units;
    let mut functions = Functions::default();
    let number_of = |wanted: &Explained| units.iter().position(|unit| std::ptr::eq(unit, wanted));
    let mut sample_value = |sample: &Sample<'e>| {
        let stack: Vec<usize> = sample.frames.iter().rev().map(|frame| functions.number(frame)).collect();
        let unit = sample.unit.and_then(number_of).unwrap_or_default();
        json!([unit, stack, sample.amount.bytes, sample.amount.blocks])
    };
    let samples: Vec<Value> = profile.leaked().iter().map(&mut sample_value).collect();
    let in_use = profile.in_use().map(|found| found.iter().map(sample_value).collect::<Vec<Value>>());
    let mut leaks = Vec::new();
    for unit in units {
        for leak in &unit.leaks {
            leaks.push(leak_value(leaks.len(), unit, leak, &mut functions));
        }
    }
    let sum = |of: fn(&Explained) -> u64| units.iter().map(of).sum::<u64>();
    json!({
        "headline": headline(units),
        "bytes": sum(|unit| unit.leaked_bytes),
        "blocks": sum(|unit| unit.leaked_blocks),
        "suppressed_bytes": sum(|unit| unit.suppressed_bytes),
        "tests": units.iter().map(unit_value).collect::<Vec<_>>(),
        "functions": functions.values,
        "samples": samples,
        // Null where it was not recorded.
        "in_use": in_use,
        "leaks": leaks,
        "faults": units.iter().flat_map(fault_values).collect::<Vec<_>>(),
        "notes": units.iter().flat_map(|unit| &unit.notes).collect::<Vec<_>>(),
    })
}

fn unit_value(unit: &Explained) -> Value {
    let reason = match &unit.verdict {
        Verdict::None(reason) => reason.as_str(),
        _ => "",
    };
    json!({ "name": unit.name(), "program": unit.program, "is_test": unit.test.is_some(),
        "outcome": unit.verdict.name(), "reason": reason })
}

fn leak_value<'e>(
    number: usize,
    unit: &'e Explained,
    leak: &'e Explanation,
    functions: &mut Functions<'e>,
) -> Value {
    let trace = leak.trace.iter().map(|frame| json!([functions.number(frame), frame.line, frame.is_inlined]));
    json!({
        "number": number,
        "kind": leak.kind.name(),
        "counts": counts(leak.kind),
        "bytes": leak.bytes,
        "blocks": leak.blocks,
        "retained_bytes": leak.retained_bytes,
        "retained_blocks": leak.retained_blocks,
        "type": leak.allocated,
        "place": leak.own.and_then(|own| place(&leak.trace[own])),
        "test": unit.name(),
        "thread": leak.thread,
        "signature": leak.signature,
        "truncated": leak.is_truncated,
        "largest_bytes": leak.largest_bytes,
        "instances": leak.instances,
        "also": leak.also.iter().map(|(place, blocks)| json!([place, blocks])).collect::<Vec<_>>(),
        "help": leak.help,
        "held_by": leak.held_by.as_ref().map(|way| way.lines().join("\n")),
        "members": leak.members.iter().map(member_value).collect::<Vec<_>>(),
        "others": branch_values(&leak.others, 0),
        "kept": branch_values(&leak.kept, 0),
        "trace": trace.collect::<Vec<_>>(),
    })
}

fn member_value(member: &Member) -> Value {
    json!({
        "type": member.allocated,
        "bytes": member.bytes,
        "alike": member.alike,
        "place": member.place,
        "pointer": pointer(member.field.as_deref(), member.offset),
    })
}

/// How one block leads to another.
fn pointer(field: Option<&str>, offset: Option<u64>) -> Option<String> {
    field.map(str::to_string).or_else(|| offset.map(|offset| format!("pointer at offset {offset}")))
}

/// What is kept alive, as far down as anybody will look.
fn branch_values(branches: &[Branch], depth: usize) -> Vec<Value> {
    let shown = branches.iter().take(if depth < DEPTH_MAX { WIDTH_MAX } else { 0 });
    let mut values: Vec<Value> = shown
        .map(|branch| {
            json!({
                "type": branch.allocated,
                "pointer": pointer(branch.field.as_deref(), branch.offset),
                "place": branch.place,
                "blocks": branch.blocks,
                "bytes": branch.bytes,
                "below": branch_values(&branch.below, depth + 1),
            })
        })
        .collect();
    let rest = branches[values.len()..].iter().map(Branch::all);
    let (blocks, bytes) = rest.fold((0, 0), |sum, all| (sum.0 + all.0, sum.1 + all.1));
    if blocks > 0 {
        values.push(json!({ "more": true, "blocks": blocks, "bytes": bytes, "below": [] }));
    }
    values
}

fn fault_values(unit: &Explained) -> impl Iterator<Item = Value> {
    unit.faults.iter().map(|fault| {
        let stacks = fault.stacks.iter().map(|(what, frames)| {
            let lines = frames.iter().map(|frame| match place(frame) {
                Some(place) => format!("{}  {place}", frame.function),
                None => frame.function.to_string(),
            });
            json!([what, lines.collect::<Vec<_>>()])
        });
        json!({ "what": fault.what, "test": unit.name(), "stacks": stacks.collect::<Vec<_>>() })
    })
}
