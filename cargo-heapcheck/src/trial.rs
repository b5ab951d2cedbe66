#![forbid(unsafe_code)]
//! One test in a process of its own: run, judged, and when it leaked run once more with full stacks.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use heapcheck_rt::front::heard;
use heapcheck_rt::options::Stacks;
use heapcheck_rt::record::{Found, Moment, Record};

use crate::binary::{Binary, short_name};
use crate::child::{self, Ended, milliseconds};
use crate::complaint::Complaint;
use crate::config::quantity::{Timeout, time};
use crate::config::settings::Settings;
use crate::excuse::explain_excused;
use crate::explain::explain;
use crate::handover::Handover;
use crate::human;
use crate::ledger;
use crate::libtest::Asked;
use crate::live::{self, Live};
use crate::memory;
use crate::printed;
use crate::profile;
use crate::run::{self, Unit};
use crate::symbols::Symbols;
use crate::tally::{self, Entry};
use crate::usher::Left;
use crate::verdict::{Verdict, fails_by_attribute, judge, judge_without_leaks, signal_name};
use crate::why;

/// What all tests of a harness share.
#[derive(Debug)]
pub(crate) struct Harness {
    /// What the subcommand said.
    pub(crate) handover: Handover,
    /// The executable.
    pub(crate) program: PathBuf,
    /// Which harness it is.
    pub(crate) binary: Binary,
    /// What was asked of it.
    pub(crate) asked: Asked,
}

/// How a test ended.
#[derive(Debug)]
pub(crate) struct Told {
    /// What is known.
    pub(crate) verdict: Verdict,
    /// What it printed.
    pub(crate) output: String,
    /// What there is to say about it.
    pub(crate) text: String,
    /// Why what was asked for is alive.
    pub(crate) why: String,
}

/// One try.
struct Attempt {
    unit: Unit,
    records: Vec<Record>,
    /// Where the record of its process is, when it is not in the folder of the unit.
    record: Option<File>,
    verdict: Verdict,
    /// The verdict when all its leaks are excused.
    rest: Verdict,
    output: String,
    took: Duration,
    /// Why it counts as failed, when that can't be seen from its output.
    why: String,
}

impl Harness {
    /// The harness as a command, without the runtime.
    pub(crate) fn plain(&self) -> Command {
        let mut command = self.handover.command(&self.program);
        command.args(&self.asked.passed_on);
        command
    }

    /// Runs the test `name`, the one with this `number`, and enters it in the tally. An usher may have run it already.
    pub(crate) fn run_test(
        &self,
        name: &str,
        number: usize,
        is_ignored: bool,
        left: Option<Left>,
    ) -> Result<Told, Complaint> {
        let process =
            run::number_of_process(left.as_ref().map_or(self.handover.began_ns, |left| left.began_ns));
        let number = format!("{process}-{number:06}");
        let settings = self.handover.settings(&self.program, name);
        let stacks = settings.first_stacks();
        let first = match left {
            Some(left) => self.take_over(name, &number, &settings, &left)?,
            None => self.attempt(name, &number, is_ignored, &settings, stacks, self.asked.is_live)?,
        };
        let mut remark = "";
        let mut took = first.took;
        let last = if first.verdict == Verdict::Leaked && settings.has_second_phase() {
            let second =
                self.attempt(name, &format!("{number}-full"), is_ignored, &settings, Stacks::Full, false)?;
            took += second.took;
            if second.verdict == Verdict::Leaked || second.excuses() {
                first.unit.remove();
                second
            } else {
                second.unit.remove();
                remark = "note: run again with full stacks, the test did not leak; this is what the first run has\n";
                first
            }
        } else {
            first
        };
        let is_kept = settings.has_in_use || self.handover.plan.why.is_some();
        let told = self.tell(last, remark, is_kept)?;
        let entry = Entry {
            program: short_name(&self.program),
            test: name.to_string(),
            verdict: told.verdict.clone(),
            took_ms: Some(milliseconds(took)),
        };
        if !told.verdict.is_fine() {
            // What it came to is told by the report of its leaks; of other failures it stands behind the output.
            let is_reported = matches!(told.verdict, Verdict::Leaked | Verdict::None(_));
            let why = if is_reported { "" } else { &told.text };
            let text = format!("{}{why}", told.output);
            printed::keep(&self.handover.run, &entry.program, name, &text);
        }
        tally::add(&self.handover.run, &entry)?;
        Ok(told)
    }

