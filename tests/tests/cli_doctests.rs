#![forbid(unsafe_code)]
//! Doctests of both kinds, merged and each for itself: leaks, failures, and what should panic.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use heapcheck_tests::fixture::Fixture;

const FAILS_AND_LEAKS: &str =
    "/// ```\n/// doctests::leak(5003);\n/// panic!(\"by accident\");\n/// ```\npub fn goes_wrong() {}\n";
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

    // A letter a doctest names only those that failed, and says as much of what is only compiled.
    let quietly = [
        ("test --doc -q -- clean only_compiled", 0, "1 test checked: 1 clean"),
        (
            "test --doc -- --format=terse --skip leak --skip fails --skip not_compile",
            0,
            "2 tests checked: 2 clean",
        ),
        (
            "test -q --doc -- --skip fails --skip not_compile --skip panics_",
            23,
            "3 tests checked: 2 clean, 1 leaked",
        ),
        ("test --doc -- -q --skip not_compile", 101, "5 tests checked: 2 clean, 2 leaked, 1 failed"),
        ("test --doc -q -- only_compiled", 0, "no test ran"),
    ];
    for (line, code, summary) in quietly {
        let (seen, text) = run(line);
        assert_eq!(seen, Some(code), "{edition} {line}: {text}");
        assert!(
            text.contains(&format!("heapcheck: {summary}\n")),
            "{edition} {line}: no `{summary}` in\n{text}"
        );
        assert!(!text.contains("... ok"), "{edition} {line}: {text}");
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

/// The fixture, which passes but for leaks and failures that the arguments leave out.
fn run(fixture: &Fixture, prepare: impl FnOnce(&mut Command)) -> (Option<i32>, String) {
    let mut command = fixture.command("test --doc -- clean only_compiled panics --skip leaks");
    prepare(&mut command);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn executable(path: &Path, script: &str) {
    fs::write(path, script).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn one_that_leaks_and_fails_counts_once() {
    let fixture = Fixture::new("doctests");
    let path = fixture.path().join("src/lib.rs");
    fs::write(&path, fs::read_to_string(&path).unwrap() + FAILS_AND_LEAKS).unwrap();
    let (code, text) = run(&fixture, |command| {
        command.arg("goes_wrong");
    });
    assert!(code == Some(101) && text.contains("checked: 2 clean, 1 failed\n"), "{code:?} {text}");
}

#[test]
fn in_a_member_of_a_workspace_they_have_the_same_names() {
    let fixture = Fixture::new("doctests");
    let member = fixture.path().join("member");
    fs::create_dir(&member).unwrap();
    for name in ["src", "Cargo.toml"] {
        fs::rename(fixture.path().join(name), member.join(name)).unwrap();
    }
    let manifest = fs::read_to_string(member.join("Cargo.toml")).unwrap();
    fs::write(member.join("Cargo.toml"), manifest.replace("[workspace]", "")).unwrap();
    fs::write(fixture.path().join("Cargo.toml"), "[workspace]\nmembers = ['member']\nresolver = '2'\n")
        .unwrap();
    let mut command = fixture.command("test --doc -- leaks clean fails --skip panics");
    let output = command.current_dir(member.join("src")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("3 tests checked: 1 clean, 1 leaked, 1 failed\n"), "{said}");
    assert!(said.contains("    leaked: member/src/lib.rs - leaks (line 13)\n"), "{said}");
    // Paths begin at the root, as those of rustc do.
    assert!(said.contains("> doctests::leak  member/src/lib.rs:5\n"), "{said}");
}

#[test]
fn results_as_json_are_understood() {
    let fixture = Fixture::new("doctests");
    let json = |more: &[&str]| {
        run(&fixture, |command| {
            command.env("RUSTC_BOOTSTRAP", "1").args(["-Zunstable-options", "--format=json"]).args(more);
        })
    };
    let (code, text) = json(&["--skip", "not_compile"]);
    assert!(code == Some(0) && text.contains("heapcheck: 2 tests checked: 2 clean\n"), "{code:?} {text}");
    let (code, text) = json(&["fails", "not_compile"]);
    assert!(code == Some(101) && text.contains("checked: 2 clean, 2 failed\n"), "{code:?} {text}");
}

#[test]
fn the_rustdoc_that_is_configured_runs_them() {
    let fixture = Fixture::new("doctests");
    let script = "#!/bin/sh\necho called >>\"${0%/*}/log\"\nexec rustdoc \"$@\"\n";
    executable(&fixture.path().join("own-rustdoc"), script);
    fs::create_dir(fixture.path().join(".cargo")).unwrap();
    fs::write(fixture.path().join(".cargo/config.toml"), "build.rustdoc = './own-rustdoc'\n").unwrap();
    let calls = || fs::read_to_string(fixture.path().join("log")).unwrap_or_default().lines().count();
    let (code, text) = run(&fixture, |_| {});
    assert!(code == Some(0) && text.contains("2 tests checked: 2 clean\n"), "{code:?} {text}");
    let of_configuration = calls();
    assert!(of_configuration > 0, "{text}");
    fs::write(fixture.path().join(".cargo/config.toml"), "").unwrap();
    let (code, text) = run(&fixture, |command| {
        command.env("CARGO_BUILD_RUSTDOC", "./own-rustdoc");
    });
    assert!(code == Some(0) && calls() > of_configuration, "{code:?} {text}");
}

#[test]
fn without_a_rebuild_they_are_counted_as_well() {
    let (code, text) = run(&Fixture::new("doctests"), |command| {
        command.env("HEAPCHECK_NO_REBUILD", "1");
    });
    assert!(code == Some(0) && text.contains("heapcheck: 2 tests checked: 2 clean\n"), "{code:?} {text}");
}

#[test]
fn a_cargo_that_starts_doctests_by_itself_leaves_them_without_a_verdict() {
    let fixture = Fixture::new("doctests");
    let script = "#!/bin/sh\nleft=$#\nwhile [ $left -gt 0 ]; do\n\
        if [ \"$1\" = --config ]; then shift 2; left=$((left - 2))\n\
        else set -- \"$@\" \"$1\"; shift; left=$((left - 1)); fi\ndone\nexec cargo \"$@\"\n";
    let cargo = fixture.path().join("old-cargo");
    executable(&cargo, script);
    let old = |more: &[&str]| {
        run(&fixture, |command| {
            command.env("CARGO", &cargo).args(more);
        })
    };
    let why = "this cargo does not start doctests through heapcheck; cargo 1.89 does";
    let (code, text) = old(&[]);
    assert!(code == Some(70) && text.contains("checked: 0 clean, 2 without a verdict\n"), "{code:?} {text}");
    assert!(text.contains(&format!("    no verdict: src/lib.rs - clean (line 8): {why}\n")), "{text}");
    let (code, text) = old(&["--quiet"]);
    assert!(code == Some(70) && text.contains("checked: 0 clean, 1 without a verdict\n"), "{code:?} {text}");
    assert!(text.contains(&format!("    no verdict: doctest: {why}\n")), "{text}");
    let (code, text) = old(&["--skip", "clean", "--skip", "panics"]);
    assert!(code == Some(0) && text.contains("heapcheck: no test ran\n"), "{code:?} {text}");
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
