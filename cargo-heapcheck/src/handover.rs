#![forbid(unsafe_code)]
//! What the subcommand tells the faces of the tool that cargo calls: one variable, and those that a test must not see.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use heapcheck_rt::options::Stacks;
use serde_json::{Value, json};

use crate::binary::short_name;
use crate::complaint::Complaint;
use crate::config::filter::Subject;
use crate::config::plan::Plan;
use crate::config::settings::Settings;
use crate::doctestnames;
use crate::injection::Injection;
use crate::interrupt::Told;
use crate::look::{Asked, Colour};
use crate::run::{self, Run};
use crate::symbols::HERE;

/// The variable.
const VARIABLE: &str = "__HEAPCHECK";
/// Names the target and the program, for whoever merged doctests call to run one of them.
const DOCTEST: &str = "__HEAPCHECK_DOCTEST";
/// How rustdoc says which one.
const NUMBER_OF_DOCTEST: &str = "RUSTDOC_DOCTEST_RUN_NB_TEST";
/// Variables that the subcommand changes for cargo; a test gets them as the person had them.
const CHANGED: &[&str] =
    &["RUSTC_WRAPPER", "RUSTDOC", "CARGO_TARGET_DIR", "CARGO_BUILD_BUILD_DIR", "HEAPCHECK"];

/// What the person has put in front of rustc and of programs, and in place of rustdoc; ours stand before them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// In front of rustc.
    pub(crate) wrapper: Option<String>,
    /// In rustdoc's place.
    pub(crate) rustdoc: Option<String>,
    /// In front of programs for a target, with its arguments.
    pub(crate) runners: BTreeMap<String, Vec<String>>,
    /// Whether flags that are set somewhere may link programs statically.
    pub(crate) may_be_static: bool,
}

/// The message.
#[derive(Debug, Clone)]
pub(crate) struct Handover {
    /// The run that records belong to.
    pub(crate) run: Run,
    /// The shared object.
    pub(crate) runtime: PathBuf,
    /// What was set, for each test.
    pub(crate) plan: Plan,
    /// The wrapper of rustc, and the runner of programs, that the person has.
    pub(crate) chain: Chain,
    /// The runner of programs that the person has, for what is run now.
    runner: Vec<String>,
    /// The tests of a binary run in one process.
    pub(crate) shares_process: bool,
    /// How reports look.
    pub(crate) asked: Asked,
    /// When this process began to work on it, in nanoseconds since 1970.
    pub(crate) began_ns: u64,
    /// Whether this process was told to end.
    pub(crate) told: Told,
    /// What the person had for the variables that were changed.
    before: Variables,
}

impl Handover {
    /// Makes the message.
    pub(crate) fn new(run: Run, runtime: PathBuf, plan: Plan, chain: Chain) -> Self {
        let before = CHANGED.iter().map(|name| (name.to_string(), std::env::var(name).ok())).collect();
        Self {
            run,
            runtime,
            plan,
            chain,
            runner: Vec::new(),
            shares_process: false,
            asked: Asked::default(),
            began_ns: run::now_ns(),
            told: Told::default(),
            before,
        }
    }

    /// Remembers one more variable that the subcommand changes.
    pub(crate) fn also_changes(&mut self, name: String) {
        let value = std::env::var(&name).ok();
        self.before.insert(name, value);
    }

    /// Gives it to a command. What was set is long, and goes into the folder of the run.
    pub(crate) fn send(&self, command: &mut Command) -> Result<(), Complaint> {
        self.plan.save(&self.run.path)?;
        let value = json!({
            "run": self.run.path.to_string_lossy(),
            "runtime": self.runtime.to_string_lossy(),
            "wrapper": self.chain.wrapper,
            "rustdoc": self.chain.rustdoc,
            "runners": self.chain.runners,
            "shares_process": self.shares_process,
            "colour": self.asked.colour.name(),
            "verbose": self.asked.is_verbose,
            "before": self.before,
        });
        command.env(VARIABLE, value.to_string()).env_remove("HEAPCHECK");
        Ok(())
    }

    /// Whether a subcommand is above this process.
    pub(crate) fn is_sent() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    /// Reads it.
    pub(crate) fn receive() -> Result<Self, Complaint> {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let string = |name: &str| value[name].as_str().map(str::to_string);
        let (Some(run), Some(runtime)) = (string("run").map(PathBuf::from), string("runtime")) else {
            return Err(Complaint::usage("the runner is called by `cargo heapcheck`, not by hand")
                .hint("for a program of your own use `cargo heapcheck exec -- PROGRAM`"));
        };
        let runners = serde_json::from_value(value["runners"].clone()).unwrap_or_default();
        Ok(Self {
            plan: Plan::load(&run)?,
            run: Run { path: run },
            runtime: runtime.into(),
            chain: Chain {
                wrapper: string("wrapper"),
                rustdoc: string("rustdoc"),
                runners,
                may_be_static: false,
            },
            runner: Vec::new(),
            shares_process: value["shares_process"].as_bool().unwrap_or_default(),
            asked: Asked {
                colour: Colour::named(&string("colour").unwrap_or_default()),
                is_verbose: value["verbose"].as_bool().unwrap_or_default(),
            },
            began_ns: run::now_ns(),
            told: Told::default(),
            before: read_before(&value),
        })
    }

