#![forbid(unsafe_code)]
//! The format of callgrind, which kcachegrind, qcachegrind and `callgrind_annotate` read
//! (<https://valgrind.org/docs/manual/cl-format.html>).

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::sample::{Amount, Which};
use super::select::Profile;
use crate::symbols::{Frame, shown};

/// A function: the file that it was loaded from, its source, its name.
type Function<'e> = (&'e str, &'e str, &'e str);

/// What a function allocated, by lines.
#[derive(Default)]
struct Costs<'e> {
    own: BTreeMap<u32, Amount>,
    calls: BTreeMap<(u32, Function<'e>, u32), Amount>,
}

/// Writes the costs of all functions.
pub(crate) fn render(profile: &Profile<'_>) -> String {
    let mut functions: BTreeMap<Function<'_>, Costs<'_>> = BTreeMap::new();
    let mut sum = Amount::default();
    for sample in profile.grown() {
        sum.add(sample.amount);
        if let Some(leaf) = sample.frames.first() {
            functions
                .entry(function(leaf))
                .or_default()
                .own
                .entry(line(leaf))
                .or_default()
                .add(sample.amount);
        }
        for (at, pair) in sample.frames.windows(2).enumerate() {
            let (caller, callee) = (function(&pair[1]), function(&pair[0]));
            // What a function and its calls cost is summed up by the reader. Of one that calls itself, by whatever way,
            // the innermost call has it all.
            if sample.frames[..=at].iter().any(|inner| function(inner) == caller) {
                continue;
            }
            let costs = functions.entry(caller).or_default();
            costs.calls.entry((line(&pair[1]), callee, line(&pair[0]))).or_default().add(sample.amount);
            // callgrind_annotate shows a line only when it has a cost of its own.
            costs.own.entry(line(&pair[1])).or_default();
        }
    }
    let mut text = String::from("# callgrind format\nversion: 1\ncreator: cargo heapcheck\n");
    let program = profile.units.first().map_or("", |unit| &*unit.program);
    let _ = writeln!(text, "cmd: {}\npositions: line", plain(program));
    let what = match profile.which {
        Which::Leaked => "leaked",
        Which::InUse => "used",
    };
    let _ =
        writeln!(text, "event: Bytes : {what} bytes\nevent: Blocks : {what} blocks\nevents: Bytes Blocks");
    let _ = writeln!(text, "summary: {} {}\n", sum.bytes, sum.blocks);
    let mut names = Names::default();
    for (&(object, file, name), costs) in &functions {
        let _ = writeln!(text, "ob={}", names.of("ob", object));
        let _ = writeln!(text, "fl={}", names.of("fl", file));
        let _ = writeln!(text, "fn={}", names.of("fn", name));
        for (line, Amount { blocks, bytes }) in &costs.own {
            let _ = writeln!(text, "{line} {bytes} {blocks}");
        }
        for (&(line, (object, file, name), at), Amount { blocks, bytes }) in &costs.calls {
            let _ = writeln!(text, "cob={}", names.of("ob", object));
            let _ = writeln!(text, "cfi={}", names.of("fl", file));
            let _ = writeln!(text, "cfn={}", names.of("fn", name));
            let _ = writeln!(text, "calls={blocks} {at}\n{line} {bytes} {blocks}");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "totals: {} {}", sum.bytes, sum.blocks);
    text
}

/// Names that were written before are written as their numbers.
#[derive(Default)]
struct Names<'e> {
    known: HashMap<(&'static str, &'e str), usize>,
}

impl<'e> Names<'e> {
    fn of(&mut self, kind: &'static str, name: &'e str) -> String {
        let next = self.known.len() + 1;
        let number = *self.known.entry((kind, name)).or_insert(next);
        if number != next {
            return format!("({number})");
        }
        match (kind, name) {
            (_, "") => format!("({number}) ???"),
            // callgrind_annotate cuts the current folder off some of the names, and then does not know them again.
            ("fl", file) => format!("({number}) {}", plain(&shown(file))),
            _ => format!("({number}) {}", plain(name)),
        }
    }
}

fn function(frame: &Frame) -> Function<'_> {
    (&frame.module, frame.file.as_deref().unwrap_or_default(), &frame.function)
}

fn line(frame: &Frame) -> u32 {
    frame.line.unwrap_or(0)
}

fn plain(name: &str) -> String {
    name.replace(['\n', '\r'], " ")
}
