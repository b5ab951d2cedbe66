#![forbid(unsafe_code)]
//! Opens a file in the person's browser.

use std::path::Path;
use std::process::{Command, Stdio};

use super::files::{find, quoted};
use crate::complaint::Complaint;

/// What opens files where nothing else is set.
const OPENERS: &[&str] = &["xdg-open", "gio open", "wslview"];

/// Opens `path` with what `BROWSER` names (several, with `:` between them, are tried in turn), else with the desktop's
/// opener.
pub(crate) fn open(path: &Path) -> Result<(), Complaint> {
    let own = std::env::var("BROWSER").unwrap_or_default();
    let own: Vec<&str> = own.split(':').filter(|command| !command.trim().is_empty()).collect();
    let candidates = if own.is_empty() { OPENERS } else { &own };
    let mut tried = Vec::new();
    for command in candidates {
        let mut words = command.split_whitespace();
        let Some(program) = words.next() else { continue };
        if !program.contains('/') && find(program).is_none() {
            tried.push(format!("`{program}` is not installed"));
            continue;
        }
        match run(program, words, path) {
            Ok(()) => return Ok(()),
            Err(why) => tried.push(why),
        }
    }
    let shown = path.display();
    Err(Complaint::usage(format!("cannot open `{shown}` in a browser: {}", tried.join(", ")))
        .hint(format!("the page is written; open file://{shown}, or set BROWSER, as in `BROWSER=firefox`")))
}

fn run<'w>(program: &str, words: impl Iterator<Item = &'w str>, path: &Path) -> Result<(), String> {
    let file = path.to_string_lossy();
    // The convention of BROWSER: `%s` is where the address goes, at the end when it is nowhere.
    let mut arguments: Vec<String> = words.map(|word| word.replace("%s", &file)).collect();
    if !arguments.iter().any(|argument| argument.contains(&*file)) {
        arguments.push(file.into_owned());
    }
    let line = [&[quoted(program)], &*arguments].concat().join(" ");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("`{line}`: {error}")),
    }
}
