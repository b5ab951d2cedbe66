#![forbid(unsafe_code)]
//! `--isolation=none`: all tests of a binary in one process, told apart by scope.
//!
//! The runtime opens a scope for each thread that the harness starts for a test; what the test allocates, and what
//! threads started by it allocate, belongs to that scope. Which thread ran which test is told by the order in which
//! libtest starts them, and checked by the names of the threads, which the kernel cuts off after fifteen bytes. Libtest
//! itself prints, as it always does; what came of each test stands in its log.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use heapcheck_rt::record::{Found, Leak, LeakKind, Moment, Record};

use crate::binary::short_name;
use crate::child;
use crate::complaint::Complaint;
use crate::config::quantity::Timeout;
use crate::ending::Ending;
use crate::excuse::explain_excused;
use crate::human;
use crate::ledger;
use crate::libtest;
use crate::run::{self, Unit};
use crate::symbols::Symbols;
use crate::tally::{self, Entry};
use crate::trial::Harness;
use crate::verdict::{Verdict, failures_by_attribute, judge_without_leaks, signal_name};
use crate::why;

/// How the runtime begins the names of scopes of threads.
const THREAD_WORD: &[u8] = b"thread ";
/// Bytes of a thread's name that the kernel keeps (prctl(2), PR_SET_NAME).
const NAME_BYTES: usize = 15;

/// Runs all tests that were asked for at once, and answers the exit code.
pub(crate) fn run(harness: &Harness, arguments: &[String]) -> Result<u8, Complaint> {
    let tests = libtest::list(|| harness.plain(), &harness.program)?;
    let asked = &harness.asked;
    let is_left_out = |is_ignored: bool| asked.only_ignored != is_ignored && !asked.includes_ignored;
    if tests.iter().any(|(_, is_ignored)| is_left_out(*is_ignored)) {
        harness.handover.run.leave_out()?;
    }
    let chosen =
        tests.into_iter().filter(|(name, is_ignored)| asked.selects(name) && !is_left_out(*is_ignored));
    let names: Vec<String> = chosen.map(|(name, _)| name).collect();
    let whole = harness
        .handover
        .run
        .add_whole(&run::number_of_process(harness.handover.began_ns), &harness.program)?;
    let (pid, status, log) = start(harness, arguments, &whole)?;
    let records = whole.read_records()?;
    let rest = judge_without_leaks(&records, harness.handover.first_pid(pid), &harness.program, Some(status));
    let end = match status.signal() {
        Some(signal) => format!("its process was ended by signal {signal} ({})", signal_name(signal)),
        None => format!("its process ended with status {} before it did", status.code().unwrap_or(-1)),
    };
    ledger::add_of_runtime(&harness.handover.run, &records)?;
    let owners = Owners::of(&records, &names);
    let outcomes =
        Outcomes { harness, whole: &whole, records: &records, owners, log: read_log(&log), rest, end };
    let is_fine = outcomes.tell(&names)?;
    if let Some(pattern) = &harness.handover.plan.why {
        print!(
            "{}",
            why::answer(pattern, &records, &harness.handover.run, harness.handover.asked.on_stdout())
        );
    }
    Ok(if is_fine && status.success() { Ending::Clean } else { Ending::Failed }.code())
}

/// Runs the binary, and answers what its log says.
fn start(
    harness: &Harness,
    arguments: &[String],
    whole: &Unit,
) -> Result<(u32, std::process::ExitStatus, String), Complaint> {
    let log = whole.path.join("log");
    let settings = harness.handover.settings(&harness.program, "");
    let mut command = harness.handover.command(&harness.program);
    command.args(own_arguments(arguments)).arg("--logfile").arg(&log);
    let is_serial = harness.asked.threads == Some(1);
    if is_serial {
        // With one thread libtest runs tests on the main thread. With two the runtime lets one of them run at a time.
        command.arg("--test-threads=2");
    } else if let Some(threads) = harness.asked.threads {
        command.arg(format!("--test-threads={threads}"));
    }
    let injection = harness.handover.injection(&harness.program, &settings, settings.depth.once());
    injection.apply(&mut command, &whole.path);
    command.env("HEAPCHECK_SCOPES", if is_serial { "serial" } else { "threads" });
    // The time limit is that of one test.
    let ended = passing_stderr(&mut command).and_then(|passing| {
        let ended = child::run(&mut command, Timeout(None));
        // The command holds the other end.
        drop(command);
        passing.finish();
        ended
    });
    let ended = ended.map_err(|error| Complaint::file("run", &harness.program, &error))?;
    harness.handover.told.hold(ended.status);
    let text = fs::read_to_string(&log).unwrap_or_default();
    if let Some(wanted) = &harness.asked.logfile {
        fs::write(wanted, &text).map_err(|error| Complaint::file("write", wanted.as_ref(), &error))?;
    }
    Ok((ended.pid, ended.status, text))
}

