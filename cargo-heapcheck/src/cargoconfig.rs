#![forbid(unsafe_code)]
//! What cargo's configuration says, and where: in files a relative path starts at the folder around `.cargo`.
//!
//! Cargo itself is asked, because nobody else reads all of it (`include`, `--config`). The question is unstable, and is
//! allowed by `RUSTC_BOOTSTRAP` for this one call; without an answer nothing is configured. Variables are not in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use toml::{Table, Value};

/// How cargo calls the place of what was typed as `--config KEY=VALUE`.
const TYPED: &str = "--config cli option";

/// The configuration, merged from all files and `--config`.
#[derive(Debug, Default)]
pub(crate) struct CargoConfig {
    entries: Vec<Entry>,
    /// As cargo writes it.
    text: String,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The way to it.
    pub(crate) keys: Vec<String>,
    /// What it is.
    pub(crate) value: Value,
    /// The file that says so, or how cargo calls another place.
    pub(crate) origin: String,
}

impl Entry {
    /// Whether it was typed, not read from a file.
    pub(crate) fn is_typed(&self) -> bool {
        self.origin == TYPED
    }

    /// A list of words, or one string of them.
    pub(crate) fn words(&self) -> Vec<String> {
        match &self.value {
            Value::String(words) => words.split_whitespace().map(str::to_string).collect(),
            Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_string).collect(),
            _ => Vec::new(),
        }
    }

    /// The words of a program with its arguments. A first word with a slash is a path, and made absolute as cargo does.
    pub(crate) fn command(&self) -> Vec<String> {
        let mut words = self.words();
        if let Some(program) = words.first_mut() {
            *program = self.program(program);
        }
        words
    }

    /// The path of a program, absolute where it has a slash in it.
    pub(crate) fn program(&self, word: &str) -> String {
        let file = Path::new(&self.origin);
        let folder = file.parent().and_then(Path::parent).filter(|_| file.is_absolute());
        resolved(word, folder.map(Path::to_path_buf))
    }
}

/// A program as cargo finds it: a path with a slash starts at the folder, or where the person is; any other is looked for
/// in `PATH`.
pub(crate) fn resolved(word: &str, folder: Option<PathBuf>) -> String {
    if !word.contains('/') {
        return word.to_string();
    }
    let folder = folder.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    folder.join(word).to_string_lossy().into_owned()
}

impl CargoConfig {
    /// Asks cargo, as it is called with these arguments.
    pub(crate) fn ask(arguments: &[OsString]) -> Self {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.env("RUSTC_BOOTSTRAP", "1").args(["-Zunstable-options", "config", "get", "--show-origin"]);
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if *argument == "--config" {
                command.arg(argument).args(rest.next());
            } else if argument.as_encoded_bytes().starts_with(b"--config=") {
                command.arg(argument);
            }
        }
        let output = command.stdin(Stdio::null()).output().map(|output| output.stdout).unwrap_or_default();
        Self::read(&String::from_utf8_lossy(&output))
    }

    /// Reads `cargo config get --show-origin`: a line `key = value # origin` for each value, and for a list one more for
    /// each of its values.
    fn read(text: &str) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut list: Option<Entry> = None;
        for line in text.lines() {
            if let Some(open) = &mut list {
                if line == "]" {
                    entries.extend(list.take());
                } else if let Some((value, origin)) = split(line, |text| {
                    value_of(&format!("value = {}", text.trim_end().trim_end_matches(','))).map(|(_, v)| v)
                }) {
                    // A program is named by the first word.
                    if let Value::Array(values) = &mut open.value {
                        if values.is_empty() {
                            open.origin = origin;
                        }
                        values.push(value);
                    }
                }
            } else if let Some((keys, value)) =
                line.strip_suffix('[').and_then(|l| value_of(&format!("{l}[]")))
            {
                list = Some(Entry { keys, value, origin: String::new() });
            } else if let Some(((keys, value), origin)) = split(line, value_of) {
                entries.push(Entry { keys, value, origin });
            }
        }
        Self { entries, text: text.to_string() }
    }

    /// The value behind these keys.
    pub(crate) fn get(&self, keys: &[&str]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.keys == keys)
    }

    /// The values `target.'cfg(..)'.<name>`, with what stands in the key.
    pub(crate) fn of_cfgs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        self.entries.iter().filter_map(move |entry| match entry.keys.as_slice() {
            [target, cfg, last] if target == "target" && cfg.starts_with("cfg(") && last == name => {
                Some((cfg.as_str(), entry))
            }
            _ => None,
        })
    }

    /// Whether these words stand in it anywhere.
    pub(crate) fn mentions(&self, words: &str) -> bool {
        self.text.contains(words)
    }
}

/// Reads what stands before the first ` # ` that is no part of a value.
fn split<T>(line: &str, read: impl Fn(&str) -> Option<T>) -> Option<(T, String)> {
    line.match_indices(" # ").find_map(|(at, mark)| {
        let (before, origin) = (&line[..at], &line[at + mark.len()..]);
        Some((read(before)?, origin.to_string()))
    })
}

/// The keys and the value of a line of TOML.
fn value_of(line: &str) -> Option<(Vec<String>, Value)> {
    let table: Table = line.parse().ok()?;
    let mut keys = Vec::new();
    let mut value = Value::Table(table);
    while let Value::Table(table) = value {
        let (key, inner) = table.into_iter().next()?;
        keys.push(key);
        value = inner;
    }
    Some((keys, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"build.rustc-wrapper = "tools/a # b" # /home/p/.cargo/config.toml
build.target = "x86_64-unknown-linux-musl" # --config cli option
target.'cfg(target_os="linux")'.runner = [
    "in/run", # /home/p/.cargo/../inc # x/more.toml
    "two words", # /home/p/.cargo/config.toml
]
target."cfg(unix)".runner = "./run a b" # environment variable `A`
# The following environment variables may affect the loaded values.
# CARGO_HOME=/home/p/.cargo
"#;

    #[test]
    fn a_program_is_found_from_the_file_that_names_it() {
        let config = CargoConfig::read(SAID);
        let wrapper = config.get(&["build", "rustc-wrapper"]).unwrap();
        assert_eq!(wrapper.command(), ["/home/p/tools/a", "#", "b"]);
        assert_eq!(wrapper.program("tools/a # b"), "/home/p/tools/a # b");
        assert!(config.get(&["build", "target"]).unwrap().is_typed());
        assert_eq!(config.get(&["build", "rustc"]), None);
        let cfgs: Vec<_> = config.of_cfgs("runner").map(|(cfg, entry)| (cfg, entry.command())).collect();
        let here = std::env::current_dir().unwrap().join("./run");
        let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        let expected = [
            (r#"cfg(target_os="linux")"#, words(&["/home/p/.cargo/../in/run", "two words"])),
            ("cfg(unix)", words(&[here.to_str().unwrap(), "a", "b"])),
        ];
        assert_eq!(cfgs, expected);
    }

    #[test]
    fn what_cargo_does_not_say_is_not_configured() {
        assert!(CargoConfig::read("error: no\nbuild.jobs = [\n").entries.is_empty());
    }
}
