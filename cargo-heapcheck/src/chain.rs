#![forbid(unsafe_code)]
//! Finds the wrapper of rustc and the runner of programs that the person has set, because ours take their places.
//!
//! Cargo itself is asked for its configuration: nobody else reads all of it (`include`, `--config`). The question is
//! unstable, and is allowed by `RUSTC_BOOTSTRAP` for this one call; without an answer there is none to chain to. Keys
//! of the form `target.'cfg(..)'` are not looked at.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::handover::Chain;

/// The feature of targets that makes programs static.
const STATIC: &str = "crt-static";

/// Finds both, for a build for `target` with these arguments of cargo.
pub(crate) fn find(arguments: &[&OsString], target: &str) -> Chain {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let config = ask_cargo(arguments);
    let configured =
        || config["build"]["rustc-wrapper"].as_str().filter(|path| !path.is_empty()).map(str::to_string);
    let runner = match variable(&runner_variable(target)) {
        Some(words) => words.split_whitespace().map(str::to_string).collect(),
        None => words(&config["target"][target]["runner"]),
    };
    // An empty variable is how a person turns the configured wrapper off.
    let wrapper = match std::env::var("RUSTC_WRAPPER").or_else(|_| std::env::var("CARGO_BUILD_RUSTC_WRAPPER"))
    {
        Ok(wrapper) => Some(wrapper).filter(|wrapper| !wrapper.is_empty()),
        Err(_) => configured(),
    };
    let flags = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"]
        .map(|name| variable(name).unwrap_or_default());
    let may_be_static = flags.concat().contains(STATIC) || config.to_string().contains(STATIC);
    Chain { wrapper, runner, may_be_static }
}

/// The variable by which cargo is told of a runner.
pub(crate) fn runner_variable(target: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", target.to_uppercase().replace(['-', '.'], "_"))
}

fn ask_cargo(arguments: &[&OsString]) -> Value {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.env("RUSTC_BOOTSTRAP", "1").args(["-Zunstable-options", "config", "get", "--format", "json"]);
    let mut rest = arguments.iter().take_while(|argument| **argument != "--");
    while let Some(argument) = rest.next() {
        if *argument == "--config" {
            command.arg(argument).args(rest.next());
        } else if argument.as_encoded_bytes().starts_with(b"--config=") {
            command.arg(argument);
        }
    }
    let output = command.stdin(Stdio::null()).output().map(|output| output.stdout).unwrap_or_default();
    serde_json::from_slice(&output).unwrap_or_default()
}

/// A runner is a list, or one string of words.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(words) => words.split_whitespace().map(str::to_string).collect(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_string).collect(),
        _ => Vec::new(),
    }
}
