#![forbid(unsafe_code)]
//! `accept`: makes the leaks of the last run the baseline.
//!
//! Only tests that this run has judged are touched: the entries of all others stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{IsTerminal, stderr, stdin};

use crate::complaint::Complaint;
use crate::config::baseline::{self, Key, Known};
use crate::config::document::shown;
use crate::config::plan::Plan;
use crate::ending::Ending;
use crate::explain::{Explained, Explanation};
use crate::figures::counted;
use crate::home::Home;
use crate::human;
use crate::leftovers::vanished;
use crate::look::Asked;
use crate::report::explain_run;
use crate::run::Run;
use crate::symbols::Symbols;
use crate::tally;
use crate::verdict::Verdict;

/// What to accept.
#[derive(Debug)]
pub(crate) struct Acceptance {
    /// Whether a person is asked for each change.
    pub(crate) is_reviewed: bool,
    /// The package whose last run is meant.
    pub(crate) manifest: Option<OsString>,
}

/// What an entry of the baseline was and will be.
struct Change<'u> {
    old: Option<Known>,
    new: Option<Known>,
    /// The leak that it is about, where it still counts.
    leak: Option<&'u Explanation>,
}

impl Acceptance {
    /// Does it, and answers the exit code.
    pub(crate) fn act(&self) -> Result<u8, Complaint> {
        if self.is_reviewed && !(stdin().is_terminal() && stderr().is_terminal()) {
            return Err(Complaint::usage(
                "`--review` asks questions, and there is no terminal to answer them",
            )
            .hint("without `--review` all leaks of the last run are accepted"));
        }
        let run = Run::last_of(&Home::find(self.manifest.as_ref())?)?;
        let plan = Plan::load(&run.path)?;
        let known = plan.read_baseline()?;
        let units = explain_run(&run, &mut Symbols::default())?;
        let (mut kept, mut counts) = (known.clone(), [0u64; 3]);
        for change in changes(&known, &units, &run) {
            if self.is_reviewed && !is_wanted(&change)? {
                continue;
            }
            counts[change.sort()] += 1;
            if let Some(old) = change.old {
                kept.retain(|known| known.key != old.key);
            }
            kept.extend(change.new);
        }
        let path = &plan.baseline;
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = made.and_then(|()| fs::write(path, baseline::write(&kept)));
        written.map_err(|error| Complaint::file("write", path, &error))?;
        let [new, changed, gone] = counts;
        let total = counted(kept.len() as u64, "leak");
        eprintln!("heapcheck: `{}` has {total}: {new} new, {changed} changed, {gone} removed", shown(path));
        Ok(Ending::Clean.code())
    }
}

/// What has to change so that the baseline is what this run has found.
fn changes<'u>(known: &[Known], units: &'u [Explained], run: &Run) -> Vec<Change<'u>> {
    let mut found: BTreeMap<Key, (Known, Option<&Explanation>)> = BTreeMap::new();
    let judged = |unit: &&Explained| matches!(unit.verdict, Verdict::Clean | Verdict::Leaked);
    for unit in units.iter().filter(judged) {
        for known in unit.all_known() {
            let leak = unit.leaks.iter().find(|leak| leak.signature == known.key.signature);
            found.insert(known.key.clone(), (known, leak));
        }
    }
    let seen: BTreeSet<Key> = found.keys().cloned().collect();
    let verdicts = [Verdict::Clean, Verdict::Leaked];
    let gone = vanished(known, &seen, &tally::read(run), &verdicts, run.is_whole());
    let gone = gone.into_iter().map(|old| Change { old: Some(old.clone()), new: None, leak: None });
    let there = found.into_values().map(|(new, leak)| {
        let old = known.iter().find(|known| known.key == new.key).cloned();
        Change { old, new: Some(new), leak }
    });
    let is_other = |change: &Change<'_>| match (&change.old, &change.new) {
        (Some(old), Some(new)) => (old.bytes, old.blocks) != (new.bytes, new.blocks),
        _ => true,
    };
    there.filter(is_other).chain(gone).collect()
}

impl Change<'_> {
    /// New, changed or gone.
    fn sort(&self) -> usize {
        match (&self.old, &self.new) {
            (None, _) => 0,
            (Some(_), Some(_)) => 1,
            (Some(_), None) => 2,
        }
    }
}

/// Shows a change, and asks whether it is right.
fn is_wanted(change: &Change<'_>) -> Result<bool, Complaint> {
    if let Some(leak) = change.leak {
        eprint!("\n{}", human::leak(leak, Asked::default().on_stderr()));
    }
    match (&change.old, &change.new) {
        (None, Some(new)) => eprint!("new: {}; accept? [y/n] ", new.name()),
        (Some(old), Some(new)) => eprint!("changed: {}, before {}; accept? [y/n] ", new.name(), old.name()),
        (old, _) => eprint!("gone: {}; remove? [y/n] ", old.as_ref().map(Known::name).unwrap_or_default()),
    }
    loop {
        let mut answer = String::new();
        let read = stdin().read_line(&mut answer);
        if !read.is_ok_and(|bytes| bytes > 0) {
            return Err(
                Complaint::usage("the answers ended before the questions").hint("nothing was written")
            );
        }
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => eprint!("y or n? "),
        }
    }
}
