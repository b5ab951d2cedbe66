#![forbid(unsafe_code)]
//! The entry of every face of the tool: the subcommand that a person types, and the wrapper and the
//! runner that cargo calls.

mod ending;
mod complaint;
mod figures;
mod look;
mod config;
mod home;
mod runtime;
mod binary;
mod part;
mod memory;
mod run;
mod injection;
mod code;
mod cpp;
mod types;
mod symbols;
mod plumbing;
mod verdict;
mod shape;
mod why;
mod excused;
mod explain;
mod excuse;
mod json;
mod human;
mod profile;
mod sinks;
mod formats;
mod outputs;
mod child;
mod interrupt;
mod progress;
mod printed;
mod tally;
mod ledger;
mod report;
mod exec;
mod leftovers;
mod accept;
mod doctestnames;
mod handover;
mod rustcline;
mod linked;
mod usher;
mod doctests;
mod wrapper;
mod libtest;
mod live;
mod trial;
mod together;
mod runner;
mod cargoconfig;
mod compiler;
mod chain;
mod cargo;
mod shells;
mod clean;
mod pages;
mod typed;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::binary::own;
use crate::complaint::Complaint;
use crate::handover::Handover;
use crate::usher::Left;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match face(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(complaint) => {
            eprint!("{complaint}");
            ExitCode::from(complaint.ending.code())
        }
    }
}

/// Finds out who calls, and does what they want.
fn face(arguments: &[OsString]) -> Result<u8, Complaint> {
    if let Some(left) = arguments.get(1).and_then(Left::read) {
        return runner::act(&arguments[2..], Some(left));
    }
    match arguments.get(1) {
        _ if Handover::merged_doctest().is_some() => runner::act_on_merged(&arguments[1..]),
        Some(first) if first == runner::FACE => runner::act(&arguments[2..], None),
        Some(first) if Handover::is_sent() && !typed::is_ours(first) => wrapper::act(&arguments[1..]),
        // After `show-env` a person types into an environment that is cargo's.
        _ if Handover::is_sent() => {
            let mut command = Command::new(own()?);
            Handover::hide_from(command.args(&arguments[1..]));
            Err(Complaint::no_verdict(format!("cannot run the tool itself: {}", command.exec())))
        }
        _ => typed::Typed::read(arguments).act(),
    }
}
