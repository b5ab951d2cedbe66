#![forbid(unsafe_code)]
//! Every kind of target that cargo runs tests of: in each the clean test is clean, and the leak is told.

use heapcheck_tests::fixture::Fixture;

/// Runs tests, and compares which leaked, and how many were clean.
fn check(fixture: &Fixture, line: &str, rustflags: &str, leaks: &[(&str, &str)], clean: usize) {
    let output = fixture.command(line).env("RUSTFLAGS", rustflags).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(23), "{line}: {stdout}{stderr}");
    for (name, bytes) in leaks {
        let told = format!("`{name}` leaked {bytes} bytes in 1 block");
        assert!((stdout.clone() + &stderr).contains(&told), "{line}: no `{told}` in\n{stdout}{stderr}");
    }
    let mut told: Vec<&str> = stderr.lines().filter_map(|line| line.strip_prefix("    leaked: ")).collect();
    let mut names: Vec<&str> = leaks.iter().map(|(name, _)| *name).collect();
    told.sort();
    names.sort();
    assert_eq!(told, names, "{line}");
    let sum =
        format!("heapcheck: {} tests checked: {clean} clean, {} leaked\n", clean + leaks.len(), leaks.len());
    assert!(stderr.contains(&sum), "{line}: no `{sum}` in {stderr}");
}

const LEAKS: &[(&str, &str)] = &[
    ("leaks_in_lib", "7,001"),
    ("leaks_in_bin", "7,002"),
    ("leaks_in_integration", "7,003"),
    ("leaks_in_example", "7,004"),
    ("leaks_in_bench", "7,005"),
    ("own_main", "7,006"),
    ("leaks_in_macro", "7,008"),
];

#[test]
fn libraries_programs_examples_benchmarks_macros_and_harnesses() {
    let fixture = Fixture::new("targets");
    let line = "test --workspace --exclude shared --all-targets --no-fail-fast";
    check(&fixture, line, "", &[LEAKS, &[("leaks_in_mimic", "7,007")]].concat(), 7);
    // Of a harness that is not libtest nobody knows which thread runs which test.
    let together = format!("{line} --isolation=none");
    check(&fixture, &together, "", &[LEAKS, &[("mimic", "7,007")]].concat(), 6);
}

#[test]
fn a_harness_that_fails_by_itself_tells_its_leaks_besides() {
    let fixture = Fixture::new("targets");
    let mut command = fixture.command("test --test mimic --isolation=none");
    let output = command.env("FAILS", "as asked").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{stderr}");
    for line in
        ["7,007 bytes", "heapcheck: `mimic` failed", "heapcheck: 1 program checked: 0 clean, 1 failed"]
    {
        assert!(stderr.contains(line), "no `{line}` in {stderr}");
    }
    let report = fixture.command("report --format json").output().unwrap();
    assert_eq!(report.status.code(), Some(101));
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["programs"][0]["outcome"], "failed", "{report:#}");
    assert_eq!(report["leaks"][0]["bytes"], 7007, "{report:#}");
}

#[test]
fn dynamic_libraries_and_a_dynamic_std() {
    let fixture = Fixture::new("targets");
    let leaks = [("leaks_in_dylib", "7,009"), ("leaks_through_dylib", "7,010")];
    check(&fixture, "test -p shared --all-targets --no-fail-fast", "-Cprefer-dynamic", &leaks, 2);
}
