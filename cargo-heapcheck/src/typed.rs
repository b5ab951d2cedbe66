#![forbid(unsafe_code)]
//! What was typed, and what it means.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use heapcheck_rt::options::{Mode, Stacks};

use crate::accept::Acceptance;
use crate::cargo::Testing;
use crate::clean;
use crate::complaint::Complaint;
use crate::config::plan::{Flags, Plan};
use crate::config::quantity::{Timeout, read_size};
use crate::config::settings::{Depth, Said};
use crate::ending::{ABOUT_CODES, Ending};
use crate::exec::{Exec, find_program};
use crate::home::Home;
use crate::look::LookFlags;
use crate::outputs::Outputs;
use crate::pages;
use crate::report::ReportFlags;
use crate::runtime;
use crate::shells::Shell;

const ABOUT: &str = "\
`cargo test` that also fails on leaks, and explains them

Without a verb the tests of the package are run and checked. `test`, `bench`, `run` and `nextest` take all options of
cargo's verb besides their own, in any order.";

/// `cargo test` that also fails on leaks, and explains them.
#[derive(Parser, Debug)]
#[command(name = "cargo-heapcheck", bin_name = "cargo heapcheck", version, after_help = ABOUT_CODES)]
#[command(about, long_about = ABOUT)]
pub(crate) struct Typed {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Run the tests of a package, and fail those that leak (this is what happens without a verb)
    #[command(
        override_usage = "cargo heapcheck [test] [OPTIONS] [cargo test's options] [-- libtest's options]"
    )]
    Test(TestFlags),
    /// Run the benchmarks of a package with `cargo bench`, and fail the programs that leak
    #[command(
        override_usage = "cargo heapcheck bench [OPTIONS] [cargo bench's options] [-- the harness's options]"
    )]
    Bench(TestFlags),
    /// The same under nextest: `run`, `list`, `archive` with their options
    #[command(override_usage = "cargo heapcheck nextest run [OPTIONS] [nextest's options]")]
    Nextest(TestFlags),
    /// Run a program of the package with `cargo run`, and tell what it leaked
    #[command(override_usage = "cargo heapcheck run [OPTIONS] [cargo run's options] [-- arguments]")]
    Run(TestFlags),
    /// Run a program, Rust or not, and tell what it leaked
    Exec {
        #[command(flatten)]
        check: CheckFlags,
        /// How much of each stack is recorded [default: full]
        #[arg(long, value_parser = PossibleValuesParser::new(Stacks::NAMES))]
        stacks: Option<String>,
        #[command(flatten)]
        look: LookFlags,
        #[command(flatten)]
        outputs: Outputs,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
        program: Vec<OsString>,
    },
    /// Print the path of the runtime, for whoever preloads it by hand
    Runtime {
        /// The package below whose target folder it lies
        #[arg(long, value_name = "PATH")]
        manifest_path: Option<OsString>,
    },
    /// Print what another driver of cargo needs in its environment: eval "$(cargo heapcheck show-env)"
    ShowEnv {
        /// The shell that reads it
        #[arg(long, value_enum, default_value = "sh", value_name = "SHELL")]
        shell: Shell,
        #[command(flatten)]
        flags: TestFlags,
    },
    /// Remove what heapcheck keeps: its builds, its runtime, the records of its runs
    Clean {
        /// The package whose target folder is meant
        #[arg(long, value_name = "PATH")]
        manifest_path: Option<OsString>,
        /// The target folder, where it was named when the tests ran
        #[arg(long, value_name = "DIR")]
        target_dir: Option<PathBuf>,
    },
    /// Print what makes a shell complete the command line
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual, or write its pages
    Man {
        /// A folder for one page a verb
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Make the leaks of the last run the baseline: only new and grown ones fail afterwards
    Accept {
        /// Show each change, and ask
        #[arg(long)]
        review: bool,
        /// The package whose last run is meant
        #[arg(long, value_name = "PATH")]
        manifest_path: Option<OsString>,
    },
    /// Tell again what the last run found, or what one record says
    Report(ReportFlags),
}

/// How cargo's tests are checked. These flags may stand anywhere before `--`; the others are cargo's.
#[derive(Args, Debug)]
struct TestFlags {
    #[command(flatten)]
    check: CheckFlags,
    /// How much of each stack is recorded; auto: little, and a test that leaks is run again with all of it [default:
    /// auto]
    #[arg(long, value_parser = PossibleValuesParser::new(Depth::NAMES))]
    stacks: Option<String>,
    /// Use the build of plain cargo as it is, instead of an instrumented one
    #[arg(long)]
    no_rebuild: bool,
    /// What the tests of a binary are kept apart by: a process for each, or nothing; then leaks are told apart by the threads
    /// that the harness starts for its tests
    #[arg(long, value_parser = ["process", "none"], default_value = "process", value_name = "HOW")]
    isolation: String,
    #[command(flatten)]
    outputs: Outputs,
    #[arg(last = true, hide = true)]
    cargo: Vec<OsString>,
}

