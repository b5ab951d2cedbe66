#![forbid(unsafe_code)]
//! What a report costs: a program of 50 MB with debug information loses a hundred blocks in each of two thousand places; then
//! its leaks are told for people, in each format by itself, and in all formats at once.
//! `cargo bench -p heapcheck-tests --bench report` prints what that takes, and fails when a bound is broken. It is worth
//! something on a quiet machine only.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use heapcheck_tests::build::repository;
use heapcheck_tests::fixture::{runtime, scrubbed, tool};

const TRIES: usize = 5;
/// For people, and for everybody at once. The bound of the memory holds for each.
const SECONDS_MAX: f64 = 1.5;
const SECONDS_ALL_MAX: f64 = 3.0;
const MB_MAX: f64 = 400.0;
const FORMATS: &[&str] = &[
    "human",
    "json",
    "junit",
    "sarif",
    "github",
    "markdown",
    "html",
    "svg",
    "collapsed",
    "callgrind",
    "dot",
    "pprof",
    "heap",
    "heap-names",
];

/// What a run took.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    mb: f64,
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let program = build_program();
    let folder = tempfile::tempdir().unwrap();
    let command = |line: &[&str]| {
        let mut command = scrubbed(tool(), folder.path());
        command.arg("heapcheck").args(line).env("HEAPCHECK_RT", runtime());
        command
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let status = command(&["exec", "--", program.to_str().unwrap()]).status().unwrap();
    assert_eq!(status.code(), Some(23), "the program leaks");
    let size = fs::metadata(&program).unwrap().len() / 1_000_000;
    println!("a program of {size} MB, 2,000 places of 100 blocks; the median of {TRIES} runs");

    let mut is_over = false;
    for format in FORMATS {
        let cost = median(|| command(&["report", "--format", format]));
        is_over |= tell(format, cost, if *format == "human" { SECONDS_MAX } else { SECONDS_ALL_MAX }, MB_MAX);
    }
    let mut all = vec!["report".to_string()];
    for format in FORMATS {
        let file = folder.path().join(format!("report.{format}"));
        all.extend(["--format".into(), format.to_string(), "-o".into(), file.to_string_lossy().into_owned()]);
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    is_over |= tell("all at once", median(|| command(&all)), SECONDS_ALL_MAX, MB_MAX);
    for format in FORMATS {
        let written = fs::metadata(folder.path().join(format!("report.{format}"))).unwrap();
        assert!(written.len() > 0, "{format} is empty");
    }
    if is_over {
        std::process::exit(1);
    }
}

fn tell(what: &str, cost: Cost, seconds_max: f64, mb_max: f64) -> bool {
    let is_over = cost.seconds > seconds_max || cost.mb > mb_max;
    let verdict = if is_over { "OVER" } else { "held" };
    println!("{what:>12}: {:.2} s, {:.0} MB ({verdict})", cost.seconds, cost.mb);
    is_over
}

/// Builds the program beside this test, once.
fn build_program() -> std::path::PathBuf {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("bench-report");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-q", "--target-dir"]).arg(&target);
    cargo.current_dir(repository().join("tests/benches/report")).env_remove("CARGO_TARGET_DIR");
    assert!(cargo.status().unwrap().success());
    target.join("debug/many_leaks")
}

fn median(mut command: impl FnMut() -> Command) -> Cost {
    let mut costs: Vec<Cost> = (0..TRIES).map(|_| run(&mut command())).collect();
    let mb = costs.iter().map(|cost| cost.mb).fold(0.0, f64::max);
    costs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Cost { mb, ..costs[TRIES / 2] }
}

fn run(command: &mut Command) -> Cost {
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut mb = 0.0_f64;
    let status = loop {
        // The peak only grows, so that the last look is nearly the whole truth.
        mb = mb.max(peak_mb(&child).unwrap_or(0.0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(status.code(), Some(23), "the report tells of leaks");
    Cost { seconds, mb }
}

/// The peak of a process's resident memory, from proc_pid_status(5).
fn peak_mb(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(Path::new("/proc").join(child.id().to_string()).join("status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0 / 1e6)
}
