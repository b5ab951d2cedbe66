#![forbid(unsafe_code)]
//! What a whole suite costs under the tool: many small tests, few heavy ones, the way to the first test, the first build
//! of the runtime. `cargo bench -p heapcheck-tests --bench suite` prints it; nothing is asserted, because a figure is only
//! worth something on a quiet machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use heapcheck_tests::fixture::{runtime, scrubbed, tool};

const TRIES: usize = 5;
const TRIVIAL_TESTS: usize = 1000;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let build = median((0..3).map(|_| first_build()));
    println!("first build of the runtime: {:.2} s", build.as_secs_f64());

    let trivial: String = (0..TRIVIAL_TESTS).map(|n| format!("#[test]\nfn t{n}() {{}}\n")).collect();
    compare(&format!("{TRIVIAL_TESTS} trivial tests"), &trivial);
    compare("8 tests that allocate a lot", HEAVY);
    first_test();
}

/// Builds maps of strings until about half a second is over.
const HEAVY: &str = "
fn work() {
    for round in 0..12 {
        let map: std::collections::BTreeMap<String, Vec<u64>> =
            (0..20_000u64).map(|n| (format!(\"key {}\", n * 7919 % 20_011), vec![n; 1 + n as usize % 9])).collect();
        assert!(map.len() > round);
    }
}
#[test] fn a() { work() }
#[test] fn b() { work() }
#[test] fn c() { work() }
#[test] fn d() { work() }
#[test] fn e() { work() }
#[test] fn f() { work() }
#[test] fn g() { work() }
#[test] fn h() { work() }
";

fn package(source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[package]\nname = \"suite\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[lib]\ndoctest = false\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/lib.rs"), source).unwrap();
    folder
}

fn command(folder: &Path, line: &str) -> Command {
    let mut words = line.split(' ');
    let program = words.next().unwrap();
    let mut command = scrubbed(if program == "heapcheck" { tool() } else { Path::new(program) }, folder);
    if program == "heapcheck" {
        command.arg(program);
    }
    command.args(words).env("HEAPCHECK_RT", runtime());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How long a command takes, that must succeed.
fn time(folder: &Path, line: &str) -> Duration {
    let begun = Instant::now();
    assert!(command(folder, line).status().unwrap().success(), "{line}");
    begun.elapsed()
}

fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort();
    times[times.len() / 2]
}

fn compare(name: &str, source: &str) {
    let folder = package(source);
    let lines = [
        "cargo nextest run --release",
        "heapcheck nextest run --release",
        "heapcheck test --release",
        "cargo test --release",
    ];
    let can = Command::new("cargo").args(["nextest", "--version"]).output().is_ok_and(|o| o.status.success());
    let lines = if can { &lines[..] } else { &lines[2..] };
    for line in lines {
        time(folder.path(), line);
    }
    let mut times = vec![Vec::new(); lines.len()];
    for _ in 0..TRIES {
        for (line, times) in lines.iter().zip(&mut times) {
            times.push(time(folder.path(), line));
        }
    }
    let first = median(times[0].clone());
    println!("{name}:");
    for (line, times) in lines.iter().zip(times) {
        let own = median(times);
        println!("  {line:32} {:8.3} s  {:5.2}", own.as_secs_f64(), own.as_secs_f64() / first.as_secs_f64());
    }
}

/// The way to the first test, when everything is built.
fn first_test() {
    let source = "#[test] fn now() { let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH); \
        std::fs::write(\"now\", now.unwrap().as_nanos().to_string()).unwrap(); }";
    let folder = package(source);
    let lines = ["cargo test", "heapcheck test"];
    let mut times = vec![Vec::new(); lines.len()];
    for _ in 0..=TRIES {
        for (line, times) in lines.iter().zip(&mut times) {
            let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            time(folder.path(), line);
            let now: u64 = fs::read_to_string(folder.path().join("now")).unwrap().parse().unwrap();
            times.push(Duration::from_nanos(now).saturating_sub(begun));
        }
    }
    println!("up to the first test:");
    for (line, times) in lines.iter().zip(times) {
        println!("  {line:32} {:8.1} ms", median(times.into_iter().skip(1)).as_secs_f64() * 1000.0);
    }
}

fn first_build() -> Duration {
    let folder = package("");
    let mut command = command(folder.path(), "heapcheck runtime");
    let begun = Instant::now();
    assert!(command.env_remove("HEAPCHECK_RT").status().unwrap().success());
    begun.elapsed()
}
