#![forbid(unsafe_code)]
//! Scopes in one process: a storm of tests in parallel threads, and the attribute beside those of test frameworks.
//!
//! `HEAPCHECK_STORM_ROUNDS` says how often the storm is run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use heapcheck_rt::record;
use heapcheck_tests::fixture::{Fixture, runtime, scrubbed};

/// Builds the tests of a package, and answers the path of the binary; `None` when that needs a network that is not there.
fn build(fixture: &Fixture, needs_network: bool) -> Option<PathBuf> {
    let mut cargo = scrubbed(Path::new(env!("CARGO")), fixture.path());
    cargo.args(["test", "--no-run", "--message-format=json", "--target-dir", "target"]);
    let output = cargo.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let is_offline = ["failed to download", "failed to get", "Could not resolve", "failed to query"];
    if needs_network && !output.status.success() && is_offline.iter().any(|text| stderr.contains(text)) {
        println!("skipped: the crates of the registry can't be had: {stderr}");
        return None;
    }
    assert!(output.status.success(), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found = text.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    Some(found.next_back().expect("a test binary was built"))
}

/// Runs a test binary with or without the runtime, and answers which tests passed and which failed.
fn run(binary: &Path, arguments: &[&str], is_checked: bool) -> (BTreeSet<String>, BTreeSet<String>, String) {
    run_in(tempfile::tempdir().unwrap().path(), binary, arguments, is_checked.then_some("local"))
}

/// The same with a folder for the record, and the mode of the process.
fn run_in(
    folder: &Path,
    binary: &Path,
    arguments: &[&str],
    mode: Option<&str>,
) -> (BTreeSet<String>, BTreeSet<String>, String) {
    let mut command: Command = scrubbed(binary, folder);
    command.args(arguments).arg("--color=never");
    if let Some(mode) = mode {
        command.env("LD_PRELOAD", runtime()).env("HEAPCHECK", mode).env("HEAPCHECK_OUT", folder);
    }
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let ending = |word: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(word));
        lines.map(|name| name.trim_end_matches(" - should panic").to_string()).collect()
    };
    (ending(" ... ok"), ending(" ... FAILED"), text)
}

/// Expects exactly the tests to fail that say so by their names.
fn assert_verdicts(passed: &BTreeSet<String>, failed: &BTreeSet<String>, count: usize, text: &str) {
    assert_eq!(passed.len() + failed.len(), count, "{text}");
    let leaks = |name: &&String| name.contains("leaks");
    let wrong: Vec<_> =
        passed.iter().filter(leaks).chain(failed.iter().filter(|name| !leaks(name))).collect();
    assert!(wrong.is_empty(), "wrong verdicts: {wrong:?}\n{text}");
}

/// The names of the scopes that lost something, as the record of the process has them: by whichever of its checks.
fn scopes_that_leaked(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let record = record::read(&fs::read(path).unwrap()).unwrap();
        let leaks = record.checks.iter().flat_map(|check| &check.leaks).filter(|leak| !leak.suppressed);
        let scopes = leaks.filter_map(|leak| record.scope(leak.scope));
        names.extend(scopes.map(|scope| String::from_utf8_lossy(&scope.name).into_owned()));
    }
    names
}

/// Runs a test binary with the check at the end of the process; a test that passed but is told by that one has failed. How
/// many those are is the third answer.
fn run_to_exit(binary: &Path, arguments: &[&str]) -> (BTreeSet<String>, BTreeSet<String>, usize, String) {
    let folder = tempfile::tempdir().unwrap();
    let (mut passed, mut failed, text) = run_in(folder.path(), binary, arguments, Some("normal"));
    let at_exit = scopes_that_leaked(folder.path());
    let is_told_late = |name: &&String| at_exit.iter().any(|scope| scope.ends_with(name.as_str()));
    let told_late: Vec<String> = passed.iter().filter(is_told_late).cloned().collect();
    for name in &told_late {
        passed.remove(name);
        failed.insert(name.clone());
    }
    (passed, failed, told_late.len(), text)
}

/// While sixteen threads run, a gap in a frame of one may hold a stale word that hides what another has lost. The check at
/// the end of the process sees it then, with the scope that it belongs to: so no leak stays untold, and no clean test
/// is ever blamed. How many had to wait for the end is printed.
#[test]
fn two_hundred_tests_in_sixteen_threads_are_told_apart() {
    let fixture = Fixture::of_scopes("storm");
    let Some(binary) = build(&fixture, false) else { return };
    let rounds = std::env::var("HEAPCHECK_STORM_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let (mut verdicts, mut late) = (0, 0);
    for _ in 0..rounds {
        let (passed, failed, told_late, text) = run_to_exit(&binary, &["--test-threads=16"]);
        (verdicts, late) = (verdicts + passed.len() + failed.len(), late + told_late);
        assert_verdicts(&passed, &failed, 200, &text);
    }
    println!("{verdicts} verdicts, {late} of them by the check at the end");
    // A hole of this size would be another cause.
    assert!(late * 100 <= verdicts, "{late} of {verdicts} leaks were hidden while the threads ran");
    let (passed, failed, text) = run(&binary, &["--test-threads=16"], false);
    assert!(failed.is_empty() && passed.len() == 200, "without the runtime nothing is checked: {text}");
}

#[test]
fn the_attribute_gets_along_with_those_of_frameworks() {
    let fixture = Fixture::of_scopes("frameworks");
    let Some(binary) = build(&fixture, true) else { return };
    let (passed, failed, late, text) = run_to_exit(&binary, &[]);
    assert_verdicts(&passed, &failed, 50, &text);
    println!("50 verdicts, {late} of them by the check at the end");
    assert!(late <= 2, "{late} leaks were hidden while the threads ran");
    let (passed, failed, text) = run(&binary, &[], false);
    assert!(failed.is_empty() && passed.len() >= 45, "without the runtime nothing is checked: {text}");
    let (passed, failed, _) = run(&binary, &["--ignored"], true);
    assert_eq!((passed.len(), failed.len()), (0, 1));
}
