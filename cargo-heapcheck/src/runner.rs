#![forbid(unsafe_code)]
//! The face that cargo, nextest and rustdoc call to start a program that they have built.
//!
//! A test harness is fanned out to one process a test, in front of which libtest-mimic prints as libtest would. Every
//! other program is run once, as it was called.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::binary::{Binary, absolute, own, short_name};
use crate::child::{self, Ended, milliseconds};
use crate::complaint::Complaint;
use crate::doctestnames;
use crate::doctests;
use crate::ending::Ending;
use crate::excuse::explain_excused;
use crate::handover::Handover;
use crate::human;
use crate::interrupt;
use crate::ledger;
use crate::libtest::{self, Asked};
use crate::profile;
use crate::progress::Progress;
use crate::report;
use crate::run::{self, Unit};
use crate::symbols::Symbols;
use crate::tally::{self, Entry};
use crate::together;
use crate::trial::{Harness, Told, timed_out};
use crate::usher::{self, Left, Runner};
use crate::verdict::{Verdict, judge, judge_without_leaks};
use crate::why;

/// The word by which the tool knows that it is called as the runner; behind it stand the target and the program.
pub(crate) const FACE: &str = "__runner";

/// The tool as a runner.
pub(crate) fn of_tool(own: &Path) -> Runner {
    [own.as_os_str().to_os_string(), FACE.into()]
}

/// The runner as one string, which cargo parts at blanks.
pub(crate) fn as_words(runner: &Runner, target: &str) -> Result<String, Complaint> {
    let [program, word] = runner.each_ref().map(|word| word.to_string_lossy());
    if let Some(path) = [&program, &word].into_iter().find(|path| path.contains(char::is_whitespace)) {
        return Err(Complaint::no_verdict(format!(
            "cargo can't be told of a runner with a blank in its path, `{path}`"
        ))
        .hint("install cargo-heapcheck in a folder without blanks"));
    }
    Ok(format!("{program} {word} {target}"))
}

/// Runs the program that `line` names behind the target, and answers the exit code. An usher may have run it already, and
/// `left` it to be judged.
pub(crate) fn act(line: &[OsString], left: Option<Left>) -> Result<u8, Complaint> {
    let mut handover = Handover::receive()?;
    handover.told = interrupt::end_children_first()
        .map_err(|error| Complaint::no_verdict(format!("cannot listen for signals: {error}")))?;
    let [target, program, arguments @ ..] = line else {
        return Err(Complaint::usage("the runner was given no program"));
    };
    let target = target.to_string_lossy();
    handover.choose_runner(&target);
    let program = absolute(Path::new(program));
    let binary = Binary::classify_once(&program, &handover.run.path);
    if binary == Binary::Libtest && left.is_none() {
        usher::note_libtest(&handover.run, &program);
    }
    if binary == Binary::Program {
        if std::env::var_os("NEXTEST_TEST_PHASE").is_some_and(|phase| phase == "list") {
            // Nextest asks every harness for its tests, of whatever kind it is. That is no test.
            let error = handover.command(&program).args(arguments).exec();
            return Err(Complaint::file("run", &program, &error));
        }
        return run_once(&handover, &program, What::Program, arguments);
    }
    if binary == Binary::Doctest {
        if doctestnames::of_merged(&program).is_some() {
            let error = handover.merged(&program, &target, &own()?).args(arguments).exec();
            return Err(Complaint::file("run", &program, &error));
        }
        return run_once(&handover, &program, What::Doctest(&doctestnames::of_single(&program)), arguments);
    }
    let texts: Vec<String> = arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    // What cargo says of a harness that ends with another status is of no use here.
    let asked = Asked::read(&texts).map_err(|complaint| {
        handover.run.refuse();
        Complaint { ending: Ending::Failed, ..complaint }
    })?;
    if asked.is_for_harness {
        let mut command = handover.command(&program);
        let error = command.args(arguments).exec();
        return Err(Complaint::file("run", &program, &error));
    }
    if asked.is_bench {
        return run_once(&handover, &program, What::Program, arguments);
    }
    if handover.shares_process {
        if binary == Binary::Mimic {
            // Its threads run many tests each: what they lose is the binary's.
            return run_once(&handover, &program, What::Harness, arguments);
        }
        return together::run(&Harness { handover, program, binary, asked }, &texts);
    }
    let harness = Harness { handover, program, binary, asked };
    if std::env::var_os("NEXTEST").is_some()
        && let ([name], true) = (harness.asked.filters.as_slice(), harness.asked.is_exact)
    {
        return run_one(&harness, name, left);
    }
    fan_out(harness)
}

