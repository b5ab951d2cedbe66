#![forbid(unsafe_code)]
//! The tally of a run: one line for each test, added by whichever runner ran it, read by whoever began the run.
//!
//! Lines are written with one `write` each to a file opened for appending, so those of several runners do not mix.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::complaint::Complaint;
use crate::explain::Explained;
use crate::printed;
use crate::run::Run;
use crate::verdict::Verdict;

const FILE: &str = "tally";
/// The first word of a line that says that a test has begun.
const BEGUN: &str = "begun";
/// What is said of a test that has only begun.
const KILLED: &str = "the test was killed together with its runner, before anything could be judged; nextest does that to \
                      tests that take too long\n";

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The program.
    pub(crate) program: String,
    /// The test; empty for a program that has none.
    pub(crate) test: String,
    /// What is known.
    pub(crate) verdict: Verdict,
    /// How long it ran, where that is known; a test that ran twice, both times together.
    pub(crate) took_ms: Option<u64>,
}

impl Entry {
    /// The entry of a unit.
    pub(crate) fn of(unit: &Explained) -> Self {
        Self {
            program: unit.program.clone(),
            test: unit.test.clone().unwrap_or_default(),
            verdict: unit.verdict.clone(),
            took_ms: unit.took_ms,
        }
    }
}

/// How many tests came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Checked and clean.
    pub(crate) clean: u64,
    /// Leaked.
    pub(crate) leaked: u64,
    /// Failed without heapcheck's doing.
    pub(crate) failed: u64,
    /// Ended because their time was over.
    pub(crate) timed_out: u64,
    /// Not checked because the person wants it so.
    pub(crate) unchecked: u64,
    /// Not checked.
    pub(crate) unjudged: u64,
}

impl Counts {
    /// Counts the lines of a run.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut counts = Self::default();
        for entry in entries {
            *match entry.verdict {
                Verdict::Clean => &mut counts.clean,
                Verdict::Leaked => &mut counts.leaked,
                Verdict::Failed => &mut counts.failed,
                Verdict::TimedOut => &mut counts.timed_out,
                Verdict::Unchecked => &mut counts.unchecked,
                Verdict::None(_) => &mut counts.unjudged,
            } += 1;
        }
        counts
    }
}

/// Adds a line.
pub(crate) fn add(run: &Run, entry: &Entry) -> Result<(), Complaint> {
    add_to(&run.path.join(FILE), entry)
}

/// Adds a line to another file of such lines.
pub(crate) fn add_to(path: &Path, entry: &Entry) -> Result<(), Complaint> {
    let reason = match &entry.verdict {
        Verdict::None(reason) => reason.replace(['\n', '\t'], " "),
        _ => String::new(),
    };
    let name = entry.verdict.name();
    let took = entry.took_ms.map(|took| took.to_string()).unwrap_or_default();
    let tries = one_of_tries();
    add_line(path, &format!("{name}\t{}\t{}\t{reason}\t{tries}\t{took}\n", entry.program, entry.test))
}

/// Notes that a test has begun, whose runner may be killed with it.
pub(crate) fn begin(run: &Run, program: &str, test: &str) -> Result<(), Complaint> {
    add_line(&run.path.join(FILE), &format!("{BEGUN}\t{program}\t{test}\t\t{}\t\n", one_of_tries()))
}

/// Adds, of tests that have only begun, that they were killed. Nobody runs any more.
pub(crate) fn settle(run: &Run) -> Result<(), Complaint> {
    let text = fs::read_to_string(run.path.join(FILE)).unwrap_or_default();
    let whose = |line: &str| line.split('\t').skip(1).take(2).map(str::to_string).collect::<Vec<_>>();
    let mut open: Vec<&str> = Vec::new();
    for line in text.lines() {
        open.retain(|begun| whose(begun) != whose(line));
        if line.starts_with(BEGUN) {
            open.push(line);
        }
    }
    for line in open {
        let [program, test] = whose(line).try_into().unwrap_or_default();
        printed::keep(run, &program, &test, KILLED);
        add_line(&run.path.join(FILE), &format!("{}\n", line.replacen(BEGUN, Verdict::Failed.name(), 1)))?;
    }
    Ok(())
}

