#![forbid(unsafe_code)]
//! Fixtures of the tool: packages of `cases/cli`, each copied to a folder of its own and run in a scrubbed environment;
//! exit code, stdout and stderr are compared with a file beside the fixture.
//!
//! `HEAPCHECK_BLESS=1` writes those files anew. What differs from run to run is replaced, in the order of `normalise`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::build::repository;

const ENVIRONMENT_KEPT: &[&str] =
    &["PATH", "HOME", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN", "RUSTUP_AUTO_INSTALL"];

/// The tool, built once for all tests of a file.
pub fn tool() -> &'static Path {
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
pub fn runtime() -> &'static str {
    static RUNTIME: OnceLock<String> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let outside = tempfile::tempdir().unwrap();
        let mut command = scrubbed(tool(), outside.path());
        command.args(["heapcheck", "runtime"]).env("XDG_CACHE_HOME", scratch());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    })
}

/// A command that sees nothing of the environment but what finds the toolchain.
pub fn scrubbed(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(folder).env("TERM", "dumb").env("CARGO_TERM_COLOR", "never");
    command.envs(ENVIRONMENT_KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

/// A copy of a fixture, and what was seen there so far.
#[derive(Debug)]
pub struct Fixture {
    name: &'static str,
    folder: tempfile::TempDir,
}

impl Fixture {
    /// The fixture `name` of `cases/cli`.
    pub fn new(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&cases().join(name), folder.path());
        Self { name, folder }
    }

    /// A package of `cases/scopes`.
    pub fn of_scopes(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&cases().join("../scopes").join(name), folder.path());
        Self { name, folder }
    }

    /// A package of `examples`, with its expectations in `cases/cli` under the same name.
    pub fn of_example(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&repository().join("examples").join(name), folder.path());
        Self { name, folder }
    }

    /// Where the copy lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The tool with a line of arguments, to be run in the copy.
    pub fn command(&self, line: &str) -> Command {
        let mut command = scrubbed(tool(), self.path());
        command.arg("heapcheck").args(line.split_whitespace()).env("HEAPCHECK_RT", runtime());
        command.env("XDG_CACHE_HOME", self.path().join("cache"));
        command
    }

    /// Runs a line and compares what a person sees with the file `<step>.txt`.
    pub fn check(&self, step: &str, line: &str) {
        self.check_command(step, line, &mut self.command(line));
    }

    /// The same for a command that was prepared otherwise.
    pub fn check_command(&self, step: &str, line: &str, command: &mut Command) {
        let output = command.output().unwrap();
        let mut seen = format!("$ cargo heapcheck {line}\n");
        let code = output.status.code().map_or("a signal".to_string(), |code| code.to_string());
        let _ = writeln!(seen, "exit code: {code}");
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let _ = write!(seen, "--- {name}\n{}", String::from_utf8_lossy(bytes));
        }
        self.check_text(step, &seen);
    }

    /// Compares a text with the file `<step>.txt`.
    pub fn check_text(&self, step: &str, text: &str) {
        let seen = normalise(text, self.path());
        let expected = cases().join(self.name).join("expected").join(format!("{step}.txt"));
        if std::env::var_os("HEAPCHECK_BLESS").is_some() {
            fs::create_dir_all(expected.parent().unwrap()).unwrap();
            fs::write(&expected, &seen).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert!(seen == wanted, "{} differs; now it is:\n{seen}", expected.display());
    }
}

/// A folder that outlives the tests: cargo's for them, beside the profile's.
fn scratch() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("tmp")
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
            name_repository(&target);
        }
    }
}

/// Puts the path of this repository where a manifest says `@repository@`.
fn name_repository(path: &Path) {
    let Ok(text) = fs::read_to_string(path) else { return };
    // Examples name it by where they lie.
    let named = text.replace("\"../../heapcheck-rt\"", "\"@repository@/heapcheck-rt\"");
    if named.contains("@repository@") {
        fs::write(path, named.replace("@repository@", repository().to_str().unwrap())).unwrap();
    }
}

/// Replaces what differs between runs, folders and toolchains.
fn normalise(text: &str, folder: &Path) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    // Of a minute and more cargo says `1m 05s`, and of an hour `1h 02m 03s`.
    let is_time = |c: char| c.is_ascii_digit() || matches!(c, '.' | ' ' | 'm' | 'h');
    let is_hex = |c: char| c.is_ascii_hexdigit();
    let text = text.replace(folder.canonicalize().unwrap().to_str().unwrap(), "$DIR");
    let text = text.replace(folder.to_str().unwrap(), "$DIR");
    let text = text.replace(tool().to_str().unwrap(), "$TOOL").replace(runtime(), "$RUNTIME");
    let text = text.replace(repository().to_str().unwrap(), "$HOUSE");
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
    let varies = [
        "    Blocking waiting for file lock",
        "all doctests ran in",
        "    #",
        "heapcheck: the record is",
        "heapcheck: hint: for types",
    ];
    // Which viewers there are differs from machine to machine.
    let viewers = ["    go tool pprof ", "    pprof ", "    google-pprof "];
    let varies = [&varies[..], &viewers, &["Build ID: ", "File: "]].concat();
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
pub fn compile(fixture: &Fixture, source: &str, flags: &[&str]) {
    let mut command = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    command.current_dir(fixture.path()).args(["-g", "-o", source.trim_end_matches(".c"), source]).args(flags);
    assert!(command.status().unwrap().success());
}
