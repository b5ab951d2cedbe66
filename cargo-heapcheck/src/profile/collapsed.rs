#![forbid(unsafe_code)]
//! Collapsed stacks, one a line: what speedscope, inferno and `flamegraph.pl` read.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::sample::Metric;
use super::select::Profile;

/// Writes the stacks, outermost first, the test before them.
pub(crate) fn render(profile: &Profile<'_>, metric: Metric) -> String {
    let mut stacks: BTreeMap<String, i64> = BTreeMap::new();
    for sample in profile.grown() {
        let functions = sample.frames.iter().rev().map(|frame| &*frame.function);
        let parts: Vec<String> = std::iter::once(sample.test).chain(functions).map(plain).collect();
        *stacks.entry(parts.join(";")).or_default() += sample.amount.of(metric);
    }
    let mut text = String::new();
    for (stack, value) in &stacks {
        let _ = writeln!(text, "{stack} {value}");
    }
    text
}

/// A name without what separates names (`[u8; 4]`) or lines in this format.
fn plain(name: &str) -> String {
    name.replace(';', ",").replace(['\n', '\r'], " ")
}
