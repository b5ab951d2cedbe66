#![forbid(unsafe_code)]
//! The face that cargo, nextest and rustdoc call to start a program that they have built.
//!
//! A test harness is fanned out to one process a test, in front of which libtest-mimic prints as libtest would. Every
//! other program is run once, as it was called.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::binary::{Binary, absolute, short_name};
use crate::child::{self, Ended};
use crate::complaint::Complaint;
use crate::ending::Ending;
use crate::excuse::explain_excused;
use crate::explain::explain;
use crate::handover::Handover;
use crate::human;
use crate::interrupt;
use crate::ledger;
use crate::libtest::{self, Asked};
use crate::profile;
use crate::progress::Progress;
use crate::run::Unit;
use crate::symbols::Symbols;
use crate::tally::{self, Entry};
use crate::together;
use crate::trial::{Harness, Told, timed_out};
use crate::verdict::{Verdict, judge, judge_without_leaks};
use crate::why;

/// The word by which the tool knows that it is called as the runner; behind it stand the target and the program.
pub(crate) const FACE: &str = "__runner";

/// The runner as one string, which cargo parts at blanks.
pub(crate) fn as_words(own: &Path, target: &str) -> Result<String, Complaint> {
    let own = own.to_string_lossy();
    if own.contains(char::is_whitespace) {
        return Err(Complaint::no_verdict(format!(
            "cargo can't be told of a runner with a blank in its path, `{own}`"
        ))
        .hint("install cargo-heapcheck in a folder without blanks"));
    }
    Ok(format!("{own} {} {target}", FACE))
}

/// Runs the program that `line` names behind the target, and answers the exit code.
pub(crate) fn act(line: &[OsString]) -> Result<u8, Complaint> {
    let mut handover = Handover::receive()?;
    interrupt::end_children_first()
        .map_err(|error| Complaint::no_verdict(format!("cannot listen for signals: {error}")))?;
    let [target, program, arguments @ ..] = line else {
        return Err(Complaint::usage("the runner was given no program"));
    };
    handover.choose_runner(&target.to_string_lossy());
    let program = absolute(Path::new(program));
    let binary = Binary::classify_once(&program, &handover.run.path);
    if matches!(binary, Binary::Program | Binary::Doctest) {
        return run_once(&handover, &program, binary, arguments);
    }
    let texts: Vec<String> = arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    let asked = Asked::read(&texts)?;
    if asked.is_for_harness {
        let mut command = handover.command(&program);
        let error = command.args(arguments).exec();
        return Err(Complaint::file("run", &program, &error));
    }
    if asked.is_bench {
        return run_once(&handover, &program, binary, arguments);
    }
    if handover.shares_process {
        if binary == Binary::Mimic {
            // Its threads run many tests each: what they lose is the binary's.
            return run_once(&handover, &program, binary, arguments);
        }
        return together::run(&Harness { handover, program, binary, asked }, &texts);
    }
    let harness = Harness { handover, program, binary, asked };
    if std::env::var_os("NEXTEST").is_some()
        && let ([name], true) = (harness.asked.filters.as_slice(), harness.asked.is_exact)
    {
        return run_one(&harness, name);
    }
    fan_out(harness)
}

/// The one test that nextest asks for; it shows what is printed.
fn run_one(harness: &Harness, name: &str) -> Result<u8, Complaint> {
    let is_ignored = harness.asked.only_ignored || harness.asked.includes_ignored;
    if tally::is_another_try() {
        // What counts is the last try.
        let is_earlier = |unit: &Unit| unit.program == harness.program && unit.test.as_deref() == Some(name);
        harness.handover.run.units().iter().filter(|unit| is_earlier(unit)).for_each(Unit::remove);
    }
    let told = harness.run_test(name, 0, is_ignored)?;
    if !harness.asked.is_live {
        print!("{}", told.output);
    }
    eprint!("{}{}", told.text, told.why);
    Ok(if told.verdict.is_fine() { Ending::Clean } else { Ending::Failed }.code())
}

