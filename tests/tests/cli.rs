#![forbid(unsafe_code)]
//! The tool as a person meets it: every kind of test, any program, bad input.

use std::fs;

use heapcheck_tests::fixture::{Fixture, compile, scrubbed, tool};

#[test]
fn every_kind_of_test_is_checked_and_told_apart() {
    let fixture = Fixture::new("kinds");
    fixture.check("all", "test --no-fail-fast -- --test-threads=1");
    fixture.check("filtered", "--lib -- --exact tests::clean tests::returns_a_result --test-threads=1");
    fixture.check("only_leaks", "test --lib leaks -- --test-threads 1 --include-ignored --skip panics");
    fixture.check("draconian", "test --lib --mode=draconian tests::clean");
    fixture.check("report", "report");
    fixture.check("listed", "test --lib -- --list");
    fixture.check("terse_and_clean", "-q --lib -- tests::clean");
    fixture.check("not_rebuilt", "test --no-rebuild --lib tests::leaks -- --exact");
    fixture.check("run", "run --quiet -- 0");
    fixture.check("own_status", "run --quiet -- 7");
}

#[test]
fn what_a_person_has_set_stays() {
    let fixture = Fixture::new("config");
    fixture.check("test", "test -- --test-threads=1");
    let mut names: Vec<_> =
        fs::read_dir(fixture.path().join("target")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.retain(|name| name != ".rustc_info.json" && name != "CACHEDIR.TAG");
    assert_eq!(names, ["heapcheck"], "the target folder of plain cargo is left alone");
    let entries = fs::read_dir(fixture.path().join("elsewhere")).unwrap();
    assert_eq!(entries.map(|e| e.unwrap().file_name()).collect::<Vec<_>>(), ["heapcheck"]);
}

#[test]
fn any_program_can_be_run() {
    let fixture = Fixture::new("programs");
    for (source, flags) in [
        ("leaks.c", &[][..]),
        ("clean.c", &[]),
        ("killed.c", &[]),
        ("leaves.c", &[]),
        ("starts.c", &[]),
        ("twice.c", &["-w"]),
    ] {
        compile(&fixture, source, flags);
    }
    fs::copy(fixture.path().join("leaks.c"), fixture.path().join("static.c")).unwrap();
    compile(&fixture, "static.c", &["-static"]);
    fixture.check("leaks", "exec -- ./leaks");
    check_json(&fixture);
    fixture.check("leaks_as_text", "report");
    fixture.check("own_status", "exec ./leaks 5");
    fixture.check("clean", "exec -- ./clean");
    fixture.check("killed", "exec -- ./killed");
    fixture.check("leaves", "exec -- ./leaves");
    fixture.check("static", "exec -- ./static");
    fixture.check("children", "exec --follow-children -- sh calls.sh");
    fixture.check("no_children", "exec -- ./starts");
    fixture.check("twice", "exec -- ./twice");
    fixture.check("suppressed", "exec --suppressions known -- ./leaks");
}

/// The report for machines has what the issue tracker of a person's CI needs.
fn check_json(fixture: &Fixture) {
    let output = fixture.command("report --format json").output().unwrap();
    assert_eq!(output.status.code(), Some(23));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["outcome"], &report["leaked_bytes"]), (&"leaked".into(), &2043.into()));
    assert_eq!(report["leaked_blocks"], 2);
    let (outer, inner) = (&report["leaks"][0], &report["leaks"][1]);
    assert_eq!(
        (&outer["kind"], &outer["bytes"], &outer["blocks"]),
        (&"direct".into(), &1021.into(), &1.into())
    );
    assert_eq!(
        (&inner["kind"], &inner["bytes"], &inner["blocks"]),
        (&"indirect".into(), &1022.into(), &1.into())
    );
    assert_eq!(outer["retained_bytes"], 1022);
    let frame = &outer["trace"][0];
    assert_eq!(
        (&frame["function"], &frame["line"], &frame["inlined"]),
        (&"lose".into(), &6.into(), &false.into())
    );
    assert!(frame["file"].as_str().unwrap().ends_with("/leaks.c"));
    let again = fixture.command("report --format json").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout), String::from_utf8(again.stdout), "signatures stay");
}

