#![forbid(unsafe_code)]
//! The tool as a person meets it: fixture packages in `cases/cli`, each copied to a folder of its own and run in a
//! scrubbed environment; exit code, stdout and stderr are compared with a file beside the fixture.
//!
//! `HEAPCHECK_BLESS=1` writes those files anew. What differs from run to run is replaced, in the order of `normalise`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use heapcheck_tests::build::repository;

const ENVIRONMENT_KEPT: &[&str] = &["PATH", "HOME", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"];

/// The tool, built once for all tests of this file.
fn tool() -> &'static Path {
    static TOOL: OnceLock<PathBuf> = OnceLock::new();
    TOOL.get_or_init(|| {
        // This test lies in `<target>/<profile>/deps`.
        let this = std::env::current_exe().unwrap();
        let (profile, target) = (this.ancestors().nth(2).unwrap(), this.ancestors().nth(3).unwrap());
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "-q", "-p", "cargo-heapcheck", "--target-dir"]).arg(target);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.current_dir(repository()).status().unwrap().success());
        profile.join("cargo-heapcheck")
    })
}

/// The runtime, built once by the tool itself, outside of any package.
fn runtime() -> &'static str {
    static RUNTIME: OnceLock<String> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let outside = tempfile::tempdir().unwrap();
        let mut command = scrubbed(tool(), outside.path());
        command.args(["heapcheck", "runtime"]).env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    })
}

fn scrubbed(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(folder).env("TERM", "dumb").env("CARGO_TERM_COLOR", "never");
    command.envs(ENVIRONMENT_KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

/// A copy of a fixture, and what was seen there so far.
struct Fixture {
    name: &'static str,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&cases().join(name), folder.path());
        Self { name, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = scrubbed(tool(), self.path());
        command.arg("heapcheck").args(line.split_whitespace()).env("HEAPCHECK_RT", runtime());
        command.env("XDG_CACHE_HOME", self.path().join("cache"));
        command
    }

    /// Runs a line and compares what a person sees with the file `<step>.txt`.
    fn check(&self, step: &str, line: &str) {
        self.check_command(step, line, &mut self.command(line));
    }

    fn check_command(&self, step: &str, line: &str, command: &mut Command) {
        let output = command.output().unwrap();
        let mut seen = format!("$ cargo heapcheck {line}\n");
        let code = output.status.code().map_or("a signal".to_string(), |code| code.to_string());
        let _ = writeln!(seen, "exit code: {code}");
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let _ = write!(seen, "--- {name}\n{}", String::from_utf8_lossy(bytes));
        }
        let seen = normalise(&seen, self.path());
        let expected = cases().join(self.name).join("expected").join(format!("{step}.txt"));
        if std::env::var_os("HEAPCHECK_BLESS").is_some() {
            fs::create_dir_all(expected.parent().unwrap()).unwrap();
            fs::write(&expected, &seen).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert!(seen == wanted, "{} differs; now it is:\n{seen}", expected.display());
    }
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/cli")
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        if entry.ends_with("expected") || entry.ends_with("target") {
            continue;
        } else if entry.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

/// Replaces what differs between runs, folders and toolchains.
fn normalise(text: &str, folder: &Path) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let is_time = |c: char| c.is_ascii_digit() || c == '.';
    let is_hex = |c: char| c.is_ascii_hexdigit();
    let text = text.replace(folder.canonicalize().unwrap().to_str().unwrap(), "$DIR");
    let text = text.replace(folder.to_str().unwrap(), "$DIR");
    let text = text.replace(tool().to_str().unwrap(), "$TOOL").replace(runtime(), "$RUNTIME");
    let text = replace(&text, "build-", is_hex, "HASH");
    let text = replace(&text, "runs/", |c| is_digit(c) || c == '-', "RUN");
    let text = replace(&text, "rustdoctest", char::is_alphanumeric, "");
    let text = replace(&text, "finished in ", is_time, "T");
    let text = replace(&text, "target(s) in ", is_time, "T");
    let text = replace(&text, "ran in ", is_time, "T");
    let text = replace(&text, "compilation took ", is_time, "T");
    let text = replace(&text, "       (", is_digit, "N");
    let text = replace(&text, "at offset ", is_digit, "N");
    let text = text.replace("(N frame of", "(N frames of");
    // The runtime's own report of a doctest has addresses of the toolchain.
    let varies = ["all doctests ran in", "    #", "heapcheck: the record is", "heapcheck: hint: for types"];
    let lines = text.lines().filter(|line| !varies.iter().any(|start| line.starts_with(start)));
    lines.map(|line| without_ids(line) + "\n").collect()
}

/// Replaces the characters of a kind that follow `before`.
fn replace(text: &str, before: &str, is_part: impl Fn(char) -> bool, with: &str) -> String {
    let mut parts = text.split(before);
    let mut kept = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let rest = part.trim_start_matches(&is_part);
        let replaced = if rest.len() < part.len() { with } else { "" };
        kept += &[before, replaced, rest].concat();
    }
    kept
}

/// Takes the number out of `thread 'name' (1234) panicked`, and the hash out of `deps/name-0123456789abcdef`.
fn without_ids(line: &str) -> String {
    let line = replace(line, "' (", |c| c.is_ascii_digit(), "N");
    match line.split_once("/deps/") {
        Some((before, after)) => match after.split_once('-') {
            Some((name, hash)) if hash.len() >= 16 => format!("{before}/deps/{name}-HASH{}", &hash[16..]),
            _ => line,
        },
        None => line,
    }
}

/// Compiles a C program into the folder of a fixture.
fn compile(fixture: &Fixture, source: &str, flags: &[&str]) {
    let mut command = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    command.current_dir(fixture.path()).args(["-g", "-o", source.trim_end_matches(".c"), source]).args(flags);
    assert!(command.status().unwrap().success());
}

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
    let mut command = scrubbed(tool(), fixture.path());
    fixture.check_command(
        "runner_by_hand",
        "(cargo-heapcheck __runner ./x)",
        command.args(["__runner", "./x"]),
    );
    let mut command = fixture.command("exec -- true");
    fixture.check_command("mode_of_environment", "exec -- true", command.env("HEAPCHECK", "gentle"));
    let mut command = fixture.command("runtime");
    command.env_remove("HEAPCHECK_RT").env("RUSTC", "./no-such-rustc");
    fixture.check_command("no_compiler", "runtime", &mut command);
    let mut command = fixture.command("runtime");
    command.env_remove("HEAPCHECK_RT").env("RUSTC", "./rustc.sh");
    fixture.check_command("compiler_too_old", "runtime", &mut command);
    let mut command = fixture.command("runtime");
    fixture.check_command("missing_runtime", "runtime", command.env("HEAPCHECK_RT", "/no/such.so"));
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
    let folder = tempfile::tempdir().unwrap();
    copy(&repository().join("examples/rc_cycle"), folder.path());
    let fixture = Fixture { name: "rc_cycle", folder };
    fixture.check("test", "test -- --test-threads=1");
}
