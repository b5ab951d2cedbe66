#![forbid(unsafe_code)]
//! The flags of cargo and of libtest, on both sides of `--`, in all their spellings: what each does, and what is said of one
//! that is wrong.

use std::process::Command;

use heapcheck_tests::fixture::Fixture;

struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(fixture: &Fixture, line: &str) -> Seen {
    let output = fixture.command(line).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Seen { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

impl Seen {
    /// The tests that ran, by the lines of libtest's pretty format.
    fn ran(&self) -> Vec<&str> {
        let lines = self.stdout.lines().filter_map(|line| line.strip_prefix("test "));
        let mut names: Vec<&str> = lines
            .filter(|line| line.contains(" ... ") && !line.ends_with("ignored"))
            .map(|line| line.split([' ', '\t']).next().unwrap_or_default())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn filters_choose_as_in_libtest() {
    let fixture = Fixture::new("kinds");
    let check = |line: &str, expected: &[&str]| {
        let seen = run(&fixture, &format!("test --lib {line}"));
        let expected: Vec<String> = expected.iter().map(|name| format!("tests::{name}")).collect();
        assert_eq!(seen.ran(), expected, "{line}: {}{}", seen.stdout, seen.stderr);
    };
    check("clean", &["clean"]);
    check("-- clean returns", &["clean", "returns_a_result"]);
    check("clean -- returns", &["clean", "returns_a_result"]);
    check("-- --exact tests::clean tests::leak", &["clean"]);
    check("-- leaks --skip thread --skip=panics", &["leaks"]);
    check("-- leaks --ignored", &["ignored_and_leaks"]);
    check("-- and_leaks --include-ignored", &["ignored_and_leaks", "panics_and_leaks"]);
    check("-- --exact tests::ignored_and_leaks", &[]);
    check("clean -- --test", &["clean"]);
}

#[test]
fn output_is_as_asked_for() {
    let fixture = Fixture::new("kinds");
    let check = |line: &str, code: i32, parts: &[&str], missing: &[&str]| {
        let seen = run(&fixture, &format!("test --lib {line}"));
        let Seen { stdout, stderr, .. } = &seen;
        assert_eq!(seen.code, Some(code), "{line}: {stdout}{stderr}");
        for part in parts {
            assert!(stdout.contains(part), "{line}: no `{part}` in\n{stdout}");
        }
        for part in missing {
            assert!(!stdout.contains(part), "{line}: `{part}` in\n{stdout}");
        }
    };
    let pretty = ["\nrunning 1 test\ntest tests::clean ... ok\n\ntest result: ok. 1 passed; 0 failed;"];
    check("clean", 0, &pretty, &[]);
    check("clean -- --format pretty", 0, &pretty, &[]);
    check("clean -- --format=pretty --color never --test-threads=4", 0, &pretty, &[]);
    check("clean -- --color=always", 0, &["tests::clean ... \u{1b}["], &[]);
    let terse = ["\nrunning 1 test\n.\ntest result: ok. 1 passed;"];
    check("clean -- --format terse", 0, &terse, &["tests::clean"]);
    check("clean -- -q", 0, &terse, &["tests::clean"]);
    check("-q clean", 0, &terse, &["tests::clean"]);
    check("speaks", 0, &["1 passed"], &["spoken"]);
    check("speaks -- --show-output", 0, &["---- tests::speaks stdout ----\nspoken"], &[]);
    check("speaks -- --nocapture", 0, &["spoken"], &["----"]);
    check("speaks -- --no-capture --test-threads 1", 0, &["spoken"], &["----"]);
    // Only heapcheck has it on a stable toolchain.
    let json = run(&fixture, "test --lib -- --format json leaks --skip panics --skip thread --skip ignored");
    let lines: Vec<serde_json::Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().find(|line| line["event"] == "failed" && line["type"] == "test");
    let failed = failed.unwrap_or_else(|| panic!("{}", json.stdout));
    assert_eq!(failed["name"], "tests::leaks");
    assert!(failed["stdout"].as_str().unwrap().contains("leaked 1,001 bytes"), "{failed}");
    let log = fixture.path().join("log");
    let chosen = "-- --exact tests::clean tests::fails tests::ignored_and_leaks --test-threads=1";
    check(&format!("{chosen} --logfile {}", log.display()), 101, &["clean             ... ok"], &[]);
    let said = std::fs::read_to_string(log).unwrap();
    assert_eq!(said, "ignored tests::ignored_and_leaks\nok tests::clean\nfailed tests::fails\n");
}

#[test]
fn a_flag_that_cannot_be_obeyed_is_told() {
    let fixture = Fixture::new("kinds");
    for (step, flags) in [
        ("shuffle", "--shuffle-seed 3 --shuffle"),
        ("report_time", "--report-time"),
        ("ensure_time", "--ensure-time"),
        ("fail_fast", "--fail-fast"),
        ("harness_junit", "--format junit"),
        ("harness_format", "--format xml"),
        ("harness_color", "--color sometimes"),
        ("no_threads", "--test-threads 0"),
        ("unknown_harness_flag", "--frobnicate"),
    ] {
        fixture.check(step, &format!("test -q --lib tests::clean -- {flags}"));
    }
    fixture.check("two_folders", "test --lib --target-dir a --target-dir=b");
    fixture.check("no_test_fits", "test --lib no_such_test");
}

#[test]
fn a_line_that_runs_nothing_leaves_the_last_run() {
    let fixture = Fixture::new("kinds");
    // Nothing was run before: then nothing is there afterwards.
    assert_eq!(run(&fixture, "test --frobnicate").code, Some(2));
    let seen = run(&fixture, "report");
    assert!(seen.code == Some(2) && seen.stderr.contains("there is no run below"), "{}", seen.stderr);
    assert_eq!(run(&fixture, "test --lib -- --exact tests::leaks").code, Some(23));
    let last = fixture.path().join("target/heapcheck/last");
    let before = last.canonicalize().unwrap();
    let mut lines = vec![
        "test --frobnicate",
        "test --lib -- --frobnicate",
        "bench --frobnicate",
        "run --frobnicate",
        "test --lib --mode gentle",
        "test --lib --target no-such-machine --frobnicate",
        "exec -- ./Cargo.toml",
    ];
    let nextest = Command::new("cargo").args(["nextest", "--version"]).output();
    match nextest.is_ok_and(|output| output.status.success()) {
        true => lines.push("nextest run --frobnicate"),
        false => eprintln!("skipped: cargo-nextest is not installed"),
    }
    let built = ["test --lib --no-run", "test --lib -- --list"].map(|line| (line, 0));
    for (line, code) in lines.into_iter().map(|line| (line, 2)).chain(built) {
        let seen = run(&fixture, line);
        assert_eq!(seen.code, Some(code), "{line}: {}", seen.stderr);
        assert_eq!(last.canonicalize().unwrap(), before, "{line}");
        let report = run(&fixture, "report");
        assert!(
            report.code == Some(23) && report.stdout.contains("tests::leaks"),
            "{line}: {}",
            report.stdout
        );
    }
    assert_eq!(before.parent().unwrap().read_dir().unwrap().count(), 1);
}

#[test]
fn flags_of_cargo_have_two_spellings_and_any_order() {
    let fixture = Fixture::new("kinds");
    for line in [
        "test --lib --target-dir elsewhere tests::clean --mode strict",
        "--mode=strict --target-dir=elsewhere --lib tests::clean",
        "test tests::clean --lib --manifest-path Cargo.toml --stacks full --target-dir elsewhere",
        "test -j1 --lib -p kinds --manifest-path=Cargo.toml --target-dir=elsewhere --no-fail-fast tests::clean",
    ] {
        let seen = run(&fixture, line);
        assert_eq!(seen.code, Some(0), "{line}: {}", seen.stderr);
        assert!(seen.stderr.contains("heapcheck: 1 test checked: 1 clean"), "{line}: {}", seen.stderr);
    }
    assert!(fixture.path().join("elsewhere/heapcheck/last").exists());
    assert!(!fixture.path().join("target").exists());
    // Two profiles of cargo have two folders in ours.
    let seen = run(&fixture, "test --release --lib tests::leaks --target-dir elsewhere -- --exact");
    assert_eq!(seen.code, Some(23), "{}", seen.stderr);
    let build = std::fs::read_dir(fixture.path().join("elsewhere/heapcheck")).unwrap();
    let mut build = build.map(|entry| entry.unwrap().path());
    let build = build.find(|path| path.join("CACHEDIR.TAG").exists()).unwrap();
    assert!(build.join("debug").is_dir() && build.join("release").is_dir());
}

#[test]
fn children_are_followed_where_that_is_asked_for() {
    let fixture = Fixture::new("kinds");
    let line = "test --test integration -- runs_the_program";
    let plain = run(&fixture, line);
    assert_eq!(plain.code, Some(0), "{}{}", plain.stdout, plain.stderr);
    for (line, variable) in
        [("--follow-children test --test integration -- runs_the_program", ""), (line, "all")]
    {
        let line = line.replace("--follow-children test", "test --follow-children");
        let output = fixture.command(&line).env("HEAPCHECK_CHILDREN", variable).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(23), "{stdout}");
        assert!(stdout.contains("`runs_the_program` leaked 1,005 bytes in 1 block"), "{stdout}");
        assert!(stdout.contains("kinds::main  src/main.rs:3"), "{stdout}");
    }
}
