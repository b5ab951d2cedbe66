#![forbid(unsafe_code)]
//! The subcommand's own face: lets cargo build and run the tests with our wrapper and runner, and sums up.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::{absolute, own};
use crate::chain;
use crate::complaint::Complaint;
use crate::ending::Ending;
use crate::figures::counted;
use crate::handover::{Depth, Handover};
use crate::home::Home;
use crate::human;
use crate::look::Asked;
use crate::run::Run;
use crate::runner;
use crate::runtime;
use crate::tally::{self, Counts};
use crate::verdict::Verdict;
use crate::wrapper;

/// What to test, and how.
#[derive(Debug)]
pub(crate) struct Testing {
    /// What cargo is told to do, before all flags: `test`, or `bench`, `nextest`, `run`.
    pub(crate) verb: Vec<OsString>,
    /// Cargo's flags, and after `--` those of the harness.
    pub(crate) arguments: Vec<OsString>,
    /// The mode.
    pub(crate) mode: String,
    /// How much of each stack is recorded.
    pub(crate) depth: Depth,
    /// The person's own build is used, as it is.
    pub(crate) keeps_build: bool,
    /// Files of suppressions.
    pub(crate) suppressions: Vec<PathBuf>,
}

/// A cargo that builds, and runs what it has built, through this tool.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Cargo with its environment, still without arguments.
    pub(crate) command: Command,
    /// The run that it reports to.
    pub(crate) run: Run,
    /// What it builds for.
    pub(crate) target: String,
    /// This tool.
    pub(crate) own: PathBuf,
}

impl Testing {
    /// Does it, and answers the exit code.
    pub(crate) fn act(&self) -> Result<u8, Complaint> {
        let Prepared { mut command, run, target, own } = self.prepare()?;
        command.args(&self.verb).arg("--config").arg(runner_config(&target, &own));
        let status = command.args(self.cargo_arguments()).status();
        let status = status.map_err(|error| {
            Complaint::no_verdict(format!("cannot run `{}`: {error}", command.get_program().display()))
        })?;
        let ending = sum_up(&run, status.success());
        let own = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
        Ok(match own {
            // As under plain cargo: the program's own status.
            Some(own) if ending == Ending::Failed && self.verb[0] == "run" => own,
            _ => ending.code(),
        })
    }

    /// Begins a run, and makes a cargo that works for it but has not been told what to do.
    pub(crate) fn prepare(&self) -> Result<Prepared, Complaint> {
        let version = runtime::ask_version()?;
        let home = self.home()?;
        let runtime = runtime::find_or_build(&home)?;
        let run = Run::begin(&home)?;
        let target = self.target(&version);
        let own = own()?;
        let chain = chain::find(&self.cargo_arguments(), &target);
        let mut handover = Handover::new(
            run.clone(),
            runtime,
            self.mode.clone(),
            self.depth,
            self.suppressions.clone(),
            chain,
        );
        handover.asked = Asked::of_cargo(self.cargo_flags());
        handover.also_changes(chain::runner_variable(&target));
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        handover.send(&mut command);
        if !self.keeps_build {
            instrument(&mut command, &home, &version, &own);
        }
        Ok(Prepared { command, run, target, own })
    }

    fn home(&self) -> Result<Home, Complaint> {
        let mut home = Home::of_package(self.value_of("--manifest-path").as_ref())?;
        if let Some(folder) = self.value_of("--target-dir") {
            home.path = absolute(Path::new(&folder)).join("heapcheck");
        }
        Ok(home)
    }

    fn cargo_flags(&self) -> &[OsString] {
        let end = self.arguments.iter().position(|argument| argument == "--").unwrap_or(self.arguments.len());
        &self.arguments[..end]
    }

