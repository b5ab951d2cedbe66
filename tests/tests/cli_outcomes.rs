#![forbid(unsafe_code)]
//! Nothing is green by accident: what was killed, left early, became something else, or could not be checked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use heapcheck_tests::fixture::{Fixture, compile, runtime, scrubbed, tool};

#[test]
fn a_test_that_ends_its_process_is_never_green() {
    let fixture = Fixture::new("outcomes");
    let output = fixture.command("test -- --test-threads=2").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(101), "{stdout}{stderr}");
    let early = "the test ended its process with status 0 before the harness could say that it passed";
    for (test, why) in [
        ("aborts", "the test was ended by signal 6 (SIGABRT)"),
        ("becomes_another_program", early),
        ("exits_with_0", early),
        ("exits_with_3", "the test ended its process with status 3"),
        ("is_killed", "the test was ended by signal 9 (SIGKILL)"),
        ("leaves_past_all_handlers", early),
    ] {
        let section = stdout.split(&format!("---- {test} ----\n")).nth(1).unwrap_or_default();
        let section = section.split("\n---- ").next().unwrap_or_default();
        assert!(section.contains(why), "{test}: no `{why}` in\n{stdout}");
    }
    assert!(stderr.contains("heapcheck: 7 tests checked: 1 clean, 6 failed"), "{stderr}");
}

/// The kernel says little of a process whose first thread is gone, and a record without a folder to go to begins that late.
#[test]
fn a_process_without_its_first_thread_is_told_by_name() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "outlives.c", &["-pthread"]);
    let folder = tempfile::tempdir().unwrap();
    let mut command = scrubbed(&fixture.path().join("outlives"), fixture.path());
    command.env("HEAPCHECK", "normal").env("LD_PRELOAD", runtime()).env("TMPDIR", folder.path());
    assert_eq!(command.output().unwrap().status.code(), Some(23));
    let record = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let output = fixture.command("report --record").arg(record).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("`outlives` leaked 1,027 bytes in 1 block"), "{output:?}");
}

#[test]
fn a_setuid_program_has_no_verdict() {
    let fixture = Fixture::new("programs");
    compile(&fixture, "leaks.c", &[]);
    let program = fixture.path().join("leaks");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(fixture.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // A folder that everybody can reach, with copies of what the other person needs to run.
    let (own_tool, own_runtime) = (fixture.path().join("cargo-heapcheck"), fixture.path().join("rt.so"));
    fs::copy(tool(), &own_tool).unwrap();
    fs::copy(runtime(), &own_runtime).unwrap();
    fs::set_permissions(&own_runtime, fs::Permissions::from_mode(0o755)).unwrap();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let may = Command::new("setpriv").args(nobody).arg(&own_tool).arg("--version").output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: only root can run a setuid program as somebody else");
        return;
    }
    let mut command = scrubbed(Path::new("setpriv"), fixture.path());
    command.args(nobody).arg(&own_tool).args(["heapcheck", "exec", "--", "./leaks"]);
    command.env("HEAPCHECK_RT", &own_runtime).env("XDG_CACHE_HOME", fixture.path().join("cache-of-nobody"));
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(70), "{stderr}");
    assert!(stderr.contains("no verdict") && stderr.contains("setuid or setgid"), "{stderr}");
}

#[test]
fn a_choice_that_no_test_fits_is_told() {
    let fixture = Fixture::new("outcomes");
    let output = fixture.command("test no_such_test").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("heapcheck: no test ran"), "{stderr}");
}

/// The record of a test that starts nothing is in memory, and those of its forked children are found all the same.
#[test]
fn what_a_forked_child_of_a_test_loses_fails_the_test() {
    let fixture = Fixture::new("forks");
    for line in ["test", "nextest run --no-fail-fast"] {
        let has_nextest = || {
            Command::new("cargo").args(["nextest", "--version"]).output().is_ok_and(|it| it.status.success())
        };
        if line != "test" && !has_nextest() {
            println!("skipped: cargo-nextest is not installed");
            continue;
        }
        let output = fixture.command(line).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
        assert_eq!(output.status.code(), Some(23), "{line}: {text}");
        assert!(
            text.contains("heapcheck: `tests::child_leaks` leaked 7,007 bytes in 1 block"),
            "{line}: {text}"
        );
        assert!(text.contains("heapcheck: 2 tests checked: 1 clean, 1 leaked"), "{line}: {text}");
    }
}
