#![forbid(unsafe_code)]
//! Real nextest: each leak fails its own test, in partitions, archives, retries and JUnit. Without nextest the tests say
//! that they were skipped.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use heapcheck_tests::fixture::{Fixture, runtime, scrubbed, tool};

/// The fixture, where nextest is installed.
fn fixture() -> Option<Fixture> {
    let output = Command::new("cargo").args(["nextest", "--version"]).output();
    if output.is_ok_and(|output| output.status.success()) {
        return Some(Fixture::new("nextest"));
    }
    eprintln!("skipped: cargo-nextest is not installed");
    None
}

struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Seen {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// How nextest says that each test ended, the last word on it, without its times.
    fn endings(&self) -> Vec<String> {
        let mut endings: Vec<String> = Vec::new();
        for line in self.stderr.lines() {
            if let Some((words, name)) = line.split_once(") shelf")
                && let Some(word) = words.split('[').next().map(str::trim)
                && words.contains('[')
            {
                let name = format!("shelf{name}");
                endings.retain(|ending| !ending.starts_with(&format!("{name} ")));
                endings.push(format!("{name} {word}"));
            }
        }
        endings.sort();
        endings
    }
}

fn run(fixture: &Fixture, line: &str) -> Seen {
    Seen::of(fixture.command(line).output().unwrap())
}

#[test]
fn each_leak_fails_its_own_test() {
    let Some(fixture) = fixture() else { return };
    let seen = run(&fixture, "nextest run --no-fail-fast");
    assert_eq!(seen.code, Some(23), "{}", seen.stderr);
    assert_eq!(
        seen.endings(),
        [
            "shelf tests::clean PASS",
            "shelf tests::leaks FAIL",
            "shelf tests::leaks_at_first FAIL",
            "shelf::outside clean_outside PASS",
            "shelf::outside leaks_outside FAIL",
        ]
    );
    for bytes in ["2,001", "2,002", "2,004"] {
        assert!(seen.stderr.contains(&format!("leaked {bytes} bytes in 1 block")), "{}", seen.stderr);
    }
    assert!(seen.stderr.contains("heapcheck: 5 tests checked: 2 clean, 3 leaked"), "{}", seen.stderr);

    let ignored = run(&fixture, "nextest run --run-ignored only");
    assert_eq!(ignored.endings(), ["shelf tests::ignored_and_leaks FAIL"], "{}", ignored.stderr);
    assert!(ignored.stderr.contains("leaked 2,003 bytes"), "{}", ignored.stderr);
    let chosen = run(&fixture, "nextest run -E test(clean)");
    assert_eq!((chosen.code, chosen.endings().len()), (Some(0), 2), "{}", chosen.stderr);
    let none = run(&fixture, "nextest run no_such_test");
    assert_ne!(none.code, Some(0), "{}", none.stderr);
}

#[test]
fn without_nextest_the_way_to_it_is_told() {
    let fixture = Fixture::new("nextest");
    // A cargo that finds nothing but what it brings along.
    let mut command = fixture.command("nextest run");
    let bin = std::path::PathBuf::from(env!("CARGO"));
    command.env("PATH", bin.parent().unwrap()).env("CARGO_HOME", fixture.path().join("nobody"));
    let seen = Seen::of(command.output().unwrap());
    assert_eq!(seen.code, Some(101), "{}", seen.stderr);
    assert!(seen.stderr.contains("hint: `cargo install --locked cargo-nextest`"), "{}", seen.stderr);
}

#[test]
fn a_test_that_ends_its_process_is_never_green() {
    if fixture().is_none() {
        return;
    }
    let fixture = Fixture::new("outcomes");
    let seen = run(&fixture, "nextest run --no-fail-fast");
    assert_eq!(seen.code, Some(101), "{}", seen.stderr);
    assert!(seen.stderr.contains("heapcheck: 7 tests checked: 1 clean, 6 failed"), "{}", seen.stderr);
    assert!(seen.stderr.contains("7 tests run: 1 passed, 6 failed"), "{}", seen.stderr);
    let last = fixture.path().join("target/heapcheck/last");
    assert!(last.join("errand").exists(), "an usher stood in front of these tests");
    // What is set for a single test needs the tool in front of each.
    fs::create_dir(fixture.path().join(".config")).unwrap();
    let settings = "[[profile.default.overrides]]\ntest = 'passes'\ncheck = false\n";
    fs::write(fixture.path().join(".config/heapcheck.toml"), settings).unwrap();
    let seen = run(&fixture, "nextest run --no-fail-fast");
    assert_eq!(seen.code, Some(101), "{}", seen.stderr);
    assert!(seen.stderr.contains("7 tests run: 1 passed, 6 failed"), "{}", seen.stderr);
    assert!(!last.join("errand").exists());
}

#[test]
fn lists_are_nextests_own() {
    let Some(fixture) = fixture() else { return };
    let ours = run(&fixture, "nextest list");
    let mut plain = scrubbed(Path::new("cargo"), fixture.path());
    let plain = Seen::of(plain.args(["nextest", "list"]).output().unwrap());
    assert_eq!((ours.code, &ours.stdout), (Some(0), &plain.stdout), "{}", ours.stderr);
    assert!(ours.stdout.contains("tests::leaks") && !ours.stderr.contains("no test ran"), "{}", ours.stderr);
}

