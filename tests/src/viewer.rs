#![forbid(unsafe_code)]
//! Programs that read reports, where they are installed: pprof, graphviz, browsers.

use std::path::Path;
use std::process::Command;

use crate::fixture::{Fixture, scrubbed};
use crate::shelf::find_program;

/// A program that reads reports, in the fixture's folder; `None`, said aloud, when it is missing.
pub fn viewer(fixture: &Fixture, line: &str) -> Option<Command> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap();
    let Some(program) = find_program(name) else {
        println!("skipped: there is no {name}");
        return None;
    };
    let mut command = scrubbed(Path::new(&program), fixture.path());
    // `go tool pprof` keeps its settings there.
    command.args(words).env("HOME", fixture.path()).env("XDG_CACHE_HOME", fixture.path().join("cache"));
    Some(command)
}

/// `page.html` of a fixture as a browser has it after its scripts ran, without a word of complaint; `None`, said aloud, when
/// there is no browser. `hash` is what its address ends with.
pub fn browse(fixture: &Fixture, hash: &str) -> Option<String> {
    let Some(program) =
        ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| find_program(name))
    else {
        println!("skipped: there is no chromium");
        return None;
    };
    let mut command = scrubbed(Path::new(&program), fixture.path());
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]);
    // Containers have little room in /dev/shm.
    command.arg("--disable-dev-shm-usage");
    command.arg(format!("--user-data-dir={}", fixture.path().join("browser").display()));
    command.arg("--window-size=1300,900").env("HOME", fixture.path());
    let address = format!("file://{}{hash}", fixture.path().join("page.html").display());
    let output = command.arg(address).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("CONSOLE"), "{errors}");
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        seen.contains("data-ready=\"yes\"") && seen.contains("<p id=\"trouble\" hidden"),
        "{seen}\n{errors}"
    );
    Some(seen)
}