fn add_line(path: &Path, line: &str) -> Result<(), Complaint> {
    let added = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    added.map_err(|error| Complaint::file("write", path, &error))
}

/// Reads all lines. A run without tests has none. Of the tries of a test the last one counts, as it does for nextest.
pub(crate) fn read(run: &Run) -> Vec<Entry> {
    read_from(&run.path.join(FILE))
}

/// Reads all lines of a file of such lines.
pub(crate) fn read_from(path: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let whose = |line: &str| line.split('\t').nth(4).unwrap_or_default().to_string();
    let last: HashMap<String, usize> = lines.iter().enumerate().map(|(at, line)| (whose(line), at)).collect();
    let counts = |at: &usize| {
        let own = whose(lines[*at]);
        own.is_empty() || last.get(&own) == Some(at)
    };
    (0..lines.len()).filter(counts).filter_map(|at| read_line(lines[at])).collect()
}

/// Whether nextest tries a test again that has failed.
pub(crate) fn is_another_try() -> bool {
    std::env::var("NEXTEST_ATTEMPT").is_ok_and(|attempt| attempt != "1")
}

/// What the tries of one test have in common, where it may be tried more than once; else nothing.
fn one_of_tries() -> String {
    let variable = |name: &str| std::env::var(name).ok();
    match (variable("NEXTEST_TOTAL_ATTEMPTS"), variable("NEXTEST_BINARY_ID"), variable("NEXTEST_TEST_NAME")) {
        (Some(total), Some(binary), Some(test)) if total != "1" => {
            format!("{binary} {test} {}", variable("NEXTEST_STRESS_CURRENT").unwrap_or_default())
        }
        _ => String::new(),
    }
}

fn read_line(line: &str) -> Option<Entry> {
    let mut parts = line.split('\t').map(str::to_string);
    let (name, program, test) = (parts.next()?, parts.next()?, parts.next()?);
    let verdicts = [
        Verdict::Clean,
        Verdict::Leaked,
        Verdict::Failed,
        Verdict::TimedOut,
        Verdict::Unchecked,
        Verdict::None(parts.next()?),
    ];
    let verdict = verdicts.into_iter().find(|verdict| verdict.name() == name)?;
    let took_ms = parts.nth(1).and_then(|took| took.parse().ok());
    Some(Entry { program, test, verdict, took_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_only_begun_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run { path: folder.path().to_path_buf() };
        for test in ["ends", "hangs"] {
            begin(&run, "app", test).unwrap();
        }
        let entry =
            |test: &str, verdict| Entry { program: "app".into(), test: test.into(), verdict, took_ms: None };
        add(&run, &entry("ends", Verdict::Clean)).unwrap();
        assert_eq!(read(&run), [entry("ends", Verdict::Clean)]);
        for _ in 0..2 {
            settle(&run).unwrap();
            assert_eq!(read(&run), [entry("ends", Verdict::Clean), entry("hangs", Verdict::Failed)]);
        }
        assert_eq!(printed::read(&run, "app", "hangs").as_deref(), Some(KILLED));
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run { path: folder.path().to_path_buf() };
        let entry = |test: &str, verdict| Entry {
            program: "app".into(),
            test: test.into(),
            verdict,
            took_ms: Some(7).filter(|_| !test.is_empty()),
        };
        let entries = [
            entry("a", Verdict::Clean),
            entry("b::c", Verdict::Leaked),
            entry("", Verdict::Failed),
            entry("d", Verdict::None("why".into())),
            entry("e", Verdict::TimedOut),
            entry("f", Verdict::Unchecked),
        ];
        for entry in &entries {
            add(&run, entry).unwrap();
        }
        assert_eq!(read(&run), entries);
        let one_each = Counts { clean: 1, leaked: 1, failed: 1, timed_out: 1, unchecked: 1, unjudged: 1 };
        assert_eq!(Counts::of(&entries), one_each);
    }
}
