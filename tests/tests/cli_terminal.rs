#![forbid(unsafe_code)]
//! Ctrl-C, and what is shown on a terminal.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use heapcheck_tests::fixture::{Fixture, runtime, scrubbed, tool};

const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `found` has an answer.
fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = found() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs the tests, sends a signal when the endless one has begun, and looks at what is told, and that nobody is left.
fn interrupt(signal: &str, is_for_group: bool, more: &str, code: i32) {
    let fixture = Fixture::new("slow");
    let begun = fixture.path().join("begun");
    let line = format!("test {more} -- --include-ignored --test-threads=1 leaks ever");
    let mut command = fixture.command(&line);
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = || fs::read_to_string(&begun).ok().filter(|text| !text.is_empty());
    let test_pid = wait_for("the endless test", read);
    let read_status = || fs::read_to_string(format!("/proc/{test_pid}/stat")).unwrap_or_default();
    let began = |status: &str| Some(status.rsplit_once(") ")?.1.split(' ').nth(19)?.to_string());
    let begun_at = began(&read_status());
    assert!(begun_at.is_some(), "it ends by itself");
    let whom = format!("{}{}", if is_for_group { "-" } else { "" }, child.id());
    assert!(Command::new("kill").args(["-s", signal, "--", &whom]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for part in ["heapcheck: interrupted", "heapcheck: 1 test checked: 0 clean, 1 leaked", "leaked: a_leaks"]
    {
        assert!(stderr.contains(part), "no `{part}` in {stderr}");
    }
    // Another process may have its number by then, and began later.
    let is_gone = || {
        let status = read_status();
        (status.contains(") Z ") || began(&status) != begun_at).then_some(())
    };
    wait_for("the end of the test", is_gone);
    let report = fixture.command("report").output().unwrap();
    assert!(String::from_utf8_lossy(&report.stdout).contains("leaked 4,001 bytes"));
}

#[test]
fn an_interrupt_ends_the_tests_and_tells_what_is_known() {
    interrupt("INT", true, "", 130);
}

#[test]
fn a_signal_to_the_tool_alone_reaches_the_tests() {
    interrupt("TERM", false, "", 143);
}

#[test]
fn tests_with_a_time_limit_end_as_well() {
    interrupt("INT", true, "--timeout=1000s", 130);
}

#[test]
fn a_terminal_shows_how_far_the_tests_are_and_a_pipe_does_not() {
    let fixture = Fixture::new("slow");
    let line = "test -- --test-threads=2";
    let (waits, seen) = (fixture.path().join("waits"), fixture.path().join("seen"));
    let piped = thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("the test that takes a while", || waits.exists().then_some(()));
            // Long enough for a terminal to show it.
            thread::sleep(Duration::from_secs(2));
            fs::write(&seen, "").unwrap();
        });
        fixture.command(line).output().unwrap()
    });
    let all = [piped.stdout, piped.stderr].concat();
    let text = String::from_utf8_lossy(&all);
    assert!(
        piped.status.code() == Some(23) && !text.contains("Checking") && !text.contains('\x1b'),
        "{text}"
    );
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: `script`, which makes a terminal, is not installed");
        return;
    }
    let mut script = scrubbed(Path::new("script"), fixture.path());
    let inner = format!("{} heapcheck {line}", tool().display());
    script.args(["-qec", &inner, "/dev/null"]).env("HEAPCHECK_RT", runtime()).stdin(Stdio::null());
    fs::remove_file(&seen).unwrap();
    let mut child = script.stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut text) = (child.stdout.take().unwrap(), Vec::new());
    let mut more = [0; 1000];
    while let Ok(count @ 1..) = stdout.read(&mut more) {
        text.extend_from_slice(&more[..count]);
        // The test that takes a while has to until this line was shown.
        if String::from_utf8_lossy(&text).contains("\r\x1b[K     Checking 1 of 2 tests, 1 leaked") {
            fs::write(&seen, "").unwrap();
        }
    }
    let text = String::from_utf8_lossy(&text);
    assert_eq!(child.wait().unwrap().code(), Some(23), "{text}");
    assert!(seen.exists(), "{text:?}");
    assert!(text.contains("\r\x1b[Ktest b_takes_a_while"), "the line is taken away: {text:?}");
}