    /// Starts programs as the person would have those for `target` started.
    pub(crate) fn choose_runner(&mut self, target: &str) {
        self.runner = self.chain.runners.remove(target).unwrap_or_default();
    }

    /// The harness of merged doctests as a command. It runs each by a call of `own` instead of itself.
    pub(crate) fn merged(&self, program: &Path, target: &str, own: &Path) -> Command {
        let mut command = self.command(program);
        for name in [VARIABLE, doctestnames::VARIABLE, HERE] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env(DOCTEST, format!("{target} {}", program.display()));
        command.env("RUSTDOC_DOCTEST_BIN_PATH", own);
        command
    }

    /// The target, the program and the number of the merged doctest that this process is called for.
    pub(crate) fn merged_doctest() -> Option<(String, PathBuf, usize)> {
        let message = std::env::var(DOCTEST).ok()?;
        let (target, program) = message.split_once(' ')?;
        let number = std::env::var(NUMBER_OF_DOCTEST).ok()?.parse().ok()?;
        Some((target.to_string(), program.into(), number))
    }

    /// What was set for a test of a program.
    pub(crate) fn settings(&self, program: &Path, test: &str) -> Settings {
        // Cargo says to the runner which package it is.
        let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
        self.plan.settings(&Subject { package, binary: short_name(program), test: test.to_string() })
    }

    /// Makes `command` see the variables as the person had them before `show-env`.
    pub(crate) fn hide_from(command: &mut Command) {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        restore(&read_before(&serde_json::from_str(&text).unwrap_or_default()), command);
    }

    /// Starts a program as the person would have it started.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = match self.runner.split_first() {
            Some((runner, arguments)) => {
                let mut command = Command::new(runner);
                command.args(arguments).arg(program);
                command
            }
            None => Command::new(program),
        };
        restore(&self.before, &mut command);
        command
    }

    /// Whether nothing stands in front of programs.
    pub(crate) fn starts_directly(&self) -> bool {
        self.runner.is_empty()
    }

    /// The number of the checked process, where it is the one that was started.
    pub(crate) fn first_pid(&self, pid: u32) -> Option<u32> {
        Some(pid).filter(|_| self.starts_directly())
    }

    /// The variables that every test gets, or must not see, at first: where nothing was set for single tests, and nothing
    /// that needs the tool beside it while it runs.
    pub(crate) fn of_all_tests(&self) -> Option<Vec<(OsString, Option<OsString>)>> {
        let settings = self.plan.of_all()?;
        let is_ordinary = settings.is_checked
            && settings.timeout.0.is_none()
            && settings.children == "none"
            && self.plan.why.is_none()
            && !settings.has_in_use
            && self.chain.runners.values().all(Vec::is_empty)
            && !self.shares_process;
        let mut command = self.command(Path::new("/"));
        let nowhere = Path::new("/");
        self.injection(nowhere, &settings, settings.first_stacks()).apply(&mut command, nowhere);
        let owned =
            |(name, value): (&OsStr, Option<&OsStr>)| (name.to_os_string(), value.map(OsStr::to_os_string));
        is_ordinary.then(|| command.get_envs().map(owned).collect())
    }

    /// How the runtime gets into a program, at some depth. Where a runner stands in front, it is not what is checked.
    pub(crate) fn injection(&self, program: &Path, settings: &Settings, stacks: Stacks) -> Injection {
        let resolved = || program.canonicalize().unwrap_or_else(|_| program.to_path_buf());
        Injection {
            runtime: self.runtime.clone(),
            mode: settings.mode.clone(),
            stacks,
            children: settings.children.clone(),
            behind: (!self.runner.is_empty()).then(resolved),
            suppressions: self.plan.leak_files.clone(),
            asks_why: self.plan.why.is_some(),
            has_in_use: settings.has_in_use,
        }
    }
}

type Variables = BTreeMap<String, Option<String>>;

fn read_before(message: &Value) -> Variables {
    let before = message["before"].as_object().into_iter().flatten();
    before.map(|(name, value)| (name.clone(), value.as_str().map(str::to_string))).collect()
}

/// Makes `command` see the variables as the person had them.
fn restore(before: &Variables, command: &mut Command) {
    for name in [VARIABLE, DOCTEST, doctestnames::VARIABLE, HERE] {
        command.env_remove(name);
    }
    for (name, value) in before {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}
