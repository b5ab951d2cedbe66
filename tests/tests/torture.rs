#![forbid(unsafe_code)]
//! The allocator and fork under stress, through the preloaded runtime: programs of `cases/torture`.
//!
//! Each program looks after itself: it fills its blocks and compares them, expects zeros in new memory, waits for its
//! children with an alarm in each. What takes too much for every `cargo test` is asked for by `HEAPCHECK_TORTURE=1`: 20
//! million live blocks, and many more forks.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use heapcheck_tests::build::{Toolchain, build_runtime, repository};
use heapcheck_tests::shelf::{Shelf, run_compiler};

const SETTINGS: [[(&str, &str); 2]; 2] = [
    [("HEAPCHECK", "normal"), ("HEAPCHECK_STACKS", "full")],
    [("HEAPCHECK", "local"), ("HEAPCHECK_STACKS", "short")],
];

fn shelf() -> Shelf {
    Shelf::open(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("the shelf can be opened")
}

fn runtime() -> PathBuf {
    build_runtime(&shelf(), &Toolchain::of_machine()).expect("the runtime builds")
}

fn build(name: &str) -> PathBuf {
    let source = repository().join("tests/cases/torture").join(format!("{name}.c"));
    let text = std::fs::read_to_string(&source).expect("the source is there");
    let flags = ["-O1", "-g", "-fno-builtin", "-pthread", "-D_GNU_SOURCE"];
    let toolchain = Toolchain::of_machine();
    let built = shelf().find_or_build(name, (text, &toolchain.cc, flags), |place| {
        run_compiler(Command::new(&toolchain.cc).args(flags).arg(&source).arg("-o").arg(place))
    });
    built.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs `program` with the runtime, after `limit`, a line of shell.
fn run(program: &Path, arguments: &[&str], settings: [(&str, &str); 2], limit: &str) -> Output {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{limit}\nLD_PRELOAD=\"$0\"; export LD_PRELOAD; exec \"$@\""));
    command.arg(runtime()).arg(program).args(arguments).envs(settings);
    command.env("HEAPCHECK_REPORT", "none").env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
    command.output().expect("sh starts")
}

/// Expects a run that ends well, and returns what it wrote.
fn expect_well(program: &Path, arguments: &[&str], settings: [(&str, &str); 2], limit: &str) -> String {
    let output = run(program, arguments, settings, limit);
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) {
        println!("{arguments:?}: {said}");
    } else {
        assert!(output.status.success(), "{arguments:?} {settings:?}: {}\n{said}{errors}", output.status);
    }
    said.into_owned()
}

fn check(program: &str, arguments: &[&str]) {
    let program = build(program);
    for settings in SETTINGS {
        expect_well(&program, arguments, settings, "");
    }
}

fn is_asked_for() -> bool {
    std::env::var_os("HEAPCHECK_TORTURE").is_some()
}

#[test]
fn random_sizes_keep_their_content_and_are_born_zero() {
    for seed in ["1", "2", "3"] {
        check("allocate", &["random", seed, "200000"]);
    }
}

#[test]
fn blocks_may_be_freed_by_other_threads_while_children_are_forked() {
    for seed in ["1", "2"] {
        check("allocate", &["threads", seed, "15000"]);
    }
}

#[test]
fn six_thousand_threads_fit() {
    check("allocate", &["crowd", "6000"]);
}

#[test]
fn out_of_memory_is_null_and_errno() {
    let program = build("allocate");
    for settings in SETTINGS {
        // What is left when the check begins may be too little for it: then it says that there is no verdict.
        let said = expect_well(&program, &["limits", "0"], settings, "ulimit -d 600000");
        assert!(said.ends_with("done\n"), "{said}");
        expect_well(&program, &["limits", "0"], settings, "ulimit -v 700000");
    }
}

#[test]
fn children_of_threaded_programs_never_hang() {
    let (seconds, most) = if is_asked_for() { ("120", "100000") } else { ("12", "3000") };
    let program = build("forks");
    println!("{}", expect_well(&program, &[seconds, most, "plain"], SETTINGS[1], ""));
    println!("{}", expect_well(&program, &[seconds, most, "checks"], SETTINGS[0], ""));
}

#[test]
fn forks_do_not_deadlock_with_the_locks_of_stdio() {
    let (seconds, most) = if is_asked_for() { ("120", "100000") } else { ("5", "1000") };
    let program = build("stdio");
    for settings in SETTINGS {
        println!("{}", expect_well(&program, &[seconds, most], settings, ""));
    }
}

#[test]
fn signal_handlers_that_allocate_never_hang() {
    // The program is made of them: without care every second of it hangs.
    let milliseconds = if is_asked_for() { "60000" } else { "700" };
    let program = build("signals");
    for settings in SETTINGS {
        for (threads, fork_every) in [("1", "0"), ("3", "0"), ("1", "50"), ("3", "50")] {
            println!("{}", expect_well(&program, &[milliseconds, threads, fork_every], settings, ""));
        }
    }
}

#[test]
fn twenty_million_blocks_live_at_once() {
    if !is_asked_for() {
        return println!("skipped: takes 3 GB; asked for by HEAPCHECK_TORTURE=1");
    }
    for settings in SETTINGS {
        println!("{}", expect_well(&build("allocate"), &["many", "20000000"], settings, ""));
    }
}
