#![forbid(unsafe_code)]
//! The ledger of a run: what was excused in it, and by what. Runners write it, and whoever began the run reads it to find
//! suppressions that nothing needs any more.
//!
//! Lines are written as those of the tally are.

use std::fs::{self, OpenOptions};
use std::io::Write;

use heapcheck_rt::record::{Moment, Record};
use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::config::baseline::Key;
use crate::excused::By;
use crate::explain::Explained;
use crate::run::Run;

const FILE: &str = "excused";

/// What excused something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// By what. Nothing: by the runtime, which reads files of `leak:` lines itself.
    pub(crate) by: Option<By>,
    /// What leaked, as a baseline knows it; of what is suppressed there is no signature.
    pub(crate) key: Key,
    /// As much.
    pub(crate) bytes: u64,
}

/// Adds what was excused in a unit.
pub(crate) fn add(run: &Run, unit: &Explained) -> Result<(), Complaint> {
    let lines = unit.excused.iter().map(|excused| {
        let key = unit.key(excused.signature.as_deref().unwrap_or_default());
        Line { by: Some(excused.by.clone()), key, bytes: excused.bytes }
    });
    add_lines(run, lines)
}

/// Adds what the runtime excused in the processes of a unit.
pub(crate) fn add_of_runtime(run: &Run, records: &[Record]) -> Result<(), Complaint> {
    let bytes = excused_by_runtime(records);
    add_lines(run, (bytes > 0).then(|| Line { by: None, key: Key::default(), bytes }).into_iter())
}

/// How much the runtime excused. Of the checks of a process the last one that is not about a scope tells it all.
pub(crate) fn excused_by_runtime(records: &[Record]) -> u64 {
    let last = |record: &Record| {
        let of_all = record.checks.iter().rfind(|found| found.check.moment != Moment::Scope)?;
        Some(of_all.totals?.suppressed_bytes)
    };
    records.iter().filter_map(last).sum()
}

fn add_lines(run: &Run, lines: impl Iterator<Item = Line>) -> Result<(), Complaint> {
    let text: String = lines.map(|line| serde_json::to_string(&line).unwrap_or_default() + "\n").collect();
    if text.is_empty() {
        return Ok(());
    }
    let path = run.path.join(FILE);
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    let added = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    added.map_err(|error| Complaint::file("write", &path, &error))
}

/// Reads all lines. A run without leaks has none.
pub(crate) fn read(run: &Run) -> Vec<Line> {
    let text = fs::read_to_string(run.path.join(FILE)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
