#![forbid(unsafe_code)]
//! What the processes of one run left behind, reduced to what a case can claim.

use std::path::Path;

use heapcheck_rt::record::{self, Outcome};

/// One process that wrote a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its executable.
    pub exe: String,
    /// Whether it is the child of a fork, and not a program of its own.
    pub forked: bool,
    /// When it began.
    pub start_time_ns: u64,
    /// How it ended.
    pub ending: Ending,
    /// The checks that ran in it, in order.
    pub checks: Vec<Check>,
    /// Diagnoses at free time, such as `double-free`.
    pub faults: Vec<String>,
    /// What else the runtime noted.
    pub notes: Vec<String>,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The scope that was checked; 0 is the whole process.
    pub scope: u32,
    /// What it found.
    pub leaks: Vec<LeakLine>,
}

impl Process {
    /// What its checks come to: the last one of the whole process has seen everything; where there is none, it is what
    /// the checks of scopes found.
    pub fn leaks(&self) -> Vec<LeakLine> {
        match self.checks.iter().rfind(|check| check.scope == 0) {
            Some(check) => check.leaks.clone(),
            None => self.checks.iter().flat_map(|check| check.leaks.clone()).collect(),
        }
    }
}

/// How a record ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// A check ran and found nothing.
    Clean,
    /// A check ran and found leaks.
    Leaked,
    /// No check ran, for this reason.
    NoCheck(String),
    /// A check could not decide, for this reason.
    NoVerdict(String),
    /// The record has no end.
    Unfinished,
}

/// Blocks that leaked alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeakLine {
    /// `direct`, `indirect`, `cycle`, `doubtful` or `unfreed`.
    pub kind: String,
    /// How many blocks.
    pub blocks: u64,
    /// Their bytes, as they were asked for.
    pub bytes: u64,
    /// The largest of them.
    pub largest_bytes: u64,
    /// What they keep alive besides themselves.
    pub retained_bytes: u64,
    /// Whether a suppression covers them.
    pub suppressed: bool,
    /// The scope that owns them; 0 is none.
    pub scope: u32,
}

/// Reads the records in `folder`.
pub fn read_outcome(folder: &Path) -> Result<Vec<Process>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut processes = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        processes.push(read_process(&bytes).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    processes.sort_by_key(|process| process.start_time_ns);
    Ok(processes)
}

/// Reads one record.
fn read_process(bytes: &[u8]) -> Result<Process, String> {
    let record = record::read(bytes).map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ending = match &record.end {
        None => Ending::Unfinished,
        Some(end) => match end.outcome {
            Outcome::Clean => Ending::Clean,
            Outcome::Leaked => Ending::Leaked,
            Outcome::NoCheck => Ending::NoCheck(text(&end.reason)),
            Outcome::NoVerdict => Ending::NoVerdict(text(&end.reason)),
        },
    };
    let line = |leak: &record::Leak| LeakLine {
        kind: leak.kind.name().to_string(),
        blocks: leak.blocks,
        bytes: leak.bytes,
        largest_bytes: leak.largest_bytes,
        retained_bytes: leak.retained_bytes,
        suppressed: leak.suppressed,
        scope: leak.scope,
    };
    Ok(Process {
        exe: text(&record.begin.exe),
        forked: record.begin.forked,
        start_time_ns: record.begin.start_time_ns,
        ending,
        checks: record
            .checks
            .iter()
            .map(|found| Check { scope: found.check.scope, leaks: found.leaks.iter().map(line).collect() })
            .collect(),
        faults: record.faults.iter().map(|fault| fault.kind.name().replace(' ', "-")).collect(),
        notes: record.notes.iter().map(|note| text(&note.text)).collect(),
    })
}
