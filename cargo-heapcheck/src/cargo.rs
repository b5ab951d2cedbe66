#![forbid(unsafe_code)]
//! The subcommand's own face: lets cargo build and run the tests with our wrapper and runner, and sums up.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread::{self, ScopedJoinHandle};

use crate::binary::{absolute, own};
use crate::cargoconfig::CargoConfig;
use crate::chain;
use crate::compiler::{self, Compiler};
use crate::complaint::Complaint;
use crate::config::plan::{Flags, Plan};
use crate::ending::Ending;
use crate::excuse;
use crate::figures::{bytes, counted};
use crate::handover::Handover;
use crate::home::Home;
use crate::interrupt::Interrupts;
use crate::ledger;
use crate::leftovers;
use crate::look::Asked;
use crate::outputs::Outputs;
use crate::profile;
use crate::report::{self, explain_run};
use crate::run::Run;
use crate::runner;
use crate::runtime;
use crate::symbols::{HERE, Symbols};
use crate::tally::{self, Counts, Entry};
use crate::usher::{self, Runner};
use crate::verdict::Verdict;
use crate::why;
use crate::wrapper;

/// What to test, and how.
#[derive(Debug)]
pub(crate) struct Testing {
    /// What cargo is told to do, before all flags: `test`, or `bench`, `nextest`, `run`.
    pub(crate) verb: Vec<OsString>,
    /// Cargo's flags, and after `--` those of the harness.
    pub(crate) arguments: Vec<OsString>,
    /// What was set by flags.
    pub(crate) flags: Flags,
    /// The reports that are written.
    pub(crate) outputs: Outputs,
    /// The tests of a binary run in one process.
    pub(crate) shares_process: bool,
}

/// A cargo that builds, and runs what it has built, through this tool.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Cargo with its environment, still without arguments.
    pub(crate) command: Command,
    /// The run that it reports to.
    pub(crate) run: Run,
    /// What it builds for, and always this machine: there run the tests of proc macros.
    pub(crate) targets: Vec<String>,
    /// What cargo has to be told by `--config` for that.
    pub(crate) runners: Vec<String>,
    /// This tool.
    pub(crate) own: PathBuf,
    /// What was set.
    pub(crate) plan: Plan,
    /// The folder of the tool.
    pub(crate) home: Home,
}

impl Testing {
    /// Does it, and answers the exit code.
    pub(crate) fn act(&self) -> Result<u8, Complaint> {
        self.outputs.check()?;
        let Prepared { mut command, run, runners, plan, home, .. } = self.prepare()?;
        let interrupts = Interrupts::catch()
            .map_err(|error| Complaint::no_verdict(format!("cannot listen for signals: {error}")))?;
        let (before, behind) = self.cargo_arguments(plan.general().keeps_build);
        command.args(&self.verb).args(before);
        for runner in &runners {
            command.arg("--config").arg(runner);
        }
        let root = home.root();
        let status = command.args(behind).env(HERE, root.canonicalize().unwrap_or(root)).status();
        let status = status.map_err(|error| {
            Complaint::no_verdict(format!("cannot run `{}`: {error}", command.get_program().display()))
        })?;
        let interrupted = interrupts.code(status);
        if interrupted.is_some() {
            eprintln!("\nheapcheck: interrupted; this is what is known so far");
        }
        if !status.success() && self.verb[0] == "nextest" && !has_nextest() {
            eprintln!("hint: `cargo install --locked cargo-nextest` installs it");
        }
        if interrupted.is_none() {
            tally::settle(&run)?;
        }
        let is_empty = interrupted.is_none() && run.units().is_empty() && tally::read(&run).is_empty();
        if is_empty && self.is_refused(&run, status) {
            run.forget(&home);
            return Ok(Ending::Usage.code());
        }
        if let Some(pattern) = plan.why.as_deref().filter(|_| !why::was_answered(&run)) {
            eprint!("{}", why::no_match(pattern));
        }
        let ending = sum_up(&run, status.success(), self.runs_tests());
        let units = explain_run(&run, &mut Symbols::default())?;
        report::keep(&run, &units)?;
        let has_leaked = tally::read(&run).iter().any(|entry| entry.verdict == Verdict::Leaked);
        if has_leaked || profile::has_in_use(&units) {
            profile::write_all(&run, &units);
        }
        if has_leaked {
            eprint!("{}", profile::hint(&run.link(), &self.report_command(&run)));
            eprint!("{}", excuse::suggestion(&units));
        }
        if plan.general().has_in_use {
            eprint!("{}", profile::in_use_note(&units, &self.report_command(&run)));
        }
        if let Some(code) = interrupted {
            return Ok(code);
        }
        self.warn(&run, &plan, &home, status.success());
        self.outputs.write(&units, Asked::of_cargo(self.cargo_flags()))?;
        if is_empty && status.success() && !self.runs_tests() {
            // What was only built or listed is no run to tell again.
            run.forget(&home);
        }
        let own = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
        Ok(match own {
            // As under plain cargo: the program's own status.
            Some(own) if ending == Ending::Failed && self.verb[0] == "run" => own,
            _ => ending.code(),
        })
    }

