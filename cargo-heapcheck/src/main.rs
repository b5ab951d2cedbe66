#![forbid(unsafe_code)]
//! The entry of every face of the tool: the subcommand that a person types.

mod complaint;
mod ending;
mod home;
mod runtime;
mod run;
mod injection;
mod symbols;
mod plumbing;
mod explain;
mod verdict;
mod json;
mod human;
mod exec;
mod report;
mod typed;

use std::process::ExitCode;

fn main() -> ExitCode {
    let ending = typed::Typed::read(std::env::args_os()).and_then(typed::Typed::act);
    match ending {
        Ok(code) => ExitCode::from(code),
        Err(complaint) => {
            eprint!("{complaint}");
            ExitCode::from(complaint.ending.code())
        }
    }
}
