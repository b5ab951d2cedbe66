#![forbid(unsafe_code)]
//! What `#[heapcheck]` and scopes cost: the check of a scope, and the compilation of the two crates that a user adds.
//! `cargo bench -p heapcheck-tests --bench scopes` prints it; nothing is asserted, because a figure is only worth something
//! on a quiet machine.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use heapcheck_tests::build::repository;
use heapcheck_tests::fixture::{runtime, scrubbed};

const BUILDS: usize = 5;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = package(include_str!("program.rs"));
    println!("check of a scope:");
    cargo(folder.path(), "build --release", "0");
    let program = folder.path().join("target/release/scopes");
    let mut command = scrubbed(&program, folder.path());
    command.env("LD_PRELOAD", runtime()).env("HEAPCHECK", "local");
    assert!(command.status().unwrap().success());

    println!(
        "build of what a test suite adds (heapcheck-rt and heapcheck-macros), in a project that was built before:"
    );
    for (what, profile, incremental) in [
        ("dev, as from a registry", "dev", "0"),
        ("release, as from a registry", "release", "0"),
        ("dev, from a folder", "dev", "1"),
    ] {
        let mut times: Vec<Duration> =
            (0..BUILDS).map(|_| cold_build(folder.path(), profile, incremental)).collect();
        times.sort();
        println!("  {what:42} {:10.2} s", times[BUILDS / 2].as_secs_f64());
    }
}

fn package(source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let facade = repository().join("heapcheck-rt");
    let manifest = format!(
        "[package]\nname = \"scopes\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nheapcheck-rt = {{ path = \"{}\" }}\n",
        facade.display()
    );
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), source).unwrap();
    folder
}

fn cargo(folder: &Path, line: &str, incremental: &str) -> Duration {
    let mut command = scrubbed(Path::new(env!("CARGO")), folder);
    command.args(line.split(' ')).args(["--target-dir", "target"]).env("CARGO_INCREMENTAL", incremental);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    assert!(command.status().unwrap().success(), "cargo {line}");
    begun.elapsed()
}

/// Builds the two crates, and nothing of them is there. What cargo has asked the compiler about itself stays: that is
/// asked once for a project, whatever is added to it. What comes from a registry cargo never builds incrementally.
fn cold_build(folder: &Path, profile: &str, incremental: &str) -> Duration {
    let asked = folder.join("target/.rustc_info.json");
    let kept = fs::read(&asked).unwrap();
    fs::remove_dir_all(folder.join("target")).unwrap();
    fs::create_dir(folder.join("target")).unwrap();
    fs::write(asked, kept).unwrap();
    cargo(folder, &format!("build -p heapcheck-rt --profile {profile}"), incremental)
}