    /// The value of a flag of cargo.
    fn value_of(&self, name: &str) -> Option<OsString> {
        let flags = self.cargo_flags();
        let joined = format!("{name}=");
        flags.iter().enumerate().find_map(|(at, flag)| match flag.to_str()?.strip_prefix(&joined) {
            Some(value) => Some(value.into()),
            None if flag == name => flags.get(at + 1).cloned(),
            None => None,
        })
    }

    /// The arguments without the folder that is named: ours lies inside of it.
    fn cargo_arguments(&self) -> Vec<&OsString> {
        let flags = self.cargo_flags().len();
        let is_own = |argument: &OsString| !self.keeps_build && argument == "--target-dir";
        let joined = |argument: &OsString| {
            !self.keeps_build && argument.to_str().is_some_and(|text| text.starts_with("--target-dir="))
        };
        let kept = self.arguments.iter().enumerate().filter(|(at, argument)| {
            let is_value = *at > 0 && *at < flags && is_own(&self.arguments[at - 1]);
            *at >= flags || !(is_own(argument) || joined(argument) || is_value)
        });
        kept.map(|(_, argument)| argument).collect()
    }

    /// The target that is built for.
    fn target(&self, version: &str) -> String {
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let named = self.value_of("--target").map(|target| target.to_string_lossy().into_owned());
        named.or_else(|| std::env::var("CARGO_BUILD_TARGET").ok()).unwrap_or_else(|| host.to_string())
    }
}

/// Makes cargo build with our flags, into a folder of their own: cargo does not see that a wrapper adds flags.
fn instrument(command: &mut Command, home: &Home, version: &str, own: &Path) {
    let mut hasher = DefaultHasher::new();
    (wrapper::FLAGS, wrapper::DEBUG_INFO, version).hash(&mut hasher);
    let name = format!("build-{:016x}", hasher.finish());
    command.env("RUSTC_WRAPPER", own).env("RUSTDOC", own).env("CARGO_TARGET_DIR", home.path.join(&name));
    if let Some(metadata) = &home.metadata
        && let Some(folder) = metadata.build_directory.as_ref().filter(|f| **f != metadata.target_directory)
    {
        command.env("CARGO_BUILD_BUILD_DIR", folder.join("heapcheck").join(name));
    }
}

/// The only key that wins over all runners that a person may have set.
fn runner_config(target: &str, own: &Path) -> String {
    let quoted = own.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("target.{target}.runner=[\"{quoted}\", \"{}\"]", runner::FACE)
}

/// Says what the run came to.
fn sum_up(run: &Run, has_cargo_passed: bool) -> Ending {
    let entries = tally::read(run);
    let counts = Counts::of(&entries);
    let ending = match counts {
        Counts { failed: 1.., .. } => Ending::Failed,
        Counts { unjudged: 1.., .. } => Ending::NoVerdict,
        Counts { leaked: 1.., .. } => Ending::Leaked,
        _ if !has_cargo_passed => Ending::Failed,
        _ => Ending::Clean,
    };
    if entries.is_empty() {
        if has_cargo_passed {
            eprintln!("heapcheck: no test ran");
        }
        return ending;
    }
    let mut parts = vec![format!("{} clean", counts.clean)];
    let others =
        [(counts.leaked, "leaked"), (counts.failed, "failed"), (counts.unjudged, "without a verdict")];
    parts
        .extend(others.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")));
    let noun = if entries.iter().all(|entry| entry.test.is_empty()) { "program" } else { "test" };
    eprintln!("heapcheck: {} checked: {}", counted(entries.len() as u64, noun), parts.join(", "));
    for entry in &entries {
        let name = if entry.test.is_empty() { &entry.program } else { &entry.test };
        match &entry.verdict {
            Verdict::Leaked => eprintln!("    leaked: {name}"),
            Verdict::None(reason) => {
                eprintln!("    no verdict: {name}: {reason}");
            }
            Verdict::Clean | Verdict::Failed => {}
        }
    }
    if counts.leaked > 0 {
        eprint!("{}", human::more());
    }
    ending
}
