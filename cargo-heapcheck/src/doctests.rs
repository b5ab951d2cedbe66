#![forbid(unsafe_code)]
//! Doctests, as both sides tell of them. The runner notes each program that it has run. Which of these should have failed,
//! and which doctests did not even compile, rustdoc says, which is read while it says it.
//!
//! Only the failures are taken from there: `--quiet` shows a letter for what has passed, be it run or only compiled.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::binary::DOCTEST;
use crate::complaint::Complaint;
use crate::doctestnames;
use crate::ending::Ending;
use crate::handover::Handover;
use crate::run::Run;
use crate::tally::{self, Entry};
use crate::verdict::Verdict;

/// Why doctests were not checked that nobody has given to the runner.
const OLD_CARGO: &str = "this cargo does not start doctests through heapcheck; cargo 1.89 does";

/// Enters a doctest that was run: in the tally where nothing can change that, otherwise for the rustdoc above, which knows
/// whether it has passed.
pub(crate) fn add(run: &Run, entry: &Entry, status: ExitStatus) -> Result<(), Complaint> {
    let is_settled = match entry.verdict {
        Verdict::TimedOut => true,
        Verdict::Leaked | Verdict::None(_) | Verdict::Unchecked => status.success(),
        Verdict::Clean | Verdict::Failed => false,
    };
    match std::env::var_os(doctestnames::VARIABLE) {
        Some(call) if !is_settled => tally::add_to(&noted_beside(call), entry),
        _ => tally::add(run, entry),
    }
}

/// Where notes are for the rustdoc of this call.
fn noted_beside(call: impl AsRef<Path>) -> PathBuf {
    call.as_ref().with_extension("ran")
}

/// Runs rustdoc with its output passing through, enters in the tally what the runner can't, and answers its exit code.
pub(crate) fn run(mut rustdoc: Command, handover: &Handover) -> Result<u8, Complaint> {
    let has = |rustdoc: &Command, part: &str| {
        rustdoc.get_args().any(|argument| argument.to_string_lossy().contains(part))
    };
    if io::stdout().is_terminal() && !has(&rustdoc, "--color") {
        // Behind a pipe it would show none.
        rustdoc.arg("--test-args=--color=always");
    }
    let has_runner = has(&rustdoc, "--test-runtool");
    let call = doctestnames::keep(&mut rustdoc, &handover.run)?;
    let told_before = tally::read(&handover.run).len();
    let cannot_run = |error: io::Error| Complaint::no_verdict(format!("cannot run rustdoc: {error}"));
    let mut child = rustdoc.stdout(Stdio::piped()).spawn().map_err(cannot_run)?;
    let mut heard = Heard::default();
    if let Some(stdout) = child.stdout.take() {
        heard.listen(stdout).map_err(cannot_run)?;
    }
    let status = child.wait().map_err(cannot_run)?;
    let entries = match has_runner {
        true => {
            let told = tally::read(&handover.run).split_off(told_before);
            heard.entries(tally::read_from(&noted_beside(call)), &told)
        }
        false => heard.entries_without_runner(),
    };
    entries.iter().try_for_each(|entry| tally::add(&handover.run, entry))?;
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(Ending::Failed.code()))
}

/// What was heard.
#[derive(Debug, Default)]
struct Heard {
    /// Those that are said to have run and passed.
    passed: Vec<String>,
    /// Whether those that pass are named.
    names_passed: bool,
    /// How many have passed, be it only the compiler.
    passed_count: u64,
    /// Those whose failure is told.
    failed: Vec<String>,
}