/// Runs the one of merged doctests that their harness calls this process for, and answers the exit code.
pub(crate) fn act_on_merged(arguments: &[OsString]) -> Result<u8, Complaint> {
    let mut handover = Handover::receive()?;
    handover.told = interrupt::end_children_first()
        .map_err(|error| Complaint::no_verdict(format!("cannot listen for signals: {error}")))?;
    let Some((target, program, number)) = Handover::merged_doctest() else {
        return Err(Complaint::usage("the runner was given no doctest"));
    };
    handover.choose_runner(&target);
    let names = doctestnames::of_merged(&program).unwrap_or_default();
    let name = names.get(number).cloned().unwrap_or_else(|| format!("doctest {number}"));
    run_once(&handover, &program, What::Doctest(&name), arguments)
}

/// The one test that nextest asks for; it shows what is printed.
fn run_one(harness: &Harness, name: &str, left: Option<Left>) -> Result<u8, Complaint> {
    let is_ignored = harness.asked.only_ignored || harness.asked.includes_ignored;
    if tally::is_another_try() {
        // What counts is the last try.
        let is_earlier = |unit: &Unit| unit.program == harness.program && unit.test.as_deref() == Some(name);
        harness.handover.run.units().iter().filter(|unit| is_earlier(unit)).for_each(Unit::remove);
    }
    if left.is_none() {
        tally::begin(&harness.handover.run, &short_name(&harness.program), name)?;
    }
    let told = harness.run_test(name, 0, is_ignored, left)?;
    if !harness.asked.is_live {
        print!("{}", told.output);
    }
    eprint!("{}{}", told.text, told.why);
    Ok(if told.verdict.is_fine() { Ending::Clean } else { Ending::Failed }.code())
}

/// The file that libtest writes besides: a line a test.
struct Log(Option<File>);

impl Log {
    fn begin(path: Option<&str>) -> Result<Self, Complaint> {
        let file = path.map(|path| (path, File::create(path)));
        let opened = file.map(|(path, file)| {
            file.map_err(|error| Complaint::file("write the log", Path::new(path), &error))
        });
        opened.transpose().map(Self)
    }

    fn add(&self, how: &str, test: &str) {
        if let Some(mut file) = self.0.as_ref() {
            // The results are on stdout as well.
            let _ = file.write_all(format!("{how} {test}\n").as_bytes());
        }
    }
}