    /// Begins a run, and makes a cargo that works for it but has not been told what to do.
    pub(crate) fn prepare(&self) -> Result<Prepared, Complaint> {
        // Three questions to other programs, each of which takes its time to start.
        let named = compiler::named();
        let usual = || Compiler::ask(named.clone().unwrap_or_else(|| "rustc".into()));
        let (compiler, home, config) = thread::scope(|scope| {
            let compiler = scope.spawn(usual);
            let config = scope.spawn(|| CargoConfig::ask(self.cargo_flags()));
            let home = self.home();
            (answer_of(compiler), home, answer_of(config))
        });
        let compiler = match compiler::configured(&config).filter(|_| named.is_none()) {
            Some(rustc) => Compiler::ask(rustc)?,
            None => compiler?,
        };
        let home = home?;
        let plan = Plan::make(self.flags.clone(), &home.root(), |name| std::env::var(name).ok())?;
        let keeps_build = plan.general().keeps_build;
        let runtime = runtime::find_or_write(&home.path)?;
        let targets = self.targets(compiler.host(), &config);
        let own = own()?;
        let chain = chain::find(&config, &compiler, &targets)?;
        let run = Run::begin(&home)?;
        let is_linked = chain.may_be_static || targets.iter().any(|target| target.ends_with("-musl"));
        let mut handover = Handover::new(run.clone(), runtime, plan.clone(), chain);
        handover.shares_process = self.shares_process;
        handover.asked = Asked::of_cargo(self.cargo_flags());
        for target in &targets {
            handover.also_changes(chain::runner_variable(target));
        }
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        handover.send(&mut command)?;
        let usher = match self.verb.first() {
            Some(verb) if verb == "nextest" => usher::runner(&handover, &home, &own)?,
            _ => None,
        };
        let runner = usher.unwrap_or_else(|| runner::of_tool(&own));
        command.env("RUSTDOC", &own);
        if !keeps_build {
            instrument(&mut command, &home, &compiler.version, &own, is_linked.then_some(runtime::KEY));
        }
        let runners = targets.iter().map(|target| runner_config(&config, target, &runner));
        let runners = runners.collect::<Result<_, _>>()?;
        Ok(Prepared { command, run, targets, runners, own, plan, home })
    }

    fn home(&self) -> Result<Home, Complaint> {
        if self.values_of("--target-dir").nth(1).is_some() {
            return Err(Complaint::usage("`--target-dir` is given more than once"));
        }
        let mut home = Home::of_package(self.value_of("--manifest-path").as_ref())?;
        if let Some(folder) = self.value_of("--target-dir") {
            home.path = absolute(Path::new(&folder)).join("heapcheck");
        }
        Ok(home)
    }