#[test]
fn a_harness_that_is_asked_for_its_tests_is_no_test() {
    let Some(fixture) = fixture() else { return };
    let manifest = fixture.path().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text + "\n[[test]]\nname = 'own'\nharness = false\n").unwrap();
    let main = "fn main() {\n    let list = std::env::args().any(|word| word == \"--list\");\n\
        if list && !std::env::args().any(|word| word == \"--ignored\") {\n        println!(\"whole: test\");\n    }\n}\n";
    fs::write(fixture.path().join("tests/own.rs"), main).unwrap();
    let seen = run(&fixture, "nextest run --test own");
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(seen.stderr.contains("checked: 1 clean\n"), "{}", seen.stderr);
    let seen = run(&fixture, "nextest list --test own");
    assert!(seen.code == Some(0) && !seen.stderr.contains("heapcheck: "), "{}", seen.stderr);
}

#[test]
fn partitions_share_the_leaks_out() {
    let Some(fixture) = fixture() else { return };
    let parts = ["1/2", "2/2"]
        .map(|part| run(&fixture, &format!("nextest run --no-fail-fast --partition count:{part}")).endings());
    assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}");
    let mut all = parts.concat();
    all.sort();
    assert_eq!(all.len(), 5, "{all:?}");
    assert_eq!(all.iter().filter(|ending| ending.ends_with("FAIL")).count(), 3, "{all:?}");
}

#[test]
fn the_last_try_counts_and_junit_has_the_report() {
    let Some(fixture) = fixture() else { return };
    let seen = run(&fixture, "nextest run --profile ci");
    assert_eq!(seen.code, Some(23), "{}", seen.stderr);
    assert!(seen.stderr.contains("3 passed (1 flaky), 2 failed"), "{}", seen.stderr);
    assert!(seen.stderr.contains("heapcheck: 5 tests checked: 3 clean, 2 leaked"), "{}", seen.stderr);
    let junit: Vec<_> = ["target", "target/heapcheck"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(fixture.path().join(folder)).into_iter().flatten().flatten())
        .map(|entry| entry.path().join("nextest/ci/junit.xml"))
        .chain([fixture.path().join("target/nextest/ci/junit.xml")])
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect();
    let [junit] = junit.as_slice() else { panic!("{} JUnit files", junit.len()) };
    for (test, bytes) in [("tests::leaks", "2,001"), ("leaks_outside", "2,004")] {
        let case = junit.split("<testcase ").find(|case| case.starts_with(&format!("name=\"{test}\"")));
        let case = case.unwrap_or_else(|| panic!("{junit}"));
        assert!(case.contains("<failure") && case.contains(&format!("leaked {bytes} bytes")), "{case}");
    }
    let report = run(&fixture, "report");
    assert_eq!(report.stdout.matches("`tests::leaks` leaked").count(), 1, "{}", report.stdout);
    assert!(report.stdout.contains("`tests::leaks_at_first` is clean"), "{}", report.stdout);
    // A test that only leaks when it is tried first is flaky, and passes as it does for nextest.
    let flaky = run(&fixture, "nextest run --profile ci leaks_at_first");
    assert_eq!(flaky.code, Some(0), "{}", flaky.stderr);
    assert!(flaky.stderr.contains("FLAKY"), "{}", flaky.stderr);
}

#[test]
fn an_archive_runs_in_another_checkout() {
    let Some(fixture) = fixture() else { return };
    let archived = run(&fixture, "nextest archive --archive-file shelf.tar.zst");
    assert_eq!(archived.code, Some(0), "{}", archived.stderr);
    let elsewhere = Fixture::new("nextest");
    fs::copy(fixture.path().join("shelf.tar.zst"), elsewhere.path().join("shelf.tar.zst")).unwrap();
    let mut command = scrubbed(tool(), elsewhere.path());
    command.env("HEAPCHECK_RT", runtime());
    command.args(["heapcheck", "nextest", "run", "--no-fail-fast", "--archive-file", "shelf.tar.zst"]);
    let seen = Seen::of(command.args(["--workspace-remap", "."]).output().unwrap());
    assert_eq!(seen.code, Some(23), "{}", seen.stderr);
    let failed: Vec<_> = seen.endings().into_iter().filter(|ending| ending.ends_with("FAIL")).collect();
    assert_eq!(failed.len(), 3, "{}", seen.stderr);
    assert!(seen.stderr.contains("src/lib.rs:5"), "the source is found there: {}", seen.stderr);
}

#[test]
fn without_capture_a_test_speaks_once() {
    let Some(fixture) = fixture() else { return };
    let seen = run(&fixture, "nextest run --no-capture clean");
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(seen.stdout.matches("clean speaks").count(), 1, "{}", seen.stdout);
}

#[test]
fn a_test_that_nextest_kills_is_told_as_one_that_failed() {
    if fixture().is_none() {
        return;
    }
    let fixture = Fixture::new("slow");
    fs::create_dir_all(fixture.path().join(".config")).unwrap();
    // Nobody has to see the test that waits for it.
    fs::write(fixture.path().join("seen"), "").unwrap();
    let limit =
        "[profile.default]\nslow-timeout = { period = \"4s\", terminate-after = 2, grace-period = \"1s\" }\n";
    fs::write(fixture.path().join(".config/nextest.toml"), limit).unwrap();
    let seen = run(&fixture, "nextest run --no-fail-fast --run-ignored all");
    assert_eq!(seen.code, Some(101), "{}", seen.stderr);
    let sum = "heapcheck: 3 tests checked: 1 clean, 1 leaked, 1 failed";
    assert!(seen.stderr.contains(sum), "{}", seen.stderr);
    let report = run(&fixture, "report --format json");
    assert!(report.stdout.contains("c_takes_for_ever"), "{}", report.stdout);
    assert!(report.stdout.contains("killed together with its runner"), "{}", report.stdout);
}