/// All tests that were asked for, each in its process.
fn fan_out(harness: Harness) -> Result<u8, Complaint> {
    let tests = libtest::list(|| harness.plain(), &harness.program)?;
    let asked = &harness.asked;
    if asked.only_ignored || (!asked.includes_ignored && tests.iter().any(|(_, is_ignored)| *is_ignored)) {
        harness.handover.run.leave_out()?;
    }
    for (flag, why) in &asked.ignored_flags {
        eprintln!("warning: the test flag `{flag}` is ignored: {why}");
    }
    let names: Vec<String> = tests.iter().map(|(name, _)| name.clone()).collect();
    let selected: Vec<_> = tests.iter().filter(|(name, _)| asked.selects(name)).collect();
    let will_run =
        selected.iter().filter(|(_, is_ignored)| asked.includes_ignored || *is_ignored == asked.only_ignored);
    let log = Arc::new(Log::begin(asked.logfile.as_deref())?);
    if !asked.includes_ignored && !asked.only_ignored {
        selected.iter().filter(|(_, is_ignored)| *is_ignored).for_each(|(name, _)| log.add("ignored", name));
    }
    // With one thread mimic has written the name of a test before it runs, and what stands in that line has to stay.
    let has_room = !asked.is_live && !asked.is_quiet && asked.threads != Some(1);
    let progress = Arc::new(Progress::begin(will_run.count(), has_room));
    let arguments = harness.asked.for_mimic(&names);
    let harness = Arc::new(harness);
    let trials = tests.into_iter().enumerate().map(|(number, (name, is_ignored))| {
        let (harness, progress, test) = (Arc::clone(&harness), Arc::clone(&progress), name.clone());
        let log = Arc::clone(&log);
        let run = move || {
            let told = harness.run_test(&test, number, is_ignored, None);
            progress.ended(told.as_ref().is_ok_and(|told| told.verdict == Verdict::Leaked));
            let outcome = outcome(&harness, &test, told);
            log.add(if outcome.is_ok() { "ok" } else { "failed" }, &test);
            outcome
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
            let entry = Entry {
                program: short_name(&harness.program),
                test: name.to_string(),
                verdict,
                took_ms: None,
            };
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

/// What is run once, as it was called.
#[derive(Clone, Copy)]
enum What<'w> {
    /// What is no harness: `cargo run`, an example, a bench, a test with its own `main`.
    Program,
    /// All tests of a harness in one process, of which nobody knows which thread runs which.
    Harness,
    /// A doctest of this name.
    Doctest(&'w str),
}

fn run_once(
    handover: &Handover,
    program: &Path,
    what: What<'_>,
    arguments: &[OsString],
) -> Result<u8, Complaint> {
    let doctest = match what {
        What::Doctest(name) => Some(name),
        What::Program | What::Harness => None,
    };
    let settings = handover.settings(program, doctest.unwrap_or_default());
    let unit = handover.run.add_unit(&run::number_of_process(handover.began_ns), program, doctest)?;
    let mut command = handover.command(program);
    command.args(arguments);
    if settings.is_checked {
        handover.injection(program, &settings, settings.depth.once()).apply(&mut command, &unit.path);
    }
    let Ended { pid, status, is_timed_out, took } = child::run(&mut command, settings.timeout)
        .map_err(|error| Complaint::file("run", program, &error))?;
    handover.told.hold(status);
    let records = unit.read_records()?;
    let judged = judge(&records, handover.first_pid(pid), program, Some(status));
    let verdict = match is_timed_out {
        true => Verdict::TimedOut,
        // Whether a doctest may end like this, rustdoc knows.
        false if !status.success() && doctest.is_none() => Verdict::Failed,
        false if !settings.is_checked => Verdict::Unchecked,
        false => judged,
    };
    let rest = judge_without_leaks(&records, handover.first_pid(pid), program, Some(status));
    if let Some(pattern) = &handover.plan.why {
        let answer = why::answer(pattern, &records, &handover.run, handover.asked.on_stderr());
        if !answer.is_empty() {
            let _ = write!(std::io::stderr(), "\n{answer}");
        }
    }
    ledger::add_of_runtime(&handover.run, &records)?;
    let is_kept =
        settings.has_in_use || handover.plan.why.is_some() || ledger::excused_by_runtime(&records) > 0;
    let mut explained =
        explain_excused(&unit, records, verdict, rest, &handover.plan, &mut Symbols::default());
    explained.took_ms = Some(milliseconds(took));
    ledger::add(&handover.run, &explained)?;
    if doctest.is_some() {
        // Rustdoc removes the program.
        report::keep_unit(&unit, &explained)?;
    }
    let entry = Entry::of(&explained);
    match doctest {
        Some(_) => doctests::add(&handover.run, &entry, status)?,
        None => tally::add(&handover.run, &entry)?,
    }
    match explained.verdict {
        Verdict::Leaked | Verdict::None(_) => {
            profile::write_unit(&handover.run, &explained);
            let _ = write!(std::io::stderr(), "\n{}", human::render(&explained, handover.asked.on_stderr()));
        }
        // One of its tests has failed; others may have leaked.
        Verdict::Failed if matches!(what, What::Harness) && !explained.leaks.is_empty() => {
            let _ = write!(std::io::stderr(), "\n{}", human::render(&explained, handover.asked.on_stderr()));
        }
        Verdict::TimedOut => {
            unit.remove();
            let _ = write!(std::io::stderr(), "\n{}", timed_out(&settings));
        }
        Verdict::Clean if is_kept => {}
        _ if explained.excused.is_empty() => unit.remove(),
        _ => {}
    }
    let own = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    Ok(match u8::try_from(own).unwrap_or(1) {
        // Rustdoc shows these, and the wrapper of rustdoc knows them.
        0 if doctest.is_some() && explained.verdict == Verdict::Leaked => Ending::Leaked.code(),
        0 if doctest.is_some() && matches!(explained.verdict, Verdict::None(_)) => Ending::NoVerdict.code(),
        0 if !explained.verdict.is_fine() => Ending::Failed.code(),
        own => own,
    })
}
