#![forbid(unsafe_code)]
//! What the records of a unit prove. Silence proves nothing: a process without a record, or with one that breaks off,
//! was not checked.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use heapcheck_rt::elf::Elf;
use heapcheck_rt::record::{NoteKind, Outcome, Record};

use crate::part::failed_test;

/// What is known about a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was checked, and nothing leaked.
    Clean,
    /// Something leaked, or was freed wrongly.
    Leaked,
    /// The test failed by itself.
    Failed,
    /// It ran for too long and was ended.
    TimedOut,
    /// The person wants it not to be checked, and it passed.
    Unchecked,
    /// Nobody knows; the text says why.
    None(String),
}

impl Verdict {
    /// Whether nobody needs to do anything about it.
    pub(crate) fn is_fine(&self) -> bool {
        matches!(self, Self::Clean | Self::Unchecked)
    }

    /// Its word in machine-readable reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Leaked => "leaked",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Unchecked => "unchecked",
            Self::None(_) => "no-verdict",
        }
    }
}

/// Judges a unit whose first process was `pid` (`None`: unknown) and ran `program`.
pub(crate) fn judge(
    records: &[Record],
    pid: Option<u32>,
    program: &Path,
    status: Option<ExitStatus>,
) -> Verdict {
    match records.iter().any(found_something) {
        true => Verdict::Leaked,
        false => judge_without_leaks(records, pid, program, status),
    }
}

/// The same, as if nothing had leaked: what is left when every leak is excused.
pub(crate) fn judge_without_leaks(
    records: &[Record],
    pid: Option<u32>,
    program: &Path,
    status: Option<ExitStatus>,
) -> Verdict {
    let own = program.canonicalize().unwrap_or_else(|_| program.to_path_buf());
    let is_own = |record: &Record| record.begin.exe == own.as_os_str().as_encoded_bytes();
    let knows_own = records.iter().any(is_own);
    let is_first = |record: &&Record| {
        !record.begin.forked && pid.map_or(!knows_own || is_own(record), |pid| record.begin.pid == pid)
    };
    // An exec keeps the number of the process: the last program of it is the one that came to an end.
    let Some(first) = records.iter().rfind(is_first) else {
        return Verdict::None(why_not_injected(program));
    };
    match &first.end {
        None => Verdict::None(format!("its leak check never ran: {}", how_it_ended(status))),
        Some(end) => match end.outcome {
            Outcome::Clean | Outcome::Leaked => Verdict::Clean,
            Outcome::NoCheck | Outcome::NoVerdict => {
                Verdict::None(String::from_utf8_lossy(&end.reason).into_owned())
            }
        },
    }
}

/// Whether a record shows a leak, complete or not.
pub(crate) fn found_something(record: &Record) -> bool {
    let totals = record.checks.iter().filter_map(|found| found.totals);
    let ended_so = record.end.as_ref().is_some_and(|end| end.outcome == Outcome::Leaked);
    ended_so
        || fails_by_attribute(record)
        || !record.faults.is_empty()
        || totals.map(|totals| totals.leaked_blocks).any(|blocks| blocks > 0)
}

/// The tests that fail by their `#[heapcheck]`, by the notes of the runtime.
pub(crate) fn failures_by_attribute(records: &[Record]) -> impl Iterator<Item = String> + '_ {
    let notes = records.iter().flat_map(|record| &record.notes).filter(|note| note.kind == NoteKind::Failed);
    notes.filter_map(|note| failed_test(&note.text)).map(|(name, _)| name)
}

/// Whether a test's `#[heapcheck]` made it fail.
pub(crate) fn fails_by_attribute(record: &Record) -> bool {
    record.notes.iter().any(|note| note.kind == NoteKind::Failed)
}

fn how_it_ended(status: Option<ExitStatus>) -> String {
    match status {
        Some(status) => match (status.signal(), status.code()) {
            (Some(signal), _) => format!("it was ended by signal {signal} ({})", signal_name(signal)),
            (None, Some(code)) => {
                format!("it left with status {code} past all exit handlers (`_exit`, or an exec)")
            }
            (None, None) => "it ended in an unknown way".to_string(),
        },
        None => "its record breaks off, as that of a process that was killed or left by `_exit`".to_string(),
    }
}

/// The names of signals, from the first one on: those of x86 and of Arm (signal(7)).
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];
/// The first of the real-time signals that libc leaves to programs, and the last one.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// The usual name of a signal. Real-time ones are counted from the first.
pub(crate) fn signal_name(signal: i32) -> Cow<'static, str> {
    let standard = usize::try_from(signal - 1).ok().and_then(|at| SIGNALS.get(at));
    match standard {
        Some(name) => Cow::Borrowed(*name),
        None if signal == *REAL_TIME.start() => "SIGRTMIN".into(),
        None if REAL_TIME.contains(&signal) => format!("SIGRTMIN+{}", signal - REAL_TIME.start()).into(),
        None => "no name".into(),
    }
}

/// Why the runtime did not start in `program`, as far as the file tells.
fn why_not_injected(program: &Path) -> String {
    let mode = fs::metadata(program).map_or(0, |metadata| metadata.permissions().mode());
    let bytes = fs::read(program).unwrap_or_default();
    let why = match Elf::parse(&bytes) {
        Ok(elf) if !elf.has_interpreter() => "it is statically linked, so nothing can be preloaded into it",
        Ok(_) if mode & 0o6000 != 0 => {
            "it is setuid or setgid, and the loader does not preload into such programs"
        }
        Ok(_) => "the loader did not take the preloaded object, or a setting stopped it",
        Err(_) => "it is no 64-bit ELF program",
    };
    format!("the runtime never started in it: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_called_as_the_shell_calls_them() {
        // `kill -l` of util-linux, of bash and of dash, each has its own way for those in real time.
        let check = |signal: i32| {
            let output =
                std::process::Command::new("bash").args(["-c", &format!("kill -l {signal}")]).output();
            let Ok(output) = output.map(|output| String::from_utf8(output.stdout).unwrap()) else {
                eprintln!("skipped: there is no bash");
                return;
            };
            assert_eq!(signal_name(signal).strip_prefix("SIG"), Some(output.trim()), "signal {signal}");
        };
        (1..=31).for_each(check);
        check(34);
        for (signal, name) in
            [(35, "SIGRTMIN+1"), (64, "SIGRTMIN+30"), (0, "no name"), (33, "no name"), (65, "no name")]
        {
            assert_eq!(signal_name(signal), name);
        }
    }
}
