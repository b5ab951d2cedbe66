//! Names and lines from wherever debug information may lie, and signatures that outlive a change elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use heapcheck_tests::fixture::{Fixture, compile};
use serde_json::Value;

/// Runs a line that leaks, and answers the last report for machines.
fn report(fixture: &Fixture, line: &str) -> Value {
    let output = fixture.command(line).output().unwrap();
    assert_eq!(output.status.code(), Some(23), "{}", String::from_utf8_lossy(&output.stderr));
    told_again(fixture)
}

fn told_again(fixture: &Fixture) -> Value {
    let output = fixture.command("report --format json").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The innermost frame of the first leak: its function, and its line.
fn innermost(report: &Value) -> (String, Option<u64>) {
    let frame = &report["leaks"][0]["trace"][0];
    (frame["function"].as_str().unwrap().to_string(), frame["line"].as_u64())
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> bool {
    let run = Command::new(program).args(arguments).current_dir(folder).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// A copy of the programs, with `leaks.c` under another name, because it is compiled otherwise.
fn leaks(name: &str, flags: &[&str]) -> Fixture {
    let fixture = Fixture::new("programs");
    let source = format!("{name}.c");
    fs::copy(fixture.path().join("leaks.c"), fixture.path().join(&source)).unwrap();
    compile(&fixture, &source, flags);
    fixture
}

#[test]
fn a_symbol_table_gives_functions_and_none_gives_the_place_in_the_file() {
    let fixture = leaks("bare", &["-g0"]);
    assert_eq!(innermost(&report(&fixture, "exec -- ./bare")), ("lose".to_string(), None));
    assert!(run(fixture.path(), "strip", &["bare"]));
    let (function, line) = innermost(&report(&fixture, "exec -- ./bare"));
    assert!(function.starts_with("bare+0x") && line.is_none(), "{function}");
}

#[test]
fn debug_information_is_read_compressed_and_split() {
    for (name, flags) in [
        ("packed_by_zlib", &["-gz=zlib"][..]),
        ("packed_by_zstd", &["-gz=zstd"]),
        ("beside", &["-gsplit-dwarf"]),
        ("old", &["-gdwarf-4"]),
    ] {
        if name.ends_with("zstd")
            && !run(Path::new("."), "sh", &["-c", "echo 'int x;' | cc -gz=zstd -xc -c -o /dev/null -"])
        {
            println!("skipped: the C compiler can't write zstd");
            continue;
        }
        let fixture = leaks(name, flags);
        let found = innermost(&report(&fixture, &format!("exec -- ./{name}")));
        assert_eq!(found, ("lose".to_string(), Some(6)), "{name}");
    }
}

#[test]
fn debug_information_in_a_file_of_its_own_is_found_by_its_link_if_it_is_the_right_one() {
    for id in ["-Wl,--build-id=sha1", "-Wl,--build-id=none"] {
        let fixture = leaks("linked", &[id]);
        let folder = fixture.path();
        assert!(run(folder, "objcopy", &["--only-keep-debug", "linked", "linked.debug"]));
        assert!(run(folder, "objcopy", &["--strip-all", "--add-gnu-debuglink=linked.debug", "linked"]));
        assert_eq!(innermost(&report(&fixture, "exec -- ./linked")), ("lose".to_string(), Some(6)), "{id}");
        // Of another program it would say anything.
        fs::copy(folder.join("clean.c"), folder.join("other.c")).unwrap();
        compile(&fixture, "other.c", &[id]);
        fs::rename(folder.join("other"), folder.join("linked.debug")).unwrap();
        assert!(innermost(&told_again(&fixture)).0.starts_with("linked+0x"), "{id}");
    }
}

#[test]
fn a_file_that_was_built_anew_is_not_read_for_an_old_record() {
    let fixture = leaks("moved", &["-Wl,--build-id=sha1"]);
    assert_eq!(innermost(&report(&fixture, "exec -- ./moved")).0, "lose");
    let source = fs::read_to_string(fixture.path().join("moved.c")).unwrap();
    fs::write(fixture.path().join("moved.c"), format!("int before(int x) {{ return x * 7; }}\n{source}"))
        .unwrap();
    compile(&fixture, "moved.c", &["-Wl,--build-id=sha1"]);
    let report = told_again(&fixture);
    assert!(innermost(&report).0.starts_with("moved+0x"), "{report}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("has been changed since the program ran"), "{notes}");
}

/// The link names a pipe: whoever opens it waits for ever, and a check of a clean program does not.
#[test]
fn a_clean_run_never_looks_for_symbols() {
    let fixture = Fixture::new("programs");
    for (source, is_clean) in [("clean.c", true), ("leaks.c", false)] {
        compile(&fixture, source, &["-Wl,--build-id=none"]);
        let (folder, name) = (fixture.path(), source.trim_end_matches(".c"));
        fs::write(folder.join("pipe"), "").unwrap();
        assert!(run(folder, "objcopy", &["--strip-all", "--add-gnu-debuglink=pipe", name]));
        fs::remove_file(folder.join("pipe")).unwrap();
        assert!(run(folder, "mkfifo", &["pipe"]));
        let mut child = fixture.command(&format!("exec -- ./{name}")).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let limit = if is_clean { Duration::from_secs(60) } else { Duration::from_secs(3) };
        while begun.elapsed() < limit && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(20));
        }
        assert_eq!(child.try_wait().unwrap().is_some(), is_clean, "{name}");
        let _ = child.kill();
        let _ = child.wait();
        fs::remove_file(folder.join("pipe")).unwrap();
    }
}

#[test]
fn a_signature_outlives_new_lines_another_build_and_another_profile() {
    let fixture = Fixture::of_example("rc_cycle");
    let signatures = |line: &str| {
        let report = report(&fixture, line);
        let leaks = report["leaks"].as_array().unwrap();
        let all = leaks.iter().map(|leak| (leak["signature"].to_string(), leak["type"].to_string()));
        all.collect::<BTreeSet<_>>()
    };
    let first = signatures("test");
    assert!(first.len() >= 2, "{first:?}");
    let main = fixture.path().join("src/main.rs");
    let source = fs::read_to_string(&main).unwrap();
    let shifted = source.replace("use std::cell", "const MORE: &[u8] = b\"more\";\n\n\nuse std::cell");
    fs::write(
        &main,
        shifted.replace(
            "fn build_book",
            "#[test]\nfn another() {\n    assert_eq!(MORE.len(), 4);\n}\n\nfn build_book",
        ),
    )
    .unwrap();
    assert_eq!(signatures("test"), first);
    assert_eq!(signatures("test --release"), first);
    assert_eq!(signatures("test --no-rebuild"), first);
    // The name of a function is part of what is recognised.
    fs::write(&main, source.replace("build_book", "write_book")).unwrap();
    assert_ne!(signatures("test"), first);
}

#[test]
fn colours_and_all_frames_are_shown_where_they_are_asked_for() {
    let fixture = leaks("shown", &[]);
    report(&fixture, "exec -- ./shown");
    let told = |line: &str| String::from_utf8(fixture.command(line).output().unwrap().stdout).unwrap();
    let plain = told("report");
    assert!(plain.contains("error: leaked a block") && !plain.contains('\u{1b}'), "{plain}");
    assert!(plain.contains("of the standard library)") && !plain.contains("__libc_start"), "{plain}");
    let coloured = told("report --color always");
    assert!(coloured.contains("\u{1b}[1m\u{1b}[91merror\u{1b}[0m"), "{coloured:?}");
    let verbose = told("report -v");
    assert!(!verbose.contains("of the standard library)") && verbose.contains("__libc_start"), "{verbose}");
}
