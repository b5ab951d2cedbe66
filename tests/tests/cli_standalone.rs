#![forbid(unsafe_code)]
//! The runtime linked into test binaries (`heapcheck_rt::standalone!()`): what plain `cargo test` finds with it, who must
//! never get it, and that a preloaded runtime wins.

use std::path::{Path, PathBuf};
use std::process::Output;

use heapcheck_rt::elf::{Elf, Symbol};
use heapcheck_tests::build::repository;
use heapcheck_tests::fixture::{Fixture, runtime, scrubbed};

fn cargo(fixture: &Fixture, line: &str) -> Output {
    let mut command = scrubbed(Path::new(env!("CARGO")), fixture.path());
    command.env("TMPDIR", fixture.path()).args(line.split_whitespace()).output().unwrap()
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The executables that cargo made of a crate.
fn binaries(fixture: &Fixture, folder: &str, name: &str) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.starts_with(&format!("{name}-")) && path.extension().is_none() && defines(path, "main")
    };
    let deps = fixture.path().join("target").join(folder).join("deps");
    let found = std::fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path()).filter(is_one).collect();
    assert_ne!(found, Vec::<PathBuf>::new(), "no executable of {name}");
    found
}

/// Whether a program has a function of this name.
fn defines(path: &Path, name: &str) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let Ok(elf) = Elf::parse(&bytes) else { return false };
    elf.symbols().find(name.as_bytes()).is_some_and(|symbol: Symbol<'_>| symbol.is_defined())
}

/// The unit tests of `app`, as the last step of cargo has left them.
fn lib_of(fixture: &Fixture) -> PathBuf {
    binaries(fixture, "debug", "app").remove(0)
}

/// Runs a test binary in the folder of its package, as cargo does, with some variables and arguments.
fn run(binary: &Path, variables: &[(&str, &str)], arguments: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let package = binary.ancestors().nth(4).unwrap().join("app");
    let mut command = scrubbed(binary, &package);
    command.env("TMPDIR", folder.path()).envs(variables.iter().copied());
    let output = command.args(arguments.split_whitespace()).output().unwrap();
    (output.status.success(), text_of(&output))
}

const LEAKING: [&str; 5] =
    ["leaks", "leaks_in_a_thread", "leaks_a_cycle", "leaks_within_a_limit_of_allocations", "grows"];
const CLEAN: [&str; 2] = ["clean", "leaks_without_the_attribute"];

/// Whether a test has this word behind its name.
fn ended(text: &str, test: &str, word: &str) -> bool {
    text.contains(&format!("test tests::{test} ... {word}"))
}

/// Expects that the tests that lose or grow fail, and no other.
fn check_verdicts(text: &str) {
    LEAKING.iter().for_each(|test| assert!(ended(text, test, "FAILED"), "{test}:\n{text}"));
    CLEAN.iter().for_each(|test| assert!(ended(text, test, "ok"), "{test}:\n{text}"));
}

/// Expects the same when tests run side by side: what a test's own check has missed is told at the end of the process.
fn check_verdicts_of_many_threads(passes: bool, text: &str) {
    assert!(!passes, "{text}");
    for test in LEAKING {
        let is_late = text.contains(&format!("in scope 'tests::{test}'"));
        assert!(ended(text, test, "FAILED") || is_late, "{test}:\n{text}");
    }
    CLEAN.iter().for_each(|test| assert!(ended(text, test, "ok"), "{test}:\n{text}"));
}

/// One test, because its steps share what takes longest: the build.
#[test]
fn a_test_binary_with_the_runtime_in_it() {
    let fixture = Fixture::new("standalone");
    plain_cargo_test_fails_the_tests_that_lose_something_and_no_other(&fixture);
    reports_are_explained(&fixture);
    it_can_be_switched_off_and_asked_for_more(&fixture);
    a_preloaded_runtime_wins_and_tells_each_leak_once(&fixture);
    under_the_tool_each_leak_is_told_once_and_as_ever(&fixture);
    no_crate_gets_it_that_did_not_ask(&fixture);
    a_release_build_finds_the_same(&fixture);
    a_static_program_says_that_it_is_not_checked(&fixture);
}

fn plain_cargo_test_fails_the_tests_that_lose_something_and_no_other(fixture: &Fixture) {
    let output = cargo(fixture, "test -p app --lib -- --test-threads=1");
    assert_eq!(output.status.code(), Some(101), "{}", text_of(&output));
    check_verdicts(&text_of(&output));
    let output = cargo(fixture, "test -p app --test again");
    assert_eq!(output.status.code(), Some(101), "{}", text_of(&output));
    assert!(text_of(&output).contains("it leaked 1005 bytes in 1 block"), "{}", text_of(&output));
    let output = cargo(fixture, "test -p app --test answers");
    assert!(output.status.success(), "{}", text_of(&output));
    let lib = lib_of(fixture);
    for round in 0..24 {
        let threads = ["1", "2", "4", "16"][round % 4];
        let (passes, text) = run(&lib, &[("HEAPCHECK_REQUIRE", "1")], &format!("--test-threads={threads}"));
        check_verdicts_of_many_threads(passes, &text);
    }
}