/// All tests that were asked for, each in its process.
fn fan_out(harness: Harness) -> Result<u8, Complaint> {
    let tests = libtest::list(|| harness.plain(), &harness.program)?;
    let asked = &harness.asked;
    if asked.only_ignored || (!asked.includes_ignored && tests.iter().any(|(_, is_ignored)| *is_ignored)) {
        harness.handover.run.leave_out()?;
    }
    let names: Vec<String> = tests.iter().map(|(name, _)| name.clone()).collect();
    let will_run = tests.iter().filter(|(name, is_ignored)| {
        asked.selects(name) && (asked.includes_ignored || *is_ignored == asked.only_ignored)
    });
    // With one thread mimic has written the name of a test before it runs, and what stands in that line has to stay.
    let has_room = !asked.is_live && !asked.is_quiet && asked.threads != Some(1);
    let progress = Arc::new(Progress::begin(will_run.count(), has_room));
    let arguments = harness.asked.for_mimic(&names);
    let harness = Arc::new(harness);
    let trials = tests.into_iter().enumerate().map(|(number, (name, is_ignored))| {
        let (harness, progress, test) = (Arc::clone(&harness), Arc::clone(&progress), name.clone());
        let run = move || {
            let told = harness.run_test(&test, number, is_ignored);
            progress.ended(told.as_ref().is_ok_and(|told| told.verdict == Verdict::Leaked));
            outcome(&harness, &test, told)
        };
        Trial::test(name, run).with_ignored_flag(is_ignored)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    Ok(if conclusion.has_failed() { Ending::Failed } else { Ending::Clean }.code())
}

fn outcome(harness: &Harness, name: &str, told: Result<Told, Complaint>) -> Result<(), Failed> {
    let told = match told {
        Ok(told) => told,
        Err(complaint) => {
            // The tally must not say less than what happened: this test has no verdict.
            let verdict = Verdict::None(complaint.what.clone());
            let entry = Entry { program: short_name(&harness.program), test: name.to_string(), verdict };
            let _ = tally::add(&harness.handover.run, &entry);
            return Err(complaint.to_string().into());
        }
    };
    if told.verdict.is_fine() {
        if harness.asked.shows_output && !told.output.is_empty() {
            print!("---- {name} stdout ----\n{}", told.output);
        }
        if !told.why.is_empty() {
            print!("---- {name}: why it is alive ----\n{}", told.why);
        }
        return Ok(());
    }
    let output = if harness.asked.is_live { "" } else { told.output.as_str() };
    let gap = if output.is_empty() || told.text.is_empty() { "" } else { "\n" };
    Err(format!("{output}{gap}{}{}", told.text, told.why).into())
}

/// A program that is no harness: `cargo run`, an example, a bench, a test with its own `main`, a doctest.
fn run_once(
    handover: &Handover,
    program: &Path,
    binary: Binary,
    arguments: &[OsString],
) -> Result<u8, Complaint> {
    let settings = handover.settings(program, "");
    let unit = handover.run.add_unit(&format!("{:07}", std::process::id()), program, None)?;
    let mut command = handover.command(program);
    command.args(arguments);
    let mut children = handover.children(program, &settings);
    if binary == Binary::Doctest {
        // Doctests that rustdoc has merged into one program then run in a process each.
        command.env("RUSTDOC_DOCTEST_BIN_PATH", program);
        children = program.parent().unwrap_or(program).into();
    }
    if settings.is_checked {
        handover.injection(&settings, settings.depth.once(), children).apply(&mut command, &unit.path);
    }
    if binary == Binary::Doctest && settings.is_checked {
        // Rustdoc judges each by its exit status, and shows what it printed.
        command.env("HEAPCHECK_EXITCODE", Ending::Leaked.code().to_string()).env("HEAPCHECK_REPORT", "plain");
    }
    let Ended { pid, status, is_timed_out } = child::run(&mut command, settings.timeout)
        .map_err(|error| Complaint::file("run", program, &error))?;
    let records = unit.read_records()?;
    let judged = judge(&records, handover.first_pid(pid), program, Some(status));
    // The status of a doctest that leaks is the runtime's.
    let is_leak_of_doctest = binary == Binary::Doctest && judged == Verdict::Leaked;
    let verdict = match is_timed_out {
        true => Verdict::TimedOut,
        // Whether a doctest may end like this, rustdoc knows.
        false if !status.success() && binary != Binary::Doctest => Verdict::Failed,
        false if !settings.is_checked => Verdict::Unchecked,
        false => judged,
    };
    let rest = judge_without_leaks(&records, handover.first_pid(pid), program, Some(status));
    // Merged doctests say with another status that one of them has failed, by a leak or otherwise: nothing can be excused.
    let is_one_leak = !is_leak_of_doctest || status.code() == Some(Ending::Leaked.code().into());
    if let Some(pattern) = &handover.plan.why {
        let answer = why::answer(pattern, &records, &handover.run, handover.asked.on_stderr());
        if !answer.is_empty() {
            let _ = write!(std::io::stderr(), "\n{answer}");
        }
    }
    let mut symbols = Symbols::default();
    let explained = match is_one_leak {
        true => explain_excused(&unit, records, verdict, rest, &handover.plan, &mut symbols),
        false => explain(&unit, &records, verdict, &mut symbols),
    };
    ledger::add(&handover.run, &explained)?;
    // Doctests that are fine, rustdoc counts: there may be many in one program.
    if binary != Binary::Doctest || !explained.verdict.is_fine() {
        tally::add(&handover.run, &Entry::of(&explained))?;
    }
    match explained.verdict {
        Verdict::Leaked | Verdict::None(_) => {
            profile::write_unit(&handover.run, &explained);
            let _ = write!(std::io::stderr(), "\n{}", human::render(&explained, handover.asked.on_stderr()));
        }
        Verdict::TimedOut => {
            unit.remove();
            let _ = write!(std::io::stderr(), "\n{}", timed_out(&settings));
        }
        Verdict::Clean if settings.has_in_use || handover.plan.why.is_some() => {}
        _ if explained.excused.is_empty() => unit.remove(),
        _ => {}
    }
    let own = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    // A doctest whose leaks are excused has passed, whatever status the runtime has given it.
    let is_excused = is_leak_of_doctest && explained.verdict.is_fine();
    Ok(match u8::try_from(own).unwrap_or(1) {
        _ if is_excused => Ending::Clean.code(),
        0 if !explained.verdict.is_fine() => Ending::Failed.code(),
        own => own,
    })
}
