#![forbid(unsafe_code)]
//! What was typed, and what it means.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use heapcheck_rt::options::{Mode, Stacks};

use crate::complaint::Complaint;
use crate::ending::{ABOUT_CODES, Ending};
use crate::exec::Exec;
use crate::home::Home;
use crate::injection::Injection;
use crate::report::{Format, Retelling};
use crate::runtime;

/// `cargo test` that also fails on leaks, and explains them.
#[derive(Parser, Debug)]
#[command(name = "cargo-heapcheck", bin_name = "cargo heapcheck", version, after_help = ABOUT_CODES)]
pub(crate) struct Typed {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Run a program, Rust or not, and tell what it leaked
    Exec {
        #[command(flatten)]
        check: CheckFlags,
        /// How much of each stack is recorded
        #[arg(long, value_parser = PossibleValuesParser::new(Stacks::NAMES), default_value = "full")]
        stacks: String,
        /// Check the programs that it starts, too
        #[arg(long)]
        follow_children: bool,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
        program: Vec<OsString>,
    },
    /// Build the runtime if need be, and print its path
    Runtime {
        /// The package below whose target folder it lies
        #[arg(long, value_name = "PATH")]
        manifest_path: Option<OsString>,
    },
    /// Tell again what the last run found, or what one record says
    Report {
        /// One record file
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
        /// How it is written
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
        /// The package whose last run is meant
        #[arg(long, value_name = "PATH")]
        manifest_path: Option<OsString>,
    },
}

/// What is checked.
#[derive(Args, Debug)]
struct CheckFlags {
    /// Which leaks count, and when they are looked for [default: $HEAPCHECK, else normal]
    #[arg(long, value_parser = PossibleValuesParser::new(Mode::NAMES))]
    mode: Option<String>,
    /// A file of `leak:` lines; may be given more than once
    #[arg(long, value_name = "FILE")]
    suppressions: Vec<PathBuf>,
}

impl CheckFlags {
    fn mode(&self) -> Result<String, Complaint> {
        match &self.mode {
            Some(mode) => Ok(mode.clone()),
            None => mode_of_environment(),
        }
    }
}

/// The mode that `HEAPCHECK` names.
fn mode_of_environment() -> Result<String, Complaint> {
    let Some(mode) = std::env::var_os("HEAPCHECK").filter(|mode| !mode.is_empty()) else {
        return Ok(Mode::Normal.name().to_string());
    };
    let mode = mode.to_string_lossy().into_owned();
    if Mode::NAMES.contains(&mode.as_str()) {
        return Ok(mode);
    }
    Err(Complaint::usage(format!("HEAPCHECK names an unknown mode, `{mode}`"))
        .hint(format!("the modes are {}", Mode::NAMES.join(", "))))
}

impl Typed {
    /// Reads the command line, which cargo gives with the name of the subcommand first. Help and what clap refuses end
    /// the process.
    pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Self, Complaint> {
        let mut arguments: Vec<OsString> = arguments.collect();
        if arguments.get(1).is_some_and(|first| first == "heapcheck") {
            arguments.remove(1);
        }
        Ok(Self::parse_from(arguments))
    }

    /// Does it, and answers the exit code.
    pub(crate) fn act(self) -> Result<u8, Complaint> {
        match self.verb {
            Verb::Exec { check, stacks, follow_children, program } => {
                let mode = check.mode()?;
                let home = Home::find(None)?;
                let stacks =
                    Stacks::ALL.into_iter().find(|each| each.name() == stacks).unwrap_or(Stacks::Full);
                let children = if follow_children { "all" } else { "none" }.into();
                let runtime = runtime::find_or_build(&home)?;
                let injection =
                    Injection { runtime, mode, stacks, children, suppressions: check.suppressions };
                Exec { home, injection, program }.act()
            }
            Verb::Runtime { manifest_path } => {
                let home = Home::find(manifest_path.as_ref())?;
                println!("{}", runtime::find_or_build(&home)?.display());
                Ok(Ending::Clean.code())
            }
            Verb::Report { record, format, manifest_path } => {
                Retelling { record, manifest: manifest_path, format }.act()
            }
        }
    }
}
