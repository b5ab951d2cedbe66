#![forbid(unsafe_code)]
//! Settings: where they come from, which source wins, what each does, and what is said about wrong ones.

use std::fs;

use heapcheck_tests::fixture::{Fixture, compile};

type Variables = &'static [(&'static str, &'static str)];

/// Each line: what the file says, what the environment says, the flags, and whether 2043 leaked bytes are then too many.
const PRECEDENCE: &[(&str, Variables, &str, bool)] = &[
    ("", &[], "", true),
    ("", &[], "--max-leaked-bytes 2043", false),
    ("", &[], "--max-leaked-bytes=2042", true),
    ("", &[("HEAPCHECK_MAX_LEAKED_BYTES", "2KiB")], "", false),
    ("profile.default.max-leaked-bytes = 2043", &[], "", false),
    ("profile.default.max-leaked-bytes = 2043", &[("HEAPCHECK_MAX_LEAKED_BYTES", "1")], "", true),
    ("profile.default.max-leaked-bytes = 2043", &[("HEAPCHECK_MAX_LEAKED_BYTES", "")], "", false),
    ("", &[("HEAPCHECK_MAX_LEAKED_BYTES", "1")], "--max-leaked-bytes 3KB", false),
    ("profile.default.max-leaked-bytes = 1\nprofile.ci.max-leaked-bytes = 2043", &[], "", true),
    (
        "profile.default.max-leaked-bytes = 1\nprofile.ci.max-leaked-bytes = 2043",
        &[],
        "--heapcheck-profile ci",
        false,
    ),
    (
        "profile.default.max-leaked-bytes = 1\nprofile.ci.max-leaked-bytes = 2043",
        &[("HEAPCHECK_PROFILE", "ci")],
        "",
        false,
    ),
    (
        "profile.default.max-leaked-bytes = 2043\nprofile.ci.mode = 'strict'",
        &[("HEAPCHECK_PROFILE", "ci")],
        "",
        false,
    ),
    (
        "[[profile.default.overrides]]\nbinary = 'leaks'\nmax-leaked-bytes = 2043\n[profile.default]\nmax-leaked-bytes = 1",
        &[],
        "",
        false,
    ),
    ("[[profile.default.overrides]]\nbinary = 'leak'\nmax-leaked-bytes = 2043", &[], "", true),
    ("[[profile.default.overrides]]\nbinary = 'l*s'\nmode = 'local'", &[], "", false),
    ("[[profile.default.overrides]]\nbinary = 'leaks'\nmode = 'local'", &[("HEAPCHECK", "normal")], "", true),
    ("", &[("HEAPCHECK", "local")], "", false),
    ("", &[("HEAPCHECK", "local")], "--mode normal", true),
    ("[[suppression]]\nfunction = 'lose'\nreason = 'x'", &[], "", false),
    ("profile.default.suppression-files = 'known'", &[], "", false),
    ("", &[("HEAPCHECK_SUPPRESSIONS", "known")], "", false),
    ("", &[("LSAN_OPTIONS", "suppressions=known")], "", false),
    ("", &[("LSAN_OPTIONS", "suppressions=known")], "--suppressions leaks.c.toml", false),
];

#[test]
fn stronger_sources_win() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "leaks.c", &[]);
    fs::create_dir(fixture.path().join(".config")).unwrap();
    fs::write(fixture.path().join("leaks.c.toml"), "").unwrap();
    for (file, variables, flags, leaks) in PRECEDENCE {
        fs::write(fixture.path().join(".config/heapcheck.toml"), file).unwrap();
        let mut command = fixture.command(&format!("exec {flags} -- ./leaks"));
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let wanted = if *leaks { 23 } else { 0 };
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(wanted), "{file}\n{variables:?} {flags}\n{told}");
    }
}

