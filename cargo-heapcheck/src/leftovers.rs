#![forbid(unsafe_code)]
//! What nothing needs any more when a run is done: suppressions that matched nothing, leaks of the baseline that are gone.
//!
//! A suppression is of no use only when everything was run and judged; an entry of the baseline already when its own test
//! was.

use std::collections::BTreeSet;

use crate::config::baseline::{Key, Known};
use crate::config::plan::Plan;
use crate::config::quantity::today;
use crate::excused::By;
use crate::ledger::Line;
use crate::tally::Entry;
use crate::verdict::Verdict;

/// Leaks of the baseline that are gone: their test has ended with one of `verdicts` and does not have them, or, when all
/// tests were run, is not there any more.
pub(crate) fn vanished<'k>(
    known: &'k [Known],
    seen: &BTreeSet<Key>,
    entries: &[Entry],
    verdicts: &[Verdict],
    is_whole: bool,
) -> Vec<&'k Known> {
    let is_gone = |key: &Key| {
        let entry = entries.iter().find(|entry| entry.program == key.program && entry.test == key.test);
        !seen.contains(key) && entry.map_or(is_whole, |entry| verdicts.contains(&entry.verdict))
    };
    known.iter().filter(|known| is_gone(&known.key)).collect()
}

/// What a person should know at the end of a run.
pub(crate) fn warnings(plan: &Plan, lines: &[Line], entries: &[Entry], is_whole: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    let is_used = |wanted: &str| {
        lines.iter().any(|line| matches!(&line.by, Some(By::Suppression { source, .. }) if source == wanted))
    };
    let today = today();
    for suppression in &plan.suppressions {
        let source = &suppression.source;
        if suppression.has_expired(&today) {
            let (day, reason) = (suppression.last_day(), &suppression.reason);
            warnings.push(format!("the suppression at {source} ended on {day} and has no effect: {reason}"));
        } else if is_whole && !is_used(source) {
            warnings.push(format!("the suppression at {source} matched nothing and can be removed"));
        }
    }
    let accepted = lines.iter().filter(|line| line.by == Some(By::Baseline));
    let seen: BTreeSet<Key> = accepted.map(|line| line.key.clone()).collect();
    // A test that leaks may have grown leaks of the baseline, which are in no line.
    let gone = vanished(&plan.known, &seen, entries, &[Verdict::Clean], is_whole);
    for known in &gone {
        warnings.push(format!("a leak of the baseline is gone and can be removed: {}", known.name()));
    }
    if !gone.is_empty() {
        warnings.push("`cargo heapcheck accept` removes what is gone from the baseline".to_string());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_gone_when_its_test_does_not_have_it_or_is_not_there() {
        let key = |test: &str| Key { program: "p".into(), test: test.into(), signature: "s".into() };
        let known =
            ["seen", "clean", "failed", "deleted"].map(|test| Known { key: key(test), ..Known::default() });
        let entry =
            |test: &str, verdict| Entry { program: "p".into(), test: test.into(), verdict, took_ms: None };
        let entries =
            [entry("seen", Verdict::Clean), entry("clean", Verdict::Clean), entry("failed", Verdict::Failed)];
        let check = |is_whole, expected: &[&str]| {
            let gone = vanished(&known, &[key("seen")].into(), &entries, &[Verdict::Clean], is_whole);
            assert_eq!(gone.iter().map(|known| known.key.test.as_str()).collect::<Vec<_>>(), expected);
        };
        check(false, &["clean"]);
        check(true, &["clean", "deleted"]);
    }
}