/// The verbs that take cargo's flags besides ours.
const CARGO_VERBS: &[&str] = &["test", "bench", "nextest", "run", "show-env"];

/// What is checked. What is not given here comes from the environment, then from `.config/heapcheck.toml`.
#[derive(Args, Debug)]
struct CheckFlags {
    /// Which leaks count, and when they are looked for [default: normal]
    #[arg(long, value_parser = PossibleValuesParser::new(Mode::NAMES))]
    mode: Option<String>,
    /// How much a test may leak, as in `1KB` [default: 0]
    #[arg(long, value_name = "SIZE", value_parser = read_size)]
    max_leaked_bytes: Option<u64>,
    /// How long a test may run, as in `90s` [default: none]
    #[arg(long, value_name = "TIME", value_parser = Timeout::read)]
    timeout: Option<Timeout>,
    /// Check the programs that a test starts, too
    #[arg(long)]
    follow_children: bool,
    /// A file of suppressions: TOML, else `leak:` lines; may be given more than once
    #[arg(long, value_name = "FILE")]
    suppressions: Vec<PathBuf>,
    /// Settings, instead of those in `.config/heapcheck.toml`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The profile of the settings [default: default]
    #[arg(long, value_name = "NAME")]
    heapcheck_profile: Option<String>,
    /// Record everything that is in use at the end, too, for `report --top --inuse_space` and the like
    #[arg(long)]
    in_use: bool,
    /// Tell what keeps blocks alive whose type, function or `file:line` has this in it
    #[arg(long, value_name = "PATTERN", value_parser = NonEmptyStringValueParser::new())]
    why: Option<String>,
}

impl CheckFlags {
    fn flags(self, stacks: Option<String>, no_rebuild: bool) -> Flags {
        let said = Said {
            mode: self.mode,
            // A short stack may end before the line that is asked for.
            stacks: stacks.or_else(|| self.why.as_ref().map(|_| Stacks::Full.name().to_string())),
            max_leaked_bytes: self.max_leaked_bytes,
            timeout: self.timeout,
            rerun: None,
            check: None,
            children: self.follow_children.then(|| "all".to_string()),
            no_rebuild: no_rebuild.then_some(true),
            in_use: self.in_use.then_some(true),
        };
        Flags {
            said,
            config: self.config,
            profile: self.heapcheck_profile,
            suppressions: self.suppressions,
            why: self.why,
        }
    }
}

impl TestFlags {
    fn testing(self, verb: &str) -> Result<Testing, Complaint> {
        let mut verb = vec![OsString::from(verb)];
        let mut arguments = self.cargo;
        // nextest has verbs of its own, and wants `--config` after them.
        if verb[0] == "nextest"
            && arguments.first().is_some_and(|first| !first.as_encoded_bytes().starts_with(b"-"))
        {
            verb.push(arguments.remove(0));
        }
        let shares_process = self.isolation == "none";
        if shares_process && verb[0] == "nextest" {
            return Err(Complaint::usage(
                "`--isolation=none` has no effect under nextest, which runs each test in a process",
            )
            .hint("use `cargo heapcheck test --isolation=none`"));
        }
        let outputs = self.outputs.on_github(|name| std::env::var_os(name));
        Ok(Testing {
            verb,
            arguments,
            flags: self.check.flags(self.stacks, self.no_rebuild),
            outputs,
            shares_process,
        })
    }
}

/// Whether a first argument is of a person's command line, not of cargo's call of a compiler.
pub(crate) fn is_ours(first: &OsString) -> bool {
    first == "heapcheck" || first == "help" || Typed::command().find_subcommand(first).is_some()
}

/// The whole command line. The exit codes are of all verbs.
fn command() -> clap::Command {
    Typed::command().mut_subcommands(|verb| match verb.get_after_help() {
        None => verb.after_help(ABOUT_CODES),
        Some(_) => verb,
    })
}

/// Our flags of one of cargo's verbs as they are typed, each with whether it takes a value.
fn own_flags(verb: &OsString) -> Vec<(String, bool)> {
    let all = Typed::command();
    let of_verb = all.find_subcommand(verb).map(clap::Command::get_arguments);
    let named = of_verb.into_iter().flatten().flat_map(|argument| {
        let takes_value = argument.get_action().takes_values();
        let long = argument.get_long().map(|name| format!("--{name}"));
        let short = argument.get_short().map(|name| format!("-{name}"));
        long.into_iter().chain(short).map(move |name| (name, takes_value))
    });
    named.chain([("--help".to_string(), false), ("-h".to_string(), false)]).collect()
}