/// What libtest says first, because it is told to keep a log.
const NOTICE: &[u8] = b"warning: `--logfile` is deprecated";
/// How long to wait for the rest of stderr: a child that outlives the tests may hold it open.
const REST: Duration = Duration::from_millis(500);

/// Passes on what a program writes to stderr.
struct Passing(Receiver<()>);

/// Makes a command write its stderr into a pipe, and passes on what comes, but for libtest's notice.
fn passing_stderr(command: &mut Command) -> io::Result<Passing> {
    let (mut reader, writer) = io::pipe()?;
    command.stderr(writer);
    let (done, wait) = channel();
    thread::spawn(move || {
        let (mut bytes, mut is_first) = ([0; 4096], true);
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            let text = &bytes[..count];
            let text = text.strip_prefix(NOTICE).filter(|_| is_first).unwrap_or(text);
            is_first = false;
            // Nobody is left to tell when our own stderr is gone.
            let _ = io::stderr().write_all(text);
        }
        let _ = done.send(());
    });
    Ok(Passing(wait))
}

impl Passing {
    fn finish(self) {
        // Late words are lost, which is better than to wait for them for ever.
        let _ = self.0.recv_timeout(REST);
    }
}

/// What was typed, without the flags that are ours to set here. A shuffled order would tell the threads' tests wrongly.
fn own_arguments(arguments: &[String]) -> Vec<&String> {
    let mut kept = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--" => {
                kept.push(argument);
                kept.extend(rest.by_ref());
            }
            "--test-threads" | "--logfile" | "--shuffle-seed" => drop(rest.next()),
            "--shuffle" => {}
            text if ["--test-threads=", "--logfile=", "--shuffle-seed="]
                .iter()
                .any(|f| text.starts_with(f)) => {}
            _ => kept.push(argument),
        }
    }
    kept
}

/// The words of libtest's log before the names of tests.
fn read_log(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(word, name)| (name.to_string(), word.to_string())).collect()
}

/// Which test each scope belongs to.
struct Owners(BTreeMap<u32, String>);

impl Owners {
    fn of(records: &[Record], tests: &[String]) -> Self {
        let mut owners = BTreeMap::new();
        for record in records {
            let mut scopes: BTreeMap<u32, (u32, &[u8])> = BTreeMap::new();
            for scope in &record.scopes {
                scopes.insert(scope.id, (scope.parent, &scope.name));
            }
            let threads: Vec<(u32, &[u8])> = scopes
                .iter()
                .filter_map(|(id, (_, name))| Some((*id, name.strip_prefix(THREAD_WORD)?)))
                .collect();
            let names = name_threads(&threads.iter().map(|(_, name)| *name).collect::<Vec<_>>(), tests);
            for (id, (parent, _)) in &scopes {
                let (mut root, mut parent) = (*id, *parent);
                while parent != 0 {
                    root = parent;
                    parent = scopes.get(&parent).map_or(0, |(above, _)| *above);
                }
                if let Some(at) = threads.iter().position(|(id, _)| *id == root) {
                    owners.insert(*id, names[at].clone());
                }
            }
        }
        Self(owners)
    }

    fn scopes_of(&self, test: &str) -> Vec<u32> {
        self.0.iter().filter(|(_, owner)| *owner == test).map(|(id, _)| *id).collect()
    }
}