impl Heard {
    /// Passes on what rustdoc prints, as it comes, and listens.
    fn listen(&mut self, stdout: ChildStdout) -> io::Result<()> {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        loop {
            let part = stdout.fill_buf()?;
            let (length, end) = (part.len(), part.iter().position(|byte| *byte == b'\n'));
            if length == 0 {
                return Ok(());
            }
            let taken = end.map_or(length, |end| end + 1);
            // Nobody may be there to see it, but rustdoc has to come to its end.
            let _ = io::stdout().write_all(&part[..taken]).and_then(|()| io::stdout().flush());
            line.extend_from_slice(&part[..taken]);
            stdout.consume(taken);
            if end.is_some() {
                self.line(&without_colours(&String::from_utf8_lossy(&line)));
                line.clear();
            }
        }
    }

    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        let result = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... ok"));
        let section = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        let sum = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(" passed; "));
        if line.starts_with('{') {
            self.event(&serde_json::from_str(line).unwrap_or_default());
        } else if let Some(name) = result {
            self.names_passed = true;
            // What is only compiled is nothing to check.
            if !["- compile", "- compile fail"].iter().any(|only| name.ends_with(only)) {
                self.passed.push(name.trim_end_matches(" - should panic").to_string());
            }
        } else if let Some(name) = section {
            self.failed.push(name.to_string());
        } else if let Some((before, _)) = sum {
            let count = before.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok());
            self.passed_count += count.unwrap_or_default();
        }
    }

    /// A line of `--format=json`, which is for nightly.
    fn event(&mut self, event: &Value) {
        match (event["type"].as_str(), event["event"].as_str(), event["name"].as_str()) {
            (Some("test"), Some("failed"), Some(name)) => self.failed.push(name.to_string()),
            (Some("suite"), _, _) => self.passed_count += event["passed"].as_u64().unwrap_or_default(),
            _ => {}
        }
    }

    /// What is to be added to what runners have `told`: those they have noted, but for those that failed, and what failed
    /// without having been run.
    fn entries(self, mut noted: Vec<Entry>, told: &[Entry]) -> Vec<Entry> {
        for test in self.failed {
            let is_told = told.iter().any(|entry| entry.program == DOCTEST && entry.test == test);
            match noted.iter_mut().find(|entry| entry.test == test) {
                Some(entry) => entry.verdict = Verdict::Failed,
                None if is_told => {}
                None => noted.push(entry(test, Verdict::Failed)),
            }
        }
        noted
    }

    /// The same where there was no runner: nobody has looked at those that passed.
    fn entries_without_runner(self) -> Vec<Entry> {
        let mut unjudged = self.passed;
        if !self.names_passed && self.passed_count > 0 {
            unjudged.push(String::new());
        }
        let failed = self.failed.into_iter().map(|test| entry(test, Verdict::Failed));
        let unjudged = unjudged.into_iter().map(|test| entry(test, Verdict::None(OLD_CARGO.to_string())));
        failed.chain(unjudged).collect()
    }
}

fn entry(test: String, verdict: Verdict) -> Entry {
    Entry { program: DOCTEST.to_string(), test, verdict, took_ms: None }
}

/// The text without `ESC [ .. m`.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(said: &str) -> Heard {
        let mut heard = Heard::default();
        said.lines().for_each(|line| heard.line(&without_colours(line)));
        heard
    }

    fn names(entries: &[Entry]) -> Vec<(&str, &str)> {
        entries.iter().map(|entry| (entry.test.as_str(), entry.verdict.name())).collect()
    }

    #[test]
    fn rustdoc_says_which_of_those_that_ran_have_failed() {
        // `a` is clean, `b` has leaked, `d` does not compile, and `e` fails.
        let noted = ["a", "e"].map(|test| entry(test.into(), Verdict::Clean)).to_vec();
        let told = [entry("b".into(), Verdict::Leaked)];
        let failures = "---- b stdout ----\nTest executable failed (exit status: 23).\n\
            ---- d stdout ----\nerror[E0425]: cannot find value\nCouldn't compile the test.\n\
            ---- e stdout ----\nTest executable failed (exit status: 101).\n\
            test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let pretty =
            "running 5 tests\ntest a ... \x1b[32mok\x1b[m\ntest b ... FAILED\ntest c - compile ... ok\n";
        let terse = "running 5 tests\n.F.FF\n";
        let expected = [("a", "clean"), ("e", "failed"), ("d", "failed")];
        for results in [pretty, terse] {
            let heard = heard(&format!("{results}{failures}"));
            assert_eq!(heard.passed_count, 2);
            assert_eq!(names(&heard.entries(noted.clone(), &told)), expected);
        }
        let event =
            |name: &str| format!("{{\"type\": \"test\", \"name\": \"{name}\", \"event\": \"failed\"}}\n");
        let json = ["b", "d", "e"].map(event).concat();
        assert_eq!(names(&heard(&json).entries(noted.clone(), &told)), expected);
    }

    #[test]
    fn without_a_runner_what_has_passed_was_not_checked() {
        let check = |said: &str, expected: &[(&str, &str)]| {
            assert_eq!(names(&heard(said).entries_without_runner()), expected, "{said}");
        };
        let sum = "test result: FAILED. 2 passed; 1 failed; 0 ignored\n";
        let failure = "---- c stdout ----\n";
        let pretty = "test a - should panic ... ok\ntest b - compile ... ok\n";
        check(&[pretty, failure, sum].concat(), &[("c", "failed"), ("a", "no-verdict")]);
        check(&["..F\n", failure, sum].concat(), &[("c", "failed"), ("", "no-verdict")]);
        check(&["test b - compile ... ok\n", sum].concat(), &[]);
        check("{\"type\": \"suite\", \"event\": \"ok\", \"passed\": 1}", &[("", "no-verdict")]);
    }
}
