#![forbid(unsafe_code)]
//! The baseline: what is accepted passes, what is new or has grown fails, what is gone is told.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use heapcheck_tests::fixture::{Fixture, scrubbed, tool};

const BASELINE: &str = ".config/heapcheck-baseline.toml";
const TEST: &str = "test --lib -- --test-threads=1";

fn check_in(fixture: &Fixture, world: &str, step: &str, line: &str) {
    let mut command = fixture.command(line);
    fixture.check_command(step, &format!("{line}   (where leaks are {world})"), command.env("WORLD", world));
}

fn exit_code(fixture: &Fixture, world: &str, line: &str) -> Option<i32> {
    fixture.command(line).env("WORLD", world).output().unwrap().status.code()
}

fn tests_in(baseline: &str) -> Vec<&str> {
    baseline.lines().filter_map(|line| line.strip_prefix("test = ")).collect()
}

#[test]
fn only_new_and_grown_leaks_fail() {
    let fixture = Fixture::new("baseline");
    let read = || fs::read_to_string(fixture.path().join(BASELINE)).unwrap();
    check_in(&fixture, "old", "before", TEST);
    fixture.check("accept", "accept");
    let first = read();
    check_in(&fixture, "old", "accepted", TEST);
    fixture.check("accept_again", "accept");
    assert_eq!(read(), first, "nothing has changed");
    let report = fixture.command("report --format json").output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["outcome"], &report["leaks"]), (&"clean".into(), &serde_json::json!([])));
    assert_eq!(report["excused"][0]["excuse"]["by"], "baseline");

    check_in(&fixture, "grown", "grown", TEST);
    check_in(&fixture, "new", "new", TEST);
    check_in(&fixture, "fixed", "fixed", TEST);
    fixture.check("accept_fixed", "accept");
    assert_eq!(tests_in(&read()), ["\"tests::grows\""]);
    assert_eq!(
        exit_code(&fixture, "old", TEST),
        Some(23),
        "a leak that was dropped is new when it comes back"
    );
}

#[test]
fn what_was_not_run_stays_accepted() {
    let fixture = Fixture::new("baseline");
    let read = || fs::read_to_string(fixture.path().join(BASELINE)).unwrap();
    assert_eq!(exit_code(&fixture, "new", TEST), Some(23));
    assert_eq!(exit_code(&fixture, "new", "accept"), Some(0));
    assert_eq!(tests_in(&read()), ["\"tests::comes\"", "\"tests::goes\"", "\"tests::grows\""]);
    assert_eq!(exit_code(&fixture, "grown", "test --lib tests::grows"), Some(23));
    fixture.check("accept_a_part", "accept");
    assert_eq!(tests_in(&read()), ["\"tests::comes\"", "\"tests::goes\"", "\"tests::grows\""]);
    assert!(read().contains("bytes = 2003\nblocks = 2\n"));

    // Lines move and a test is deleted; only a whole run knows the latter.
    let path = fixture.path().join("src/lib.rs");
    let source = fs::read_to_string(&path).unwrap();
    let (before, after) = source.split_once("    #[test]\n    fn comes()").unwrap();
    let kept = after.split_once("    #[test]\n    fn goes()").unwrap().1;
    fs::write(&path, format!("\n// A line more.\n{before}    #[test]\n    fn goes(){kept}")).unwrap();
    assert_eq!(exit_code(&fixture, "grown", "test --lib tests::g"), Some(0));
    assert_eq!(exit_code(&fixture, "grown", "accept"), Some(0));
    assert_eq!(tests_in(&read()).len(), 3);
    assert_eq!(exit_code(&fixture, "grown", "test"), Some(0));
    assert_eq!(exit_code(&fixture, "grown", "accept"), Some(0));
    assert_eq!(tests_in(&read()), ["\"tests::goes\"", "\"tests::grows\""]);
}

#[test]
fn suppressions_that_nothing_needs_are_told_after_whole_runs() {
    let fixture = Fixture::new("baseline");
    fs::create_dir(fixture.path().join(".config")).unwrap();
    let text = "[[suppression]]\nfunction = 'lose'\nreason = 'x'\n[[suppression]]\nfunction = 'gone'\nreason = 'y'\n";
    fs::write(fixture.path().join(".config/heapcheck.toml"), text).unwrap();
    let told = |line: &str| {
        let output = fixture.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let stderr = String::from_utf8(output.stderr).unwrap();
        stderr
            .lines()
            .filter(|line| line.starts_with("warning: the sup"))
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    let unused = ["warning: the suppression at .config/heapcheck.toml:4 matched nothing and can be removed"];
    assert_eq!(told("test"), unused);
    assert_eq!(told("test -q --no-fail-fast -- --test-threads 1 --nocapture"), unused);
    for part in ["test --lib", "test tests::grows", "test -- --skip goes", "test -p baseline", "test --doc"] {
        assert_eq!(told(part), [""; 0], "{part}");
    }
}

#[test]
fn a_review_asks_for_each_change() {
    let fixture = Fixture::new("baseline");
    fixture.check("no_run", "accept");
    assert_eq!(exit_code(&fixture, "old", TEST), Some(23));
    fixture.check("no_terminal", "accept --review");
    assert!(!fixture.path().join(BASELINE).exists());
    if !Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no `script` to make a terminal with");
        return;
    }
    let review = |answers: &str| {
        let line = format!("{} heapcheck accept --review", tool().display());
        let mut command = scrubbed(Path::new("script"), fixture.path());
        command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = review("what\nn\ny\n");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("new: 1,004 bytes in 1 block of `tests::goes`; accept? [y/n]"), "{told}");
    assert!(told.contains("src/lib.rs:6") && told.contains("1 new, 0 changed, 0 removed"), "{told}");
    let baseline = fs::read_to_string(fixture.path().join(BASELINE)).unwrap();
    assert_eq!(tests_in(&baseline), ["\"tests::grows\""]);
}