/// Cargo's own `--config`, where it names a file.
const CARGO_CONFIG: &str = "--cargo-config";

/// Whether this is cargo's `--config KEY=VALUE`, not our `--config FILE`.
fn is_key_of_cargo(flag: &OsString, value: Option<&OsString>) -> bool {
    let text = flag.to_string_lossy();
    match (text.strip_prefix("--config"), value) {
        (Some(""), Some(value)) => value.as_encoded_bytes().contains(&b'='),
        (Some(joined), None) => joined.trim_start_matches('=').contains('='),
        _ => false,
    }
}

/// Sorts a line for cargo: our flags, `--`, and everything that is cargo's as it was typed.
fn ours_first(arguments: &[OsString]) -> Vec<OsString> {
    let own = own_flags(&arguments[1]);
    let (mut ours, mut theirs) = (arguments[..2].to_vec(), vec![OsString::from("--")]);
    let mut rest = arguments[2..].iter();
    while let Some(argument) = rest.next() {
        let name = argument.to_str().and_then(|text| text.split('=').next()).unwrap_or_default();
        let found = own.iter().find(|(flag, _)| flag == name);
        if argument == "--" {
            theirs.push(argument.clone());
            theirs.extend(rest.by_ref().cloned());
        } else if name == CARGO_CONFIG {
            let given =
                argument.to_str().and_then(|text| text.split_once('=')).map(|(_, value)| value.into());
            theirs.extend(
                [Some("--config".into()), given.or_else(|| rest.next().cloned())].into_iter().flatten(),
            );
        } else if let Some((_, takes_value)) = found {
            let value = rest.clone().next().filter(|_| *takes_value && argument == name);
            let side = if is_key_of_cargo(argument, value) { &mut theirs } else { &mut ours };
            side.push(argument.clone());
            if value.is_some() {
                side.extend(rest.next().cloned());
            }
        } else {
            theirs.push(argument.clone());
        }
    }
    ours.extend(theirs);
    ours
}

impl Typed {
    /// Reads the command line, which cargo gives with the name of the subcommand first. Help and what clap refuses end
    /// the process.
    pub(crate) fn read(arguments: &[OsString]) -> Self {
        let mut arguments = arguments.to_vec();
        if arguments.get(1).is_some_and(|first| first == "heapcheck") {
            arguments.remove(1);
        }
        let asks_us = ["--help", "-h", "--version", "-V"];
        let is_known = |first: &OsString| is_ours(first) || asks_us.iter().any(|word| first == word);
        if !arguments.get(1).is_some_and(is_known) {
            arguments.insert(1, "test".into());
        }
        if CARGO_VERBS.iter().any(|verb| arguments[1] == *verb) {
            arguments = ours_first(&arguments);
        }
        let matches = command().get_matches_from(arguments);
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Does it, and answers the exit code.
    pub(crate) fn act(self) -> Result<u8, Complaint> {
        match self.verb {
            Verb::Test(flags) => flags.testing("test")?.act(),
            Verb::Bench(flags) => flags.testing("bench")?.act(),
            Verb::Nextest(flags) => flags.testing("nextest")?.act(),
            Verb::Run(flags) => flags.testing("run")?.act(),
            Verb::ShowEnv { shell, flags } => shell.show(&flags.testing("test")?),
            Verb::Clean { manifest_path, target_dir } => {
                clean::act(manifest_path.as_ref(), target_dir.as_deref())
            }
            Verb::Completions { shell } => Ok(pages::complete(command(), shell)),
            Verb::Man { out } => pages::manual(command(), out.as_deref()),
            Verb::Exec { check, stacks, look, outputs, program } => {
                let (name, arguments) = (&program[0], program[1..].to_vec());
                let program = find_program(name)?;
                let home = Home::find(None)?;
                let flags = check.flags(stacks, false);
                let plan = Plan::make(flags, &home.root(), |name| std::env::var(name).ok())?;
                let runtime = runtime::find_or_write(&home.path)?;
                let outputs = outputs.on_github(|name| std::env::var_os(name));
                Exec { home, runtime, plan, asked: look.asked(), outputs, program, arguments }.act()
            }
            Verb::Accept { review, manifest_path } => {
                Acceptance { is_reviewed: review, manifest: manifest_path }.act()
            }
            Verb::Runtime { manifest_path } => {
                let home = Home::find(manifest_path.as_ref())?;
                println!("{}", runtime::find_or_write(&home.path)?.display());
                Ok(Ending::Clean.code())
            }
            Verb::Report(flags) => flags.act(),
        }
    }
}
