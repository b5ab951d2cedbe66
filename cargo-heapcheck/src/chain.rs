#![forbid(unsafe_code)]
//! Finds the wrapper of rustc, the rustdoc and the runners of programs that the person has set, because ours take their places.
//!
//! As for cargo, a runner of the target wins over one of `target.'cfg(..)'`, of which only one may fit. What `--cfg` in
//! somebody's flags adds to the target is not known here.

use std::collections::BTreeMap;
use std::process::Command;

use cargo_platform::{Cfg, CfgExpr};

use crate::cargoconfig::{CargoConfig, Entry, resolved};
use crate::compiler::Compiler;
use crate::complaint::Complaint;
use crate::handover::Chain;

/// The feature of targets that makes programs static.
const STATIC: &str = "crt-static";

/// Finds them, for a build for these targets.
pub(crate) fn find(
    config: &CargoConfig,
    compiler: &Compiler,
    targets: &[String],
) -> Result<Chain, Complaint> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut runners = BTreeMap::new();
    for target in targets {
        runners.insert(target.clone(), runner(config, compiler, target)?);
    }
    // An empty variable is how a person turns the configured wrapper off.
    let configured = config.get(&["build", "rustc-wrapper"]);
    let named = std::env::var("RUSTC_WRAPPER").or_else(|_| std::env::var("CARGO_BUILD_RUSTC_WRAPPER"));
    let wrapper = match named {
        Ok(wrapper) => Some(resolved(&wrapper, None)),
        Err(_) => configured.and_then(|entry| Some(entry.program(entry.value.as_str()?))),
    };
    let configured = config.get(&["build", "rustdoc"]);
    let rustdoc = match (variable("RUSTDOC"), variable("CARGO_BUILD_RUSTDOC")) {
        (Some(rustdoc), _) => Some(rustdoc),
        (None, Some(rustdoc)) => Some(resolved(&rustdoc, None)),
        (None, None) => configured.and_then(|entry| Some(entry.program(entry.value.as_str()?))),
    };
    let flags = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"]
        .map(|name| variable(name).unwrap_or_default());
    let may_be_static = flags.concat().contains(STATIC) || config.mentions(STATIC);
    let wrapper = wrapper.filter(|path| !path.is_empty());
    Ok(Chain { wrapper, rustdoc, runners, may_be_static })
}

/// The runner of a target; no words where there is none.
fn runner(config: &CargoConfig, compiler: &Compiler, target: &str) -> Result<Vec<String>, Complaint> {
    let configured = config.get(&["target", target, "runner"]);
    let named = std::env::var(runner_variable(target)).ok().filter(|words| !words.trim().is_empty());
    match (configured, named) {
        (Some(entry), _) if entry.is_typed() => return Ok(entry.command()),
        (_, Some(words)) => {
            let mut words: Vec<String> = words.split_whitespace().map(str::to_string).collect();
            words[0] = resolved(&words[0], None);
            return Ok(words);
        }
        (Some(entry), None) => return Ok(entry.command()),
        (None, None) => {}
    }
    let all: Vec<(&str, &Entry)> = config.of_cfgs("runner").collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let facts = facts_of(compiler, target)?;
    let mut fitting = all.into_iter().filter(|(cfg, _)| CfgExpr::matches_key(cfg, &facts));
    match (fitting.next(), fitting.next()) {
        (Some((first, one)), Some((second, other))) => Err(Complaint::usage(format!(
            "two runners fit the target {target}, and cargo takes none of them: `target.'{first}'.runner` in {} and \
             `target.'{second}'.runner` in {}",
            one.origin, other.origin
        ))
        .hint(format!("say `target.{target}.runner` instead"))),
        (Some((_, entry)), None) => Ok(entry.command()),
        (None, _) => Ok(Vec::new()),
    }
}

/// What the compiler says of a target (`rustc --print=cfg`).
fn facts_of(compiler: &Compiler, target: &str) -> Result<Vec<Cfg>, Complaint> {
    let rustc = &compiler.rustc;
    let output = Command::new(rustc).args(["--print=cfg", "--target", target]).output();
    let failed = |why: &str| {
        Complaint::no_verdict(format!("cannot ask `{}` about the target {target}: {why}", rustc.display()))
    };
    let output = output.map_err(|error| failed(&error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim()));
    }
    // What cannot be read as a fact fits no key.
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect())
}

/// The variable by which cargo is told of a runner.
pub(crate) fn runner_variable(target: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", target.to_uppercase().replace(['-', '.'], "_"))
}
