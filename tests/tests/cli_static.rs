#![forbid(unsafe_code)]
//! Static programs, which get the runtime from the linker: they are checked like the others.

use std::process::Command;

use heapcheck_tests::fixture::Fixture;

const MUSL: &str = "x86_64-unknown-linux-musl";

/// Every kind of program is checked, with these arguments of cargo and these flags of rustc.
fn check(arguments: &str, rustflags: &str) {
    let fixture = Fixture::new("linked");
    let run = |line: &str| {
        let mut command = fixture.command(line);
        if !rustflags.is_empty() {
            command.env("RUSTFLAGS", rustflags).env("RUSTDOCFLAGS", rustflags);
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, text) = run(&format!("test --no-fail-fast {arguments} -- --test-threads=1"));
    assert_eq!(code, Some(23), "{text}");
    for line in [
        "test clean ... ok",
        "test leaks ... FAILED",
        "heapcheck: `leaks` leaked 3,002 bytes in 1 block",
        "--> src/lib.rs:12",
        "heapcheck: `own_main` leaked 3,004 bytes in 1 block",
        "leak (line 4) ... FAILED",
        "leak (line 8) ... ok",
        "leaked 3,001 bytes in 1 block",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    assert!(!text.contains("no verdict"), "{text}");
    let (code, text) = run(&format!("run {arguments}"));
    assert!(code == Some(23) && text.contains("leaked 3,003 bytes in 1 block"), "{code:?} {text}");
    // The person's own build has no runtime, and nobody pretends that it was checked.
    let (code, text) = run(&format!("run --no-rebuild {arguments}"));
    assert!(code == Some(70) && text.contains("it is statically linked"), "{code:?} {text}");
}

/// Says so when it is not there.
fn has_musl() -> bool {
    let mut rustc = Command::new("rustc");
    let output = rustc.args(["--print=target-libdir", "--target", MUSL]).output().unwrap();
    let is_there = std::path::Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir();
    if !is_there {
        eprintln!("skipped: the target {MUSL} is not installed");
    }
    is_there
}

#[test]
fn programs_for_musl_are_checked() {
    if !has_musl() {
        return;
    }
    check(&format!("--target {MUSL}"), "");
}

#[test]
fn tests_linked_by_lto_are_told_apart_and_checked() {
    let fixture = Fixture::new("linked");
    let mut targets = vec![String::new()];
    targets.extend(has_musl().then(|| format!("--target {MUSL}")));
    for target in targets {
        let mut command = fixture.command(&format!("test --lib {target} -- --test-threads=1"));
        command.env("CARGO_PROFILE_DEV_LTO", "fat").env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(23), "{target}: {text}");
        for line in
            ["test clean ... ok", "test leaks ... FAILED", "heapcheck: `leaks` leaked 3,002 bytes in 1 block"]
        {
            assert!(text.contains(line), "{target}: no `{line}` in\n{text}");
        }
    }
}

#[test]
fn programs_with_a_static_glibc_are_checked() {
    check("--target x86_64-unknown-linux-gnu", "-Ctarget-feature=+crt-static");
}