/// Functions, files and lines, under the name of the test.
fn reports_are_explained(fixture: &Fixture) {
    let lib = lib_of(fixture);
    let about = |test: &str| {
        let (_, text) = run(&lib, &[], &format!("--exact tests::{test}"));
        let (_, told) = text.split_once(&format!("---- tests::{test} stdout ----")).expect(&text);
        told.to_string()
    };
    let line_of = |code: &str| {
        let source = std::fs::read_to_string(fixture.path().join("app/src/lib.rs")).unwrap();
        source.lines().position(|line| line.contains(code)).unwrap() + 1
    };
    let (lost, called) = (line_of("std::mem::forget"), line_of("lose(1001)"));
    let told = about("leaks");
    for expected in [
        "heapcheck: this test fails: it leaked 1001 bytes in 1 block\nerror: leaked: 1001 bytes in 1 block\n"
            .to_string(),
        format!("--> src/lib.rs:{lost}:"),
        format!("\n{lost} |     std::mem::forget(std::hint::black_box(vec![1u8; bytes]));\n"),
        format!("     > app::lose  src/lib.rs:{lost}\n"),
        format!("src/lib.rs:{called}\n"),
        "cargo heapcheck report --record".to_string(),
    ] {
        assert!(told.contains(&expected), "{expected}:\n{told}");
    }
    let told = about("leaks_a_cycle");
    assert!(
        told.contains("error: leaked a cycle: 56 bytes in 1 block, keeping alive 12 bytes in 1 block\n"),
        "{told}"
    );
    assert!(told.contains("     > app::Page::new  "), "{told}");
    assert!(
        told.contains("   = help: one of the pointers that close the cycle has to be a `rc::Weak`\n"),
        "{told}"
    );
    the_command_at_the_end_tells_types_and_cycles(fixture);
    let told = about("grows");
    assert!(told.contains("error: growing: ") && told.contains("> app::tests::grows::"), "{told}");
}

/// The record is kept, and the tool explains it as one of its own runs.
fn the_command_at_the_end_tells_types_and_cycles(fixture: &Fixture) {
    let text = text_of(&cargo(fixture, "test -p app --lib -- --exact tests::leaks_a_cycle"));
    let (_, command) = text.rsplit_once("run `cargo heapcheck ").expect(&text);
    let (command, _) = command.split_once('`').expect(&text);
    let output = fixture.command(command).output().unwrap();
    let told = text_of(&output);
    assert_eq!(output.status.code(), Some(23), "{told}");
    for expected in [
        "error: leaked a cycle through `Rc<Page>`: 68 bytes in 2 blocks\n",
        "     ┌─▶ Rc<Page> (56 bytes, from app/src/lib.rs:",
        "     └───── Page.next\n",
        "       Page.text: String, 12 bytes  app/src/lib.rs:",
        "   = help: `Page.next` keeps alive what it belongs to; a `Weak<Page>` there would not\n",
    ] {
        assert!(told.contains(expected), "{expected}:\n{told}");
    }
    assert!(!told.contains("heapcheck::pthreads"), "the runtime is plumbing:\n{told}");
}

/// Without debug information there are functions, and a word on what is missing. By LTO all of the program is one object,
/// in which the facade asks for the functions that the entries define.
fn a_release_build_finds_the_same(fixture: &Fixture) {
    let mut command = scrubbed(Path::new(env!("CARGO")), fixture.path());
    command.env("TMPDIR", fixture.path()).env("CARGO_PROFILE_RELEASE_LTO", "fat");
    command.args(["test", "--release", "-p", "app", "--lib", "--", "--test-threads=1"]);
    let output = command.output().unwrap();
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(101), "{text}");
    check_verdicts(&text);
    assert!(text.contains("     > app::lose\n"), "{text}");
    assert!(text.contains("heapcheck: hint: this build has no debug information"), "{text}");
}

/// A static program can't define what libc has.
fn a_static_program_says_that_it_is_not_checked(fixture: &Fixture) {
    let mut command = scrubbed(Path::new(env!("CARGO")), fixture.path());
    command.env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    command.args(["test", "-p", "app", "--lib", "--target", "x86_64-unknown-linux-gnu"]);
    let output = command.output().unwrap();
    let text = text_of(&output);
    let words =
        "heapcheck_standalone ... ignored, heapcheck: standalone works on x86-64 Linux with a shared glibc";
    assert!(output.status.success() && text.contains(words), "{text}");
}