    fn attempt(
        &self,
        name: &str,
        number: &str,
        is_ignored: bool,
        settings: &Settings,
        stacks: Stacks,
        is_live: bool,
    ) -> Result<Attempt, Complaint> {
        let unit = self.handover.run.name_unit(number, &self.program, Some(name));
        // A program in front of the test would take what is meant for it, and programs that the test starts have records
        // of their own.
        let record = match self.handover.starts_directly() && settings.children == "none" {
            true => memory::file().ok(),
            false => None,
        };
        if record.is_none() {
            unit.add()?;
        }
        let mut command = self.plain();
        command.args(["--exact", name, "--nocapture"]);
        if self.binary == Binary::Libtest {
            // With one thread the test would run on the main thread, unlike under plain cargo.
            command.args(["--test-threads=2", "--color=never"]);
        }
        if is_ignored {
            command.arg("--include-ignored");
        }
        if settings.is_checked {
            self.handover.injection(&self.program, settings, stacks).apply(&mut command, &unit.path);
            if let Some(record) = &record {
                command.env("HEAPCHECK_RECORD", memory::path_of(record));
            }
        }
        let (ended, output) = run_to_end(&mut command, settings.timeout, is_live.then_some(name))
            .map_err(|error| Complaint::file("run", &self.program, &error))?;
        self.handover.told.hold(ended.status);
        self.judge(unit, record, settings, &ended, &output)
    }

    /// Judges what an usher has run.
    fn take_over(
        &self,
        name: &str,
        number: &str,
        settings: &Settings,
        left: &Left,
    ) -> Result<Attempt, Complaint> {
        let unit = self.handover.run.name_unit(number, &self.program, Some(name));
        let lost = |error| Complaint::file("take over", &self.program, &error);
        let [output, record] = left.files;
        let output = memory::inherited(output).and_then(|file| memory::read(&file)).map_err(lost)?;
        let record = memory::inherited(record).map_err(lost)?;
        live::show_rest(heard::own(&output, name.as_bytes()), left.shown);
        let status = ExitStatus::from_raw(left.status);
        let ended = Ended { pid: left.pid, status, is_timed_out: false, took: left.took };
        self.judge(unit, Some(record), settings, &ended, &String::from_utf8_lossy(&output))
    }

    fn judge(
        &self,
        unit: Unit,
        record: Option<File>,
        settings: &Settings,
        ended: &Ended,
        output: &str,
    ) -> Result<Attempt, Complaint> {
        let name = unit.test.clone().unwrap_or_default();
        let records = match &record {
            Some(record) => unit.read_records_with(record)?,
            None => unit.read_records()?,
        };
        let mut why = String::new();
        let pid = self.handover.first_pid(ended.pid);
        let verdict = if ended.is_timed_out {
            why = timed_out(settings);
            Verdict::TimedOut
        } else if let Some(failure) = failure(self.binary, &name, ended.status, output) {
            // The harness may have failed it because its attribute said so.
            if records.iter().any(fails_by_attribute) {
                Verdict::Leaked
            } else {
                why = failure;
                Verdict::Failed
            }
        } else if !settings.is_checked {
            Verdict::Unchecked
        } else {
            judge(&records, pid, &self.program, Some(ended.status))
        };
        let rest = match verdict {
            Verdict::Leaked => judge_without_leaks(&records, pid, &self.program, Some(ended.status)),
            _ => verdict.clone(),
        };
        let (output, took) = (own_output(output, &name), ended.took);
        Ok(Attempt { unit, records, record, verdict, rest, output, took, why })
    }

    fn tell(&self, attempt: Attempt, remark: &str, is_kept: bool) -> Result<Told, Complaint> {
        let Attempt { unit, records, record, verdict, rest, output, why, .. } = attempt;
        let answer = match &self.handover.plan.why {
            Some(pattern) if verdict != Verdict::Failed => {
                why::answer(pattern, &records, &self.handover.run, self.handover.asked.on_stdout())
            }
            _ => String::new(),
        };
        if verdict != Verdict::Failed {
            ledger::add_of_runtime(&self.handover.run, &records)?;
        }
        let is_kept = is_kept || ledger::excused_by_runtime(&records) > 0;
        if !matches!(verdict, Verdict::Leaked | Verdict::None(_)) {
            let text = why + &self.tell_besides(&unit, &records, &verdict);
            match &record {
                _ if verdict != Verdict::Clean || !is_kept => unit.remove(),
                Some(record) => unit.add_with(record)?,
                None => {}
            }
            return Ok(Told { verdict, output, text, why: answer });
        }
        if let Some(record) = &record {
            unit.add_with(record)?;
        }
        let plan = &self.handover.plan;
        let explained = explain_excused(&unit, records, verdict, rest, plan, &mut Symbols::default());
        ledger::add(&self.handover.run, &explained)?;
        profile::write_unit(&self.handover.run, &explained);
        let text = format!("{why}{remark}{}", human::render(&explained, self.handover.asked.on_stdout()));
        Ok(Told { verdict: explained.verdict, output, text, why: answer })
    }

