#![forbid(unsafe_code)]
//! What rustdoc says of doctests, read while it says it. The runner sees the programs, and knows which leaked; which of
//! them should have failed, and which did not even compile, only rustdoc knows.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::binary::DOCTEST;
use crate::complaint::Complaint;
use crate::doctestnames;
use crate::ending::Ending;
use crate::handover::Handover;
use crate::tally::{self, Entry};
use crate::verdict::Verdict;

/// Runs rustdoc with its output passing through, enters in the tally what the runner can't, and answers its exit code.
pub(crate) fn run(mut rustdoc: Command, handover: &Handover) -> Result<u8, Complaint> {
    if io::stdout().is_terminal() && !rustdoc.get_args().any(|arg| arg.to_string_lossy().contains("--color"))
    {
        // Behind a pipe it would show none.
        rustdoc.arg("--test-args=--color=always");
    }
    doctestnames::keep(&mut rustdoc, &handover.run);
    let cannot_run = |error: io::Error| Complaint::no_verdict(format!("cannot run rustdoc: {error}"));
    let mut child = rustdoc.stdout(Stdio::piped()).spawn().map_err(cannot_run)?;
    let mut heard = Heard::default();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).map_err(cannot_run)? > 0 {
            // Nobody may be there to see it, but rustdoc has to come to its end.
            let _ = io::stdout().write_all(&line).and_then(|()| io::stdout().flush());
            heard.line(&without_colours(&String::from_utf8_lossy(&line)));
            line.clear();
        }
    }
    let status = child.wait().map_err(cannot_run)?;
    let told = tally::read(&handover.run);
    for (name, verdict) in heard.verdicts() {
        let told = told.iter().find(|entry| entry.program == DOCTEST && entry.test == name);
        // The runner knows more of what rustdoc lets pass, and of what it has ended itself.
        let is_told =
            told.is_some_and(|entry| verdict == Verdict::Clean || entry.verdict == Verdict::TimedOut);
        if !is_told {
            tally::add(
                &handover.run,
                &Entry { program: DOCTEST.to_string(), test: name, verdict, took_ms: None },
            )?;
        }
    }
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(Ending::Failed.code()))
}

/// What was heard.
#[derive(Debug, Default)]
struct Heard {
    /// Those that ran and passed.
    passed: Vec<String>,
    /// Those whose failure is told, each with whether the runner has told it.
    failed: Vec<(String, bool)>,
}

impl Heard {
    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        let result = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... ok"));
        let section = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        let is_by_runner = [Ending::Leaked, Ending::NoVerdict]
            .iter()
            .any(|ending| line == format!("Test executable failed (exit status: {}).", ending.code()));
        if let Some(name) = result {
            // What is only compiled is nothing to check.
            if !["- compile", "- compile fail"].iter().any(|only| name.ends_with(only)) {
                self.passed.push(name.trim_end_matches(" - should panic").to_string());
            }
        } else if let Some(name) = section {
            self.failed.push((name.to_string(), false));
        } else if is_by_runner && let Some((_, is_told)) = self.failed.last_mut() {
            *is_told = true;
        }
    }

    /// What the runner has not told.
    fn verdicts(self) -> impl Iterator<Item = (String, Verdict)> {
        let passed = self.passed.into_iter().map(|name| (name, Verdict::Clean));
        let failed = self.failed.into_iter().filter(|(_, is_told)| !is_told);
        passed.chain(failed.map(|(name, _)| (name, Verdict::Failed)))
    }
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

    #[test]
    fn leaks_and_failures_are_told_apart() {
        let mut heard = Heard::default();
        let said = "running 5 tests\n\
            test src/lib.rs - a (line 1) ... \x1b[32mok\x1b[m\n\
            test src/lib.rs - b (line 2) ... FAILED\n\
            test src/lib.rs - c (line 3) - compile ... ok\n\
            ---- src/lib.rs - b (line 2) stdout ----\n\
            Test executable failed (exit status: 23).\n\
            ---- src/lib.rs - d (line 4) stdout ----\n\
            error[E0425]: cannot find value\n\
            Couldn't compile the test.\n\
            ---- src/lib.rs - e (line 5) stdout ----\n\
            Test executable failed (exit status: 101).\n";
        said.lines().for_each(|line| heard.line(&without_colours(line)));
        let verdicts: Vec<_> = heard.verdicts().collect();
        let expected = [
            ("src/lib.rs - a (line 1)", Verdict::Clean),
            ("src/lib.rs - d (line 4)", Verdict::Failed),
            ("src/lib.rs - e (line 5)", Verdict::Failed),
        ];
        assert_eq!(verdicts, expected.map(|(name, verdict)| (name.to_string(), verdict)));
    }
}