#[test]
fn bad_input_is_told_with_the_next_step() {
    let fixture = Fixture::new("bad");
    fixture.check("no_program", "exec");
    fixture.check("missing_program", "exec -- ./missing");
    fixture.check("missing_in_path", "exec -- missing-program");
    fixture.check("folder", "exec -- ./src");
    fixture.check("unknown_mode", "exec --mode gentle -- true");
    fixture.check("unknown_stacks", "test --stacks deep");
    fixture.check("missing_suppressions", "exec --suppressions missing -- true");
    fixture.check("no_run_yet", "report");
    fixture.check("missing_record", "report --record missing.hcr");
    fixture.check("foreign_record", "report --record Cargo.toml");
    fixture.check("missing_manifest", "test --manifest-path missing/Cargo.toml");
    fixture.check("does_not_compile", "test --lib");
    fixture.check("unknown_cargo_flag", "test --frobnicate");
    fixture.check("missing_target", "test --test missing");
    fs::create_dir(fixture.path().join(".cargo")).unwrap();
    fs::write(fixture.path().join(".cargo/config.toml"), "build = [").unwrap();
    fixture.check("broken_cargo_config", "test");
    fs::remove_dir_all(fixture.path().join(".cargo")).unwrap();
    let mut command = scrubbed(tool(), fixture.path());
    fixture.check_command(
        "runner_by_hand",
        "(cargo-heapcheck __runner ./x)",
        command.args(["__runner", "./x"]),
    );
    let mut command = fixture.command("exec -- true");
    fixture.check_command("mode_of_environment", "exec -- true", command.env("HEAPCHECK", "gentle"));
    let mut command = fixture.command("test");
    fixture.check_command("no_compiler", "test", command.env("RUSTC", "./no-such-rustc"));
    let mut command = fixture.command("runtime");
    fixture.check_command("missing_runtime", "runtime", command.env("HEAPCHECK_RT", "/no/such.so"));
}

#[test]
fn a_program_is_checked_where_no_compiler_is() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "leaks.c", &[]);
    let mut command = fixture.command("exec -- ./leaks");
    let output = command.env_remove("HEAPCHECK_RT").env("PATH", "").env("RUSTC", "./none").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(23), "{stderr}");
    assert!(!stderr.contains("rustc"), "{stderr}");
}

#[test]
fn what_a_file_of_suppressions_excuses_is_told() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "leaks.c", &[]);
    fs::write(fixture.path().join("all.supp"), "leak:leaks\n").unwrap();
    let output = fixture.command("exec --suppressions all.supp -- ./leaks").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("heapcheck: `leaks` is clean; ") && stderr.contains("suppressed"), "{stderr}");
}

#[test]
fn a_record_that_breaks_off_or_is_damaged_gives_no_verdict() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "leaks.c", &[]);
    assert_eq!(fixture.command("exec -- ./leaks").output().unwrap().status.code(), Some(23));
    let runs = fixture.path().join("cache/heapcheck/runs");
    let run = fs::read_dir(runs).unwrap().next().unwrap().unwrap().path().join("program");
    let mut files = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path());
    let record =
        fs::read(files.find(|path| path.extension().is_some_and(|end| end == "hcr")).unwrap()).unwrap();
    let begin = 32 + u32::from_le_bytes(record[20..24].try_into().unwrap()) as usize;
    fs::write(fixture.path().join("short.hcr"), &record[..begin.next_multiple_of(8)]).unwrap();
    let mut damaged = record.clone();
    damaged[40] ^= 1;
    fs::write(fixture.path().join("damaged.hcr"), damaged).unwrap();
    fixture.check("record_that_breaks_off", "report --record short.hcr");
    fixture.check("damaged_record", "report --record damaged.hcr");
}

#[test]
fn the_example_of_the_readme_leaks_in_a_cycle() {
    Fixture::of_example("rc_cycle").check("test", "test -- --test-threads=1");
}
