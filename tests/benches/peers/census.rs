//! What the three real programs are: how much they allocate, and from how deep.
//!
//! The claims of the cases (allocation-heavy, real stacks) are counted by the programs themselves, in a build of their
//! own that is never timed.

use crate::case::Case;
use crate::house::House;
use crate::peer;
use std::fmt::Write;

/// What an allocation-heavy program is, at least.
const ALLOCATIONS_MIN: f64 = 1.5e6;

/// The census as Markdown; empty when none of the programs was asked for.
pub(crate) fn table(house: &House, cases: &[Case]) -> Result<String, String> {
    let mut text = String::new();
    for case in cases.iter().filter(|case| case.counted) {
        if text.is_empty() {
            peer::build_counter(house)?;
            text += "\n## The programs\n\n| program | allocations | frames, on average |\n|---|---|---|\n";
        }
        let sample = peer::counter().run(house, case, false)?;
        let counted = |name| sample.line(name).ok_or(format!("{} counted no {name}", case.program));
        let (allocations, frames) = (counted("allocations")?, counted("frames")?);
        let verdict = if allocations < ALLOCATIONS_MIN { " (**too few**)" } else { "" };
        let _ = writeln!(text, "| {} | {allocations}{verdict} | {frames:.1} |", case.program);
    }
    Ok(text)
}