#[test]
fn settings_hold_for_the_tests_they_name() {
    let fixture = Fixture::new("settings");
    fixture.check("default", "test --lib -- --test-threads=1");
    fixture.check("profile", "test --lib --heapcheck-profile=ci -- --test-threads=1");
    fixture.check("report", "report");
    fixture.check("suppressed", "test --heapcheck-profile=impatient -- --test-threads=1 --include-ignored");
    fixture.check("suppressed_report", "report");
    fixture.check("partial", "test --lib --suppressions excused.toml disk");
    fixture.check("timeout_by_flag", "test --lib --timeout 5s hangs -- --include-ignored");
    fixture.check("of_cargo", "test --lib --config net.offline=true --cargo-config quiet.toml disk");
}

/// A test that leaks is run twice, unless the file says otherwise; both ways its stack is whole.
#[test]
fn a_test_can_be_kept_from_running_twice() {
    let fixture = Fixture::new("settings");
    let count = |config: &str| {
        fs::write(fixture.path().join(".config/heapcheck.toml"), config).unwrap();
        let marks = fixture.path().join("marks");
        let mut command = fixture.command("test --lib -- --exact tests::net::leaks");
        command.env("HEAPCHECK_TEST_MARKS", &marks);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(23));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("settings::tests::net::leaks "), "{told}");
        let runs = fs::read_to_string(&marks).unwrap().len();
        fs::remove_file(marks).unwrap();
        runs
    };
    assert_eq!(count(""), 2);
    assert_eq!(count("[[profile.default.overrides]]\ntest = '*::leaks'\nrerun = false"), 1);
    assert_eq!(count("profile.default.stacks = 'full'"), 1);
}

#[test]
fn wrong_settings_are_told_with_their_place() {
    let fixture = Fixture::new("settings");
    let mut bad: Vec<String> = fs::read_dir(fixture.path().join("bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_string())
        .filter(|name| name != "empty")
        .collect();
    bad.sort();
    assert!(bad.len() > 10);
    for name in bad {
        let step: &'static str = format!("bad_{}", name.trim_start_matches("bad_")).leak();
        fixture.check(step, &format!("exec --config bad/{name}.toml -- true"));
    }
    fixture.check("bad_profile", "exec --heapcheck-profile impatent -- true");
    fixture.check("bad_profile_of_few", "test --config bad/empty.toml --heapcheck-profile nightly");
    fixture.check("bad_config_missing", "test --config missing.toml");
    fixture.check("bad_size_flag", "test --max-leaked-bytes lots");
    fixture.check("bad_time_flag", "exec --timeout 5 -- true");
    fixture.check("bad_suppressions_flag", "test --suppressions missing.toml");
    for (step, name, value) in [
        ("bad_size_variable", "HEAPCHECK_MAX_LEAKED_BYTES", "lots"),
        ("bad_time_variable", "HEAPCHECK_TIMEOUT", "0s"),
        ("bad_switch_variable", "HEAPCHECK_NO_REBUILD", "perhaps"),
        ("bad_stacks_variable", "HEAPCHECK_STACKS", "shrt"),
        ("bad_config_variable", "HEAPCHECK_CONFIG", "missing.toml"),
    ] {
        let mut command = fixture.command("test");
        fixture.check_command(step, &format!("test   (with {name}={value})"), command.env(name, value));
    }
}

#[test]
fn what_leak_files_excuse_in_tests_is_counted() {
    let fixture = Fixture::new("baseline");
    fs::write(fixture.path().join("known.supp"), "leak:lose\n").unwrap();
    for isolation in ["", " --isolation=none"] {
        let line = format!("test --lib --suppressions known.supp{isolation}");
        let output = fixture.command(&line).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        let sum = "heapcheck: 3 tests checked: 3 clean; leaks of 2,005 bytes are excused, see `cargo heapcheck report`";
        assert!(stderr.contains(sum), "{stderr}");
        let report = fixture.command("report").output().unwrap();
        let told = String::from_utf8_lossy(&report.stdout);
        assert!(told.contains("`tests::goes` is clean; 1,004 bytes suppressed"), "{told}");
        assert!(told.contains("`tests::grows` is clean; 1,001 bytes suppressed"), "{told}");
    }
}