    /// What a test that failed by itself has lost in its scope besides.
    fn tell_besides(&self, unit: &Unit, records: &[Record], verdict: &Verdict) -> String {
        let lost = |found: &Found| {
            found.check.moment == Moment::Scope && found.totals.is_some_and(|totals| totals.leaked_blocks > 0)
        };
        if *verdict != Verdict::Failed || !records.iter().any(|record| record.checks.iter().any(lost)) {
            return String::new();
        }
        let explained = explain(unit, records, verdict.clone(), &mut Symbols::default());
        human::render(&explained, self.handover.asked.on_stdout())
    }
}

impl Attempt {
    /// Whether it is clean because what it lost is excused: patterns of functions need the whole stack.
    fn excuses(&self) -> bool {
        let is_excused = |found: &Found| found.totals.is_some_and(|totals| totals.suppressed_blocks > 0);
        self.verdict == Verdict::Clean
            && self.records.iter().any(|record| record.checks.iter().any(is_excused))
    }
}

/// What is said of a test whose time was over.
pub(crate) fn timed_out(settings: &Settings) -> String {
    let limit = settings.timeout.0.map(time).unwrap_or_default();
    format!("the test was killed after {limit}, its `timeout`, and not checked\n")
}

/// Runs a command with its output in one file, not a pipe, which a child of it could keep open. What the test
/// `live_name` prints is shown meanwhile.
fn run_to_end(
    command: &mut Command,
    timeout: Timeout,
    live_name: Option<&str>,
) -> io::Result<(Ended, String)> {
    let file = memory::file()?;
    let append = |file: &File| file.try_clone();
    command.stdin(std::process::Stdio::null()).stdout(append(&file)?).stderr(append(&file)?);
    let live = match live_name {
        Some(name) => Some((Live::begin(append(&file)?, name), name)),
        None => None,
    };
    let ended = child::run(command, timeout);
    let output = String::from_utf8_lossy(&memory::read(&file)?).into_owned();
    if let Some((live, name)) = live {
        live.end(&own_output(&output, name));
    }
    Ok((ended?, output))
}

/// Why a test counts as failed; `None` when it passed. A process that ends well is not enough: `exit(0)` in a test
/// does, too.
fn failure(binary: Binary, name: &str, status: ExitStatus, output: &str) -> Option<String> {
    let is_told = binary != Binary::Libtest
        || ["", " - should panic", " - compile fail"]
            .iter()
            .any(|s| output.contains(&format!("test {name}{s} ... ok\n")));
    let is_passed = is_told && output.contains("test result: ok. 1 passed;");
    if let Some(signal) = status.signal() {
        return Some(format!("the test was ended by signal {signal} ({})\n", signal_name(signal)));
    }
    match status.code() {
        Some(0) if is_passed => None,
        Some(0) => Some(
            "the test ended its process with status 0 before the harness could say that it passed\n".into(),
        ),
        Some(101) => Some(String::new()),
        code => Some(format!("the test ended its process with status {}\n", code.unwrap_or(-1))),
    }
}

/// What the test itself printed, without the lines of its harness.
fn own_output(output: &str, name: &str) -> String {
    // libtest-mimic tells why a test failed behind the result.
    let told = output
        .split_once(&format!("\n---- {name} ----\n"))
        .and_then(|(_, told)| told.split_once("\n\nfailures:"));
    if let Some((why, _)) = told {
        return format!("{}\n", why.trim_end());
    }
    let body = output.split_once("running 1 test\n").map_or(output, |(_, body)| body);
    let ends = [format!("test {name} ... "), format!("test {name} - should panic ... ")];
    let end = ends.iter().filter_map(|end| body.rfind(end.as_str())).max().unwrap_or(body.len());
    body[..end].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_passes_only_when_its_harness_says_so() {
        let check = |raw: i32, output: &str, passes: bool| {
            let why = failure(Binary::Libtest, "a::b", ExitStatus::from_raw(raw), output);
            assert_eq!(why.is_none(), passes, "{output}");
        };
        let good = "\nrunning 1 test\nhello\ntest a::b ... ok\n\ntest result: ok. 1 passed; 0 failed;";
        check(0, good, true);
        check(0, &good.replace("a::b ...", "a::b - should panic ..."), true);
        check(0, "\nrunning 1 test\n", false);
        check(0, &good.replace("1 passed", "0 passed"), false);
        check(101 << 8, good, false);
        check(6, good, false);
        assert_eq!(own_output(good, "a::b"), "hello\n");
    }
}
