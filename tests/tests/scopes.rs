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
    build_as(fixture, &[], needs_network)
}

/// The same with options of cargo.
fn build_as(fixture: &Fixture, options: &[&str], needs_network: bool) -> Option<PathBuf> {
    let mut cargo = scrubbed(Path::new(env!("CARGO")), fixture.path());
    cargo.args(["test", "--no-run", "--message-format=json", "--target-dir", "target"]).args(options);
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
    run_in(tempfile::tempdir().unwrap().path(), binary, arguments, is_checked.then_some(("local", "full")))
}

/// The same with a folder for the record, the mode of the process and the depth of its stacks.
fn run_in(
    folder: &Path,
    binary: &Path,
    arguments: &[&str],
    checked: Option<(&str, &str)>,
) -> (BTreeSet<String>, BTreeSet<String>, String) {
    let mut command: Command = scrubbed(binary, folder);
    command.args(arguments).arg("--color=never");
    if let Some((mode, stacks)) = checked {
        command.env("LD_PRELOAD", runtime()).env("HEAPCHECK", mode).env("HEAPCHECK_OUT", folder);
        command.env("HEAPCHECK_STACKS", stacks);
    }
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let ending = |word: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(word));
        lines.map(|name| name.trim_end_matches(" - should panic").trim_end().to_string()).collect()
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

/// Runs a test binary with the check at the end of the process, and expects that one to tell nothing new: what a test has
/// lost, its own check has seen.
fn run_to_exit(
    binary: &Path,
    arguments: &[&str],
    stacks: &str,
) -> (BTreeSet<String>, BTreeSet<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let (passed, failed, text) = run_in(folder.path(), binary, arguments, Some(("normal", stacks)));
    let at_exit = scopes_that_leaked(folder.path());
    let is_told_late = |name: &&String| at_exit.iter().any(|scope| scope.ends_with(name.as_str()));
    let told_late: Vec<&String> = passed.iter().filter(is_told_late).collect();
    assert!(told_late.is_empty(), "told by the check at the end only: {told_late:?}\n{text}");
    (passed, failed, text)
}

/// While sixteen threads run, no check may take a word on the stack of another thread for a pointer to what was just lost.
#[test]
fn two_hundred_tests_in_sixteen_threads_are_told_apart() {
    let fixture = Fixture::of_scopes("storm");
    let Some(binary) = build(&fixture, false) else { return };
    let rounds = std::env::var("HEAPCHECK_STORM_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let stacks = ["short", "full"][round % 2];
        let (passed, failed, text) = run_to_exit(&binary, &["--test-threads=16"], stacks);
        assert_verdicts(&passed, &failed, 200, &text);
    }
    println!("{} verdicts", 200 * rounds);
    let (passed, failed, text) = run(&binary, &["--test-threads=16"], false);
    assert!(failed.is_empty() && passed.len() == 200, "without the runtime nothing is checked: {text}");
}

#[test]
fn the_attribute_gets_along_with_those_of_frameworks() {
    let fixture = Fixture::of_scopes("frameworks");
    let Some(binary) = build(&fixture, true) else { return };
    let (passed, failed, text) = run_to_exit(&binary, &[], "full");
    assert_verdicts(&passed, &failed, 61, &text);
    let (passed, failed, text) = run(&binary, &[], false);
    assert!(failed.is_empty() && passed.len() >= 54, "without the runtime nothing is checked: {text}");
    let (passed, failed, _) = run(&binary, &["--ignored"], true);
    assert_eq!((passed.len(), failed.len()), (0, 1));
}

/// What lost something and has not returned may still hold it: that is counted, and told when somebody asks for it.
#[test]
fn a_check_in_the_middle_of_things_is_never_silent() {
    let fixture = Fixture::of_scopes("frames");
    for options in [&[][..], &["--release"]] {
        let Some(binary) = build_as(&fixture, options, false) else { return };
        for round in 0..8 {
            let threads = ["--test-threads=1", "--test-threads=4"][round % 2];
            let (passed, failed, text) = run(&binary, &[threads], true);
            assert!(failed.is_empty() && passed.len() == 14, "{options:?}: {text}");
        }
        let note = "heapcheck: scope `scope`: only local variables hold 54 bytes in 3 blocks, or what is left of such that are gone\n\
                    heapcheck: hint: `check_without_locals` counts that as lost; ";
        let (_, _, text) = run(
            &binary,
            &["--nocapture", "--exact", "tests::what_lives_in_a_local_variable_is_counted_and_no_leak"],
            true,
        );
        assert!(text.contains(note), "{text}");
        let (_, _, text) = run(
            &binary,
            &["--nocapture", "--exact", "tests::a_block_of_code_runs_in_a_frame_of_its_own"],
            true,
        );
        assert!(!text.contains("only local variables"), "{text}");
        // What a check has only counted is told when the frame is gone.
        let folder = tempfile::tempdir().unwrap();
        let (_, _, text) = run_in(folder.path(), &binary, &["forgotten"], Some(("normal", "full")));
        assert!(text.contains("heapcheck: leaked 202 bytes in 2 blocks (mode normal)"), "{text}");
    }
}

/// Such a harness runs many trials on a thread, so only what the trials say tells them apart.
#[test]
fn trials_of_another_harness_are_told_apart_by_attribute_and_scope() {
    let fixture = Fixture::of_scopes("trials");
    let Some(binary) = build(&fixture, true) else { return };
    for arguments in [&[][..], &["--test-threads=1"]] {
        let (passed, failed, text) = run_to_exit(&binary, arguments, "full");
        assert_verdicts(&passed, &failed, 4, &text);
    }
    let (passed, failed, text) = run(&binary, &[], false);
    assert!(failed.is_empty() && passed.len() == 4, "without the runtime nothing is checked: {text}");
}
