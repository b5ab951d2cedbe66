#![forbid(unsafe_code)]
//! Doctests of both kinds, merged and each for itself: leaks, failures, and what should panic.

use std::fs;

use heapcheck_tests::fixture::Fixture;

fn check(edition: &str) {
    let fixture = Fixture::new("doctests");
    let manifest = fixture.path().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"2021\"", &format!("\"{edition}\""))).unwrap();
    let run = |filter: &str| {
        let output = fixture.command(&format!("test --doc -- {filter}")).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let has = |filter: &str, code: i32, parts: &[&str]| {
        let (seen, text) = run(filter);
        assert_eq!(seen, Some(code), "{edition} {filter}: {text}");
        for part in parts {
            assert!(text.contains(part), "{edition} {filter}: no `{part}` in\n{text}");
        }
    };
    has("clean only_compiled", 0, &["heapcheck: 1 test checked: 1 clean"]);
    has("--skip leak --skip fails --skip not_compile", 0, &["heapcheck: 2 tests checked: 2 clean"]);
    has("::leaks --skip panics", 0, &["no test ran"]);
    has("leaks --skip panics", 23, &["leaks (line 13) ... FAILED", "leaked 5,001 bytes"]);
    // Rustdoc is content with any failure there, but nobody else has to be.
    has("panics_and_leaks", 23, &["... ok", "1 leaked"]);
    let report = fixture.command("report").output().unwrap();
    assert!(String::from_utf8_lossy(&report.stdout).contains("leaked 5,002 bytes"));
    has("fails clean", 101, &["1 clean, 1 failed"]);
    has("not_compile", 101, &["1 failed"]);
    // A failure is more than a leak.
    has("leaks fails --skip panics", 101, &["leaked 5,001 bytes", "1 leaked, 1 failed"]);
    has("leaks not_compile --skip panics", 101, &["leaked 5,001 bytes", "1 leaked, 1 failed"]);
}

#[test]
fn each_for_itself_as_in_edition_2021() {
    check("2021");
}

#[test]
fn merged_as_in_edition_2024() {
    check("2024");
}