    /// The command that tells this run again. It finds the folder by itself unless a flag has named another package.
    fn report_command(&self, run: &Run) -> String {
        let elsewhere = ["--manifest-path", "--target-dir"].iter().any(|flag| self.value_of(flag).is_some());
        let folder = run.link().to_string_lossy().into_owned();
        let named = if elsewhere { format!(" --record {}", profile::quoted(&folder)) } else { String::new() };
        format!("cargo heapcheck report{named}")
    }

    fn cargo_flags(&self) -> &[OsString] {
        let end = self.arguments.iter().position(|argument| argument == "--").unwrap_or(self.arguments.len());
        &self.arguments[..end]
    }

    /// Whether nothing was run because the line that was typed was not understood. Cargo tells by its code that it does
    /// not know a flag; other failures end it with another one.
    fn is_refused(&self, run: &Run, status: ExitStatus) -> bool {
        let of_flags = if self.verb[0] == "nextest" { 2 } else { 1 };
        status.code() == Some(of_flags) || run.is_refused()
    }

    /// Whether something is to be run, not only built or listed.
    fn runs_tests(&self) -> bool {
        let (flags, of_harness) = self.arguments.split_at(self.cargo_flags().len());
        let has = |part: &[OsString], names: &[&str]| part.iter().any(|word| names.iter().any(|n| word == n));
        let is_run = self.verb[0] != "nextest" || self.verb.get(1).is_some_and(|verb| verb == "run");
        is_run && !has(flags, &["--no-run", "--help", "-h"]) && !has(of_harness, &["--list", "--help", "-h"])
    }

    /// The value of a flag of cargo.
    fn value_of(&self, name: &str) -> Option<OsString> {
        self.values_of(name).next()
    }

    /// The values of a flag of cargo that may be given more than once.
    fn values_of(&self, name: &str) -> impl Iterator<Item = OsString> {
        let flags = self.cargo_flags();
        let joined = format!("{name}=");
        flags.iter().enumerate().filter_map(move |(at, flag)| match flag.to_str()?.strip_prefix(&joined) {
            Some(value) => Some(value.into()),
            None if flag == name => flags.get(at + 1).cloned(),
            None => None,
        })
    }

    /// The arguments without the folder that is named: ours lies inside of it. They are in two parts: what stands
    /// before our own `--config`, because the last one wins, and what stands behind it.
    fn cargo_arguments(&self, keeps_build: bool) -> (Vec<&OsString>, Vec<&OsString>) {
        let flags = self.cargo_flags().len();
        let is_named = |argument: &OsString, name: &str| {
            argument.to_str().is_some_and(|text| text.split('=').next() == Some(name))
        };
        let is_value_of = |at: usize, name: &str| at > 0 && at < flags && self.arguments[at - 1] == name;
        let is_folder = |at: usize| {
            at < flags && (is_named(&self.arguments[at], "--target-dir") || is_value_of(at, "--target-dir"))
        };
        let is_config =
            |at: &usize| is_named(&self.arguments[*at], "--config") || is_value_of(*at, "--config");
        // Behind the first bare word may stand what belongs to the program.
        let heads = match self.verb[0] == "run" {
            true => first_bare_word(self.cargo_flags()),
            false => flags,
        };
        let before = (0..heads).rev().find(is_config).map_or(0, |last| last + 1);
        let part = |part: std::ops::Range<usize>| {
            let kept = part.filter(|at| keeps_build || !is_folder(*at));
            kept.map(|at| &self.arguments[at]).collect()
        };
        (part(0..before), part(before..self.arguments.len()))
    }

