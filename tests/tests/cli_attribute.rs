#![forbid(unsafe_code)]
//! `#[heapcheck]` as a person meets it: what fails, why, and how that is told in each front end.

use std::process::Command;

use heapcheck_tests::fixture::Fixture;

#[test]
fn a_test_fails_by_its_leaks_and_limits_and_says_why() {
    let fixture = Fixture::new("attribute");
    fixture.check("all", "test --lib -- --test-threads=1");
    fixture.check("ignored", "test --lib -- --ignored");
    fixture.check("report", "report");
    plain(&fixture, &[], true);
    plain(&fixture, &[("HEAPCHECK_REQUIRE", "1")], false);
}

/// Without the runtime the tests pass that pass without the attribute, or fail and say what to run.
fn plain(fixture: &Fixture, variables: &[(&str, &str)], passes: bool) {
    let mut command = heapcheck_tests::fixture::scrubbed(std::path::Path::new(env!("CARGO")), fixture.path());
    command.args(["test", "-q", "--lib", "--target-dir", "target/plain", "--"]);
    command.args(["--skip", "fails_by_itself", "--skip", "forgets_to_panic"]);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), passes, "{text}");
    if !passes {
        assert!(
            text.contains("heapcheck: `tests::clean` is not checked: the runtime is not in this process"),
            "{text}"
        );
        assert!(text.contains("hint: run `cargo heapcheck` instead of `cargo test`"), "{text}");
        assert!(text.contains("test result: FAILED. 0 passed;"), "should_panic must not pass either: {text}");
    }
}

#[test]
fn under_nextest_the_same_tests_fail() {
    if !Command::new("cargo")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        println!("skipped: cargo-nextest is not installed");
        return;
    }
    let fixture = Fixture::new("attribute");
    let mut command = fixture.command("nextest run --no-fail-fast --lib");
    command.args(["-E", "test(clean) | test(=tests::leaks) | test(grows) | test(panics)"]);
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(23), "{text}");
    for (test, passes) in [
        ("clean", true),
        ("panics", true),
        ("leaks", false),
        ("panics_and_leaks", false),
        ("grows", false),
        ("grows_by_doubling", false),
    ] {
        let word = if passes { "PASS" } else { "FAIL" };
        let found = text
            .lines()
            .any(|line| line.trim_start().starts_with(word) && line.ends_with(&format!(" tests::{test}")));
        assert!(found, "{test} has to {word}:\n{text}");
    }
    assert!(text.contains("heapcheck: `tests::leaks` leaked 1,001 bytes in 1 block"), "{text}");
}

#[test]
fn every_edition_has_it_also_without_std_and_under_another_name() {
    let fixture = Fixture::new("editions");
    for isolation in ["", "--isolation=none"] {
        let output = fixture.command(&format!("test --no-fail-fast --lib {isolation}")).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
        assert_eq!(output.status.code(), Some(23), "{text}");
        for edition in ["2,018", "2,021", "2,024"] {
            let told = format!("heapcheck: `tests::leaks` leaked {edition} bytes in 1 block");
            assert!(text.contains(&told), "{isolation}: no `{told}` in\n{text}");
        }
        assert_eq!(text.matches("test tests::clean ... ok").count(), 3, "{isolation}: {text}");
        assert_eq!(text.matches("test tests::leaks ... FAILED").count(), 3, "{isolation}: {text}");
    }
}