/// The test of each thread, in the order in which the threads were started.
fn name_threads(threads: &[&[u8]], tests: &[String]) -> Vec<String> {
    let fits = |thread: &[u8], test: &String| {
        let bytes = test.as_bytes();
        thread == &bytes[..bytes.len().min(NAME_BYTES)]
    };
    let is_in_order =
        threads.len() <= tests.len() && threads.iter().zip(tests).all(|(thread, test)| fits(thread, test));
    let name = |(at, thread): (usize, &&[u8])| {
        if is_in_order {
            return tests[at].clone();
        }
        let mut fitting = tests.iter().filter(|test| fits(thread, test));
        match (fitting.next(), fitting.next()) {
            (Some(test), None) => test.clone(),
            _ => format!("a test in thread `{}`", String::from_utf8_lossy(thread)),
        }
    };
    threads.iter().enumerate().map(name).collect()
}

/// What came of all tests.
struct Outcomes<'a> {
    harness: &'a Harness,
    whole: &'a Unit,
    records: &'a [Record],
    owners: Owners,
    log: BTreeMap<String, String>,
    /// What is known of the process when its leaks are left aside.
    rest: Verdict,
    /// How the process ended, for tests that it took with it.
    end: String,
}

impl Outcomes<'_> {
    /// Tells of all tests, and whether all are fine.
    fn tell(&self, names: &[String]) -> Result<bool, Complaint> {
        let mut symbols = Symbols::default();
        let mut texts = Vec::new();
        let mut is_fine = true;
        let mut others: Vec<&String> = self.owners.0.values().filter(|name| !names.contains(name)).collect();
        others.dedup();
        for (number, name) in names.iter().chain(others).enumerate() {
            let scopes = self.owners.scopes_of(name);
            let verdict = self.verdict(name, &scopes);
            is_fine &= self.settle(number, Some(name), verdict, &scopes, &mut symbols, &mut texts)?;
        }
        let owned: Vec<u32> = self.owners.0.keys().copied().collect();
        let own: Vec<u32> = self.all_scopes().into_iter().filter(|scope| !owned.contains(scope)).collect();
        let has_faults = self.records.iter().any(|record| !record.faults.is_empty());
        if self.has_leaks(&own) || has_faults {
            is_fine &= self.settle(names.len(), None, Verdict::Leaked, &own, &mut symbols, &mut texts)?;
        } else {
            self.keep_alive(names.len(), None, &self.rest, &own)?;
        }
        if !texts.is_empty() {
            println!("\nleaks:\n\n{}", texts.join("\n\n"));
        }
        Ok(is_fine)
    }

    fn verdict(&self, name: &str, scopes: &[u32]) -> Verdict {
        let failed_by_attribute = || failures_by_attribute(self.records).any(|failed| failed == name);
        match self.log.get(name).map(String::as_str) {
            Some("ok") if self.has_leaks(scopes) => Verdict::Leaked,
            Some("ok") => self.rest.clone(),
            Some(_) if failed_by_attribute() => Verdict::Leaked,
            Some(_) => Verdict::Failed,
            None if self.harness_knows(name) => Verdict::None(self.end.clone()),
            None => Verdict::Leaked,
        }
    }

    /// Whether it is a test, and not what could not be told of several.
    fn harness_knows(&self, name: &str) -> bool {
        !name.starts_with("a test in thread")
    }

    /// Enters one test, or the binary itself, and answers whether it is fine.
    fn settle(
        &self,
        number: usize,
        test: Option<&str>,
        verdict: Verdict,
        scopes: &[u32],
        symbols: &mut Symbols,
        texts: &mut Vec<String>,
    ) -> Result<bool, Complaint> {
        let (run, harness) = (&self.harness.handover.run, self.harness);
        let program = short_name(&harness.program);
        if verdict != Verdict::Leaked {
            let name = test.unwrap_or_default().to_string();
            tally::add(run, &Entry { program, test: name, verdict: verdict.clone(), took_ms: None })?;
            self.keep_alive(number, test, &verdict, scopes)?;
            return Ok(verdict.is_fine());
        }
        let part = self.add_part(number, test, scopes)?;
        let (plan, rest) = (&harness.handover.plan, self.rest.clone());
        let explained = explain_excused(&part, part.read_records()?, verdict, rest, plan, symbols);
        ledger::add(run, &explained)?;
        tally::add(run, &Entry::of(&explained))?;
        if !explained.verdict.is_fine() {
            let title = test.map_or_else(|| format!("{program}, outside of its tests"), str::to_string);
            let report = human::render(&explained, harness.handover.asked.on_stdout());
            texts.push(format!("---- {title} ----\n{}", report.trim_end()));
        }
        Ok(explained.verdict.is_fine())
    }

    fn add_part(&self, number: usize, test: Option<&str>, scopes: &[u32]) -> Result<Unit, Complaint> {
        let number = format!("{}-{number:06}", run::number_of_process(self.harness.handover.began_ns));
        self.harness.handover.run.add_part(&number, self.whole, test, scopes)
    }

    /// Of a test that is clean, or of what belongs to none, keeps what is said of its live blocks, if that was asked for.
    fn keep_alive(
        &self,
        number: usize,
        test: Option<&str>,
        verdict: &Verdict,
        scopes: &[u32],
    ) -> Result<(), Complaint> {
        let is_excused = |leak: &Leak| leak.suppressed && scopes.contains(&leak.scope);
        let is_told = |found: &Found| {
            let is_of_all = found.check.moment != Moment::Scope;
            found.check.has_in_use
                || !found.held.is_empty()
                || is_of_all && found.leaks.iter().any(is_excused)
        };
        let is_there = self.records.iter().flat_map(|record| &record.checks).any(is_told);
        if *verdict == Verdict::Clean && is_there {
            self.add_part(number, test, scopes)?;
        }
        Ok(())
    }

    fn all_scopes(&self) -> Vec<u32> {
        let scopes = self.records.iter().flat_map(|record| &record.scopes).map(|scope| scope.id);
        std::iter::once(0).chain(scopes).collect()
    }

    fn has_leaks(&self, scopes: &[u32]) -> bool {
        let checks = self.records.iter().flat_map(|record| &record.checks);
        checks
            .flat_map(|found: &Found| &found.leaks)
            .any(|leak| !leak.suppressed && leak.kind != LeakKind::Doubtful && scopes.contains(&leak.scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_named_by_their_order_and_else_by_what_is_left_of_their_names() {
        let check = |threads: &[&str], tests: &[&str], expected: &[&str]| {
            let threads: Vec<&[u8]> = threads.iter().map(|name| name.as_bytes()).collect();
            let tests: Vec<String> = tests.iter().map(ToString::to_string).collect();
            assert_eq!(name_threads(&threads, &tests), expected);
        };
        let alike = ["tests::a_long_name_1", "tests::a_long_name_2"];
        check(&["tests::a_long_n", "tests::a_long_n"], &alike, &alike);
        check(&["tests::a_long_n"], &alike, &alike[..1]);
        check(&["b", "a"], &["a", "b"], &["b", "a"]);
        check(&["x"], &["a", "b"], &["a test in thread `x`"]);
        let unclear = "a test in thread `tests::a_long_n`";
        check(&["tests::a_long_n", "b"], &["b", alike[0], alike[1]], &[unclear, "b"]);
    }

    #[test]
    fn flags_that_are_ours_to_set_are_taken_out() {
        let line = "a --test-threads 3 --exact --logfile=x --shuffle -- --test-threads 4";
        let typed: Vec<String> = line.split(' ').map(str::to_string).collect();
        let kept: Vec<&str> = own_arguments(&typed).into_iter().map(String::as_str).collect();
        assert_eq!(kept, ["a", "--exact", "--", "--test-threads", "4"]);
    }

    #[test]
    fn the_log_of_libtest_is_read() {
        let log = read_log("ok tests::a\nfailed tests::b\nignored tests::c\n");
        assert_eq!(log.get("tests::b").map(String::as_str), Some("failed"));
        assert_eq!(log.len(), 3);
    }
}