    /// Tells of suppressions and entries of the baseline that nothing needs.
    fn warn(&self, run: &Run, plan: &Plan, home: &Home, has_cargo_passed: bool) {
        let entries = tally::read(run);
        let is_judged =
            |entry: &Entry| !matches!(entry.verdict, Verdict::Failed | Verdict::TimedOut | Verdict::None(_));
        // Cargo stops behind the first program with a test that fails.
        let has_run_all = has_cargo_passed || self.cargo_flags().iter().any(|flag| flag == "--no-fail-fast");
        let is_whole =
            has_run_all && !entries.is_empty() && entries.iter().all(is_judged) && self.asks_for_all(home);
        if is_whole {
            run.set_whole();
        }
        for warning in leftovers::warnings(plan, &ledger::read(run), &entries, run.is_whole()) {
            eprintln!("warning: {warning}");
        }
    }

    /// Whether every test of the workspace is asked for. An argument that says nothing about the choice of tests has to
    /// be known as such.
    fn asks_for_all(&self, home: &Home) -> bool {
        const HARMLESS: &[&str] = &[
            "--workspace",
            "--all",
            "--no-fail-fast",
            "-q",
            "--quiet",
            "-v",
            "--verbose",
            "-r",
            "--release",
            "--locked",
            "--offline",
            "--frozen",
            "--keep-going",
            "--all-features",
            "--",
            "--nocapture",
            "--no-capture",
            "--show-output",
            "--include-ignored",
        ];
        const WITH_VALUE: &[&str] = &[
            "--color",
            "--manifest-path",
            "--target-dir",
            "-j",
            "--jobs",
            "--test-threads",
            "--cargo-profile",
        ];
        let texts = self.arguments.iter().map(|argument| argument.to_string_lossy());
        let mut is_value = false;
        for text in texts {
            let name = text.split('=').next().unwrap_or_default();
            if std::mem::take(&mut is_value) || HARMLESS.contains(&&*text) {
                continue;
            }
            match WITH_VALUE.contains(&name) {
                true => is_value = !text.contains('='),
                false => return false,
            }
        }
        let names_all = self.cargo_flags().iter().any(|flag| flag == "--workspace" || flag == "--all");
        self.verb[0] == "test" && (names_all || home.has_one_package())
    }

    /// The targets that are built for, and this machine.
    fn targets(&self, host: &str, config: &CargoConfig) -> Vec<String> {
        let configured = config.get(&["build", "target"]);
        let typed: Vec<String> =
            self.values_of("--target").map(|target| target.to_string_lossy().into_owned()).collect();
        let variable = std::env::var("CARGO_BUILD_TARGET").ok().filter(|target| !target.is_empty());
        let named = match (configured, variable) {
            _ if !typed.is_empty() => typed,
            (Some(entry), _) if entry.is_typed() => entry.words(),
            (_, Some(target)) => vec![target],
            (Some(entry), None) => entry.words(),
            (None, None) => Vec::new(),
        };
        let mut targets = vec![host.to_string()];
        for target in named {
            // Cargo calls this machine so.
            if target != "host-tuple" && !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }
}

/// Where the first argument stands that is neither a flag of `cargo run` nor a value of one.
fn first_bare_word(flags: &[OsString]) -> usize {
    const WITH_VALUE: &[&str] = &[
        "--bin",
        "--color",
        "--config",
        "--example",
        "--features",
        "--jobs",
        "--lockfile-path",
        "--manifest-path",
        "--message-format",
        "--package",
        "--profile",
        "--target",
        "--target-dir",
        "-C",
        "-F",
        "-Z",
        "-j",
        "-p",
    ];
    let is_value = |at: usize| at > 0 && WITH_VALUE.iter().any(|name| flags[at - 1] == *name);
    let is_bare = |at: &usize| !flags[*at].as_encoded_bytes().starts_with(b"-") && !is_value(*at);
    (0..flags.len()).find(is_bare).unwrap_or(flags.len())
}

fn answer_of<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Makes cargo build with our flags, into a folder of their own: cargo does not see that a wrapper adds flags.
/// Nor does it see that the runtime is linked in.
fn instrument(command: &mut Command, home: &Home, version: &str, own: &Path, linked: Option<&str>) {
    let mut hasher = DefaultHasher::new();
    (wrapper::FLAGS, wrapper::DEBUG_INFO, version, linked).hash(&mut hasher);
    let name = format!("build-{:016x}", hasher.finish());
    command.env("RUSTC_WRAPPER", own).env("CARGO_TARGET_DIR", home.path.join(&name));
    if let Some(metadata) = &home.metadata
        && let Some(folder) = metadata.build_directory.as_ref().filter(|f| **f != metadata.target_directory)
    {
        command.env("CARGO_BUILD_BUILD_DIR", folder.join("heapcheck").join(name));
    }
}

/// The only key that wins over all runners that a person may have set. Where one of the same target is a string, cargo
/// takes nothing but a string beside it.
fn runner_config(config: &CargoConfig, target: &str, runner: &Runner) -> Result<String, Complaint> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let is_string = config.get(&["target", target, "runner"]).is_some_and(|entry| entry.value.is_str());
    let runner = match is_string {
        true => quoted(&runner::as_words(runner, target)?),
        false => {
            let [program, word] = runner.each_ref().map(|word| quoted(&word.to_string_lossy()));
            format!("[{program}, {word}, \"{target}\"]")
        }
    };
    Ok(format!("target.{target}.runner={runner}"))
}

