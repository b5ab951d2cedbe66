#![forbid(unsafe_code)]
//! The faces that cargo calls as `RUSTC_WRAPPER` and `RUSTDOC`: they add flags, and become the compiler. Only where
//! rustdoc runs doctests do they stay, and listen.
//!
//! A wrapper is the only way that keeps whatever flags the person has set: every variable and key of cargo's replaces
//! some other one. Later `-C` flags win over earlier ones, so these also win over profiles.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::complaint::Complaint;
use crate::doctests;
use crate::handover::Handover;
use crate::linked;
use crate::rustcline::Line;

/// What every crate of the program is compiled with. A change of it needs a new build folder.
pub(crate) const FLAGS: &[&str] =
    &["-Cforce-frame-pointers=yes", "-Csymbol-mangling-version=v0", "-Cstrip=none"];
/// Added where there is no debug information, or none with names.
pub(crate) const DEBUG_INFO: &str = "-Cdebuginfo=1";

/// Becomes rustc, or the wrapper that the person has, or rustdoc.
pub(crate) fn act(arguments: &[OsString]) -> Result<u8, Complaint> {
    let handover = Handover::receive()?;
    let is_rustdoc = arguments[0].as_encoded_bytes().starts_with(b"-");
    let mut line: Vec<OsString> = Vec::new();
    if is_rustdoc {
        line.push(handover.chain.rustdoc.as_deref().unwrap_or("rustdoc").into());
    } else {
        line.extend(handover.chain.wrapper.as_ref().map(OsString::from));
    }
    line.extend_from_slice(arguments);
    // Without a rebuild only rustdoc comes here, because of what it says.
    if !handover.plan.general().keeps_build {
        line.extend(added(arguments, is_rustdoc).into_iter().map(OsString::from));
        line.extend(linked::added(&handover, arguments, is_rustdoc)?);
    }
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]);
    if is_rustdoc && (Line { arguments }).has("--test") {
        return doctests::run(command, &handover);
    }
    let error = command.exec();
    Err(Complaint::no_verdict(format!("cannot run `{}`: {error}", line[0].display())))
}

/// The flags to add to this call.
fn added(arguments: &[OsString], is_rustdoc: bool) -> Vec<&'static str> {
    let line = Line { arguments };
    let has = |wanted: &str| line.has(wanted);
    let is_question = has("-vV")
        || has("-V")
        || has("--version")
        || has("--print")
        || line.has_pair("--crate-name", "___")
        || arguments.iter().any(|argument| argument.as_encoded_bytes().starts_with(b"--print="));
    if is_question
        || line.has_pair("--crate-type", "proc-macro")
        || line.is_build_script()
        || (is_rustdoc && !has("--test"))
    {
        return Vec::new();
    }
    let mut flags = FLAGS.to_vec();
    if !has_debug_info(arguments) {
        flags.push(DEBUG_INFO);
    }
    flags
}

/// Whether the last word on debug information is at least names and lines.
fn has_debug_info(arguments: &[OsString]) -> bool {
    let mut has = false;
    let mut is_value = false;
    for argument in arguments {
        let text = argument.to_string_lossy();
        let option = if is_value { Some(text.as_ref()) } else { text.strip_prefix("-C") };
        if let Some(level) = option.and_then(|option| option.strip_prefix("debuginfo=")) {
            has = matches!(level, "1" | "2" | "limited" | "full");
        }
        has |= text == "-g";
        is_value = argument == OsStr::new("-C") || argument == OsStr::new("--codegen");
    }
    has
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_added_where_code_of_the_program_is_compiled() {
        let check = |line: &str, is_rustdoc: bool, expected: &[&str]| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(added(&arguments, is_rustdoc), expected, "{line}");
        };
        let all = [FLAGS, &[DEBUG_INFO]].concat();
        check("rustc --crate-name a a.rs", false, &all);
        check("rustc --crate-name a a.rs -C debuginfo=2", false, FLAGS);
        check("rustc a.rs -Cdebuginfo=2 -C debuginfo=0", false, &all);
        check("rustc a.rs -C debuginfo=line-tables-only", false, &all);
        check("rustc a.rs -g", false, FLAGS);
        check("rustc -vV", false, &[]);
        check("rustc - --crate-name ___ --print=file-names", false, &[]);
        check("rustc --crate-name m --crate-type proc-macro m.rs", false, &[]);
        check("rustc --crate-name build_script_build build.rs", false, &[]);
        check("--crate-name a --test a.rs", true, &all);
        check("--crate-name a a.rs", true, &[]);
    }
}
