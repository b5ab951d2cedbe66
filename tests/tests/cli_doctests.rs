#![forbid(unsafe_code)]
//! Doctests of both kinds, merged and each for itself: leaks, failures, and what should panic.

use std::fs;

use heapcheck_tests::fixture::Fixture;

const BROKEN: &str = "/// ```\n/// doctests::no_such_function();\n/// ```\n";

/// The fixture in an edition. Only where all doctests compile they are merged.
fn check(edition: &str, has_broken: bool) {
    let fixture = Fixture::new("doctests");
    let replace = |path: &str, from: &str, to: &str| {
        let path = fixture.path().join(path);
        fs::write(&path, fs::read_to_string(&path).unwrap().replace(from, to)).unwrap();
    };
    replace("Cargo.toml", "\"2021\"", &format!("\"{edition}\""));
    if !has_broken {
        replace("src/lib.rs", BROKEN, "");
    }
    let run = |line: &str| {
        let output = fixture.command(line).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let has = |filter: &str, code: i32, parts: &[&str]| {
        let (seen, text) = run(&format!("test --doc -- {filter}"));
        assert_eq!(seen, Some(code), "{edition} {filter}: {text}");
        for part in parts {
            assert!(text.contains(part), "{edition} {filter}: no `{part}` in\n{text}");
        }
        assert!(!text.contains("`rust_out`"), "{text}");
        if text.contains("the stack of the allocation") {
            let is_merged = text.contains("doctest_bundle_2024::");
            assert_eq!(is_merged, edition == "2024" && !has_broken, "{text}");
        }
    };
    has("clean only_compiled", 0, &["heapcheck: 1 test checked: 1 clean"]);
    has("--skip leak --skip fails --skip not_compile", 0, &["heapcheck: 2 tests checked: 2 clean"]);
    has("::leaks --skip panics", 0, &["no test ran"]);
    let named = [
        "leaks (line 13) ... FAILED",
        "heapcheck: `src/lib.rs - leaks (line 13)` leaked 5,001 bytes in 1 block",
        "heapcheck: 1 test checked: 0 clean, 1 leaked",
        "    leaked: src/lib.rs - leaks (line 13)\n",
    ];
    has("leaks --skip panics", 23, &named);
    // Rustdoc is content with any failure there, but nobody else has to be.
    has("panics_and_leaks", 23, &["... ok", "1 test checked: 0 clean, 1 leaked"]);
    let (_, report) = run("report");
    assert!(report.contains("`src/lib.rs - panics_and_leaks (line 23)` leaked 5,002 bytes"), "{report}");
    assert!(report.contains("doctests::leak  src/lib.rs:5"), "{report}");
    has("fails clean", 101, &["1 clean, 1 failed"]);
    // A failure is more than a leak.
    has("leaks fails --skip panics", 101, &["leaked 5,001 bytes", "1 leaked, 1 failed"]);
    if has_broken {
        has("not_compile", 101, &["1 failed"]);
        has("leaks not_compile --skip panics", 101, &["leaked 5,001 bytes", "1 leaked, 1 failed"]);
    }

    // What is set and excused for tests is for doctests, too.
    fs::create_dir(fixture.path().join(".config")).unwrap();
    let settings = |text: &str| fs::write(fixture.path().join(".config/heapcheck.toml"), text).unwrap();
    settings("[[suppression]]\ntest = '* - leaks *'\nfunction = 'doctests::leak'\nreason = 'known'\n");
    has("leaks --skip panics", 0, &["1 clean; leaks of 5,001 bytes are excused"]);
    has("panics_and_leaks", 23, &["1 leaked"]);
    settings("[[profile.default.overrides]]\ntest = '*leaks (line 13)'\ncheck = false\n");
    has("leaks --skip panics", 0, &["0 tests checked: 0 clean; 1 test not checked, as configured"]);
    settings("");
    has("leaks --skip panics", 23, &named);
    let (code, text) = run("accept");
    assert_eq!(code, Some(0), "{text}");
    has("leaks --skip panics", 0, &["1 clean; leaks of 5,001 bytes are excused"]);
    // Only with its name an entry is told from that of another doctest.
    has("leaks", 23, &["1 clean, 1 leaked"]);
}

#[test]
fn each_for_itself_as_in_edition_2021() {
    check("2021", true);
}

#[test]
fn merged_as_in_edition_2024() {
    check("2024", false);
}

#[test]
fn each_for_itself_in_edition_2024_where_one_does_not_compile() {
    check("2024", true);
}