/// Tests that leaked are named up to here; harnesses have named all.
const LEAKED_MAX: u64 = 12;

/// Whether cargo knows nextest.
fn has_nextest() -> bool {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = cargo.args(["nextest", "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Says what the run came to.
fn sum_up(run: &Run, has_cargo_passed: bool, runs_tests: bool) -> Ending {
    let entries = tally::read(run);
    let counts = Counts::of(&entries);
    let ending = match counts {
        Counts { failed: 1.., .. } | Counts { timed_out: 1.., .. } => Ending::Failed,
        Counts { unjudged: 1.., .. } => Ending::NoVerdict,
        Counts { leaked: 1.., .. } => Ending::Leaked,
        _ if !has_cargo_passed => Ending::Failed,
        _ => Ending::Clean,
    };
    if entries.is_empty() {
        if has_cargo_passed && runs_tests {
            eprintln!("heapcheck: no test ran");
        }
        return ending;
    }
    let mut parts = vec![format!("{} clean", counts.clean)];
    let others = [
        (counts.leaked, "leaked"),
        (counts.failed, "failed"),
        (counts.timed_out, "timed out"),
        (counts.unjudged, "without a verdict"),
    ];
    parts
        .extend(others.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")));
    let noun = if entries.iter().all(|entry| entry.test.is_empty()) { "program" } else { "test" };
    let checked = entries.len() as u64 - counts.unchecked;
    let unchecked = match counts.unchecked {
        0 => String::new(),
        count => format!("; {} not checked, as configured", counted(count, noun)),
    };
    let excused = match ledger::read(run).iter().map(|line| line.bytes).sum() {
        0 => String::new(),
        sum => format!("; leaks of {} are excused, see `cargo heapcheck report`", bytes(sum)),
    };
    eprintln!("heapcheck: {} checked: {}{unchecked}{excused}", counted(checked, noun), parts.join(", "));
    let mut named = 0;
    for entry in &entries {
        let name = if entry.test.is_empty() { &entry.program } else { &entry.test };
        match &entry.verdict {
            Verdict::Leaked => {
                named += 1;
                if named <= LEAKED_MAX {
                    eprintln!("    leaked: {name}");
                }
            }
            Verdict::None(reason) => {
                eprintln!("    no verdict: {name}: {reason}");
            }
            Verdict::TimedOut => eprintln!("    timed out: {name}"),
            Verdict::Clean | Verdict::Failed | Verdict::Unchecked => {}
        }
    }
    if named > LEAKED_MAX {
        eprintln!("    leaked: {} more", named - LEAKED_MAX);
    }
    ending
}