fn it_can_be_switched_off_and_asked_for_more(fixture: &Fixture) {
    let lib = lib_of(fixture);
    let (passes, text) = run(&lib, &[("HEAPCHECK", "off")], "");
    assert!(passes, "{text}");
    let (passes, text) = run(&lib, &[("HEAPCHECK", "off"), ("HEAPCHECK_REQUIRE", "1")], "clean");
    assert!(!passes, "{text}");
    assert!(
        text.contains("`tests::clean` is not checked: the runtime in this process is switched off"),
        "{text}"
    );
    assert!(text.contains("hint: unset HEAPCHECK"), "{text}");
    // The whole process at its end.
    let (passes, text) = run(&lib, &[("HEAPCHECK", "normal")], "without");
    assert!(!passes && text.contains("heapcheck: leaked 1,004 bytes in 1 block (mode normal)"), "{text}");
    let (passes, text) = run(&lib, &[("HEAPCHECK", "norml")], "without");
    assert!(!passes && text.contains("'norml' is not a mode"), "{text}");
}

fn no_crate_gets_it_that_did_not_ask(fixture: &Fixture) {
    for resolver in ["1", "2", "3"] {
        let manifest = fixture.path().join("Cargo.toml");
        let line = format!("[workspace]\nmembers = [\"app\", \"other\"]\nresolver = \"{resolver}\"\n");
        std::fs::write(&manifest, line).unwrap();
        for features in ["", "--all-features"] {
            let line = format!(
                "test --workspace {features} --no-fail-fast --bins --lib --test without -- --test-threads=1"
            );
            let text = text_of(&cargo(fixture, &line));
            assert_eq!(
                text.matches("is_not_checked ... ok").count(),
                2,
                "resolver {resolver} {features}:\n{text}"
            );
            check_verdicts(&text);
        }
        let output =
            cargo(fixture, "run --manifest-path other/Cargo.toml --features heapcheck-rt/standalone");
        assert!(
            output.status.success() && text_of(&output).contains("checked: false"),
            "{}",
            text_of(&output)
        );
    }
    for (name, has) in [("app", true), ("again", true), ("without", false), ("other", false)] {
        for binary in binaries(fixture, "debug", name) {
            for symbol in ["malloc", "heapcheck_linked_malloc", "pthread_create", "heapcheck_is_active"] {
                assert_eq!(defines(&binary, symbol), has, "{symbol} in {}", binary.display());
            }
        }
    }
}

#[test]
fn the_tool_is_built_without_it() {
    let mut command = scrubbed(Path::new(env!("CARGO")), repository());
    let output = command
        .args(["tree", "-p", "cargo-heapcheck", "-e", "normal,build", "--prefix", "none"])
        .output()
        .unwrap();
    let text = text_of(&output);
    assert!(output.status.success() && text.contains("heapcheck-rt"), "{text}");
    assert!(!text.contains("heapcheck-linked") && !text.contains("backtrace"), "{text}");
    assert!(!defines(heapcheck_tests::fixture::tool(), "malloc"));
}

fn a_preloaded_runtime_wins_and_tells_each_leak_once(fixture: &Fixture) {
    let lib = lib_of(fixture);
    let out = tempfile::tempdir().unwrap();
    let variables =
        [("LD_PRELOAD", runtime()), ("HEAPCHECK", "local"), ("HEAPCHECK_OUT", out.path().to_str().unwrap())];
    let (passes, text) = run(&lib, &variables, "--test-threads=1");
    assert!(!passes);
    check_verdicts(&text);
    assert_eq!(text.matches("it leaked 1001 bytes").count(), 1, "{text}");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1, "one process has one record");
    // A preloaded runtime that nobody has switched on leaves the program alone, and the linked one does as well.
    let (passes, text) = run(&lib, &variables[..1], "");
    assert!(passes, "{text}");

    let (passes, text) = run(&lib, &[("LD_PRELOAD", runtime()), ("HEAPCHECK", "off")], "");
    assert!(passes, "{text}");
}

fn under_the_tool_each_leak_is_told_once_and_as_ever(fixture: &Fixture) {
    for arguments in
        ["test -p app --lib", "test -p app --lib --no-rebuild", "test -p app --lib --isolation=none"]
    {
        let output = fixture.command(arguments).output().unwrap();
        let text = text_of(&output);
        assert_eq!(output.status.code(), Some(23), "{arguments}:\n{text}");
        for told in ["error: leaked `Vec<u8>`: 1,001 bytes\n", "error: leaked `Vec<u8>`: 1,002 bytes\n"] {
            assert_eq!(text.matches(told).count(), 1, "{arguments}: {told}:\n{text}");
        }
        // The attribute is silent where the tool reports.
        assert!(
            !text.contains("direct leak of") && !text.contains("error: leaked: "),
            "{arguments}:\n{text}"
        );
        assert!(text.contains("test tests::clean "), "{arguments}:\n{text}");
    }
}
