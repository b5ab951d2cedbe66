#![forbid(unsafe_code)]
//! Source files, each read once: thousands of leaks may come from one of them.

use std::collections::HashMap;
use std::fs;

/// The files that were asked for, by their lines.
#[derive(Debug, Default)]
pub(super) struct Sources {
    files: HashMap<String, Vec<String>>,
}

impl Sources {
    /// The lines of a file; none when it can't be read.
    pub(super) fn lines(&mut self, file: &str) -> &[String] {
        self.files.entry(file.to_string()).or_insert_with(|| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().map(str::to_string).collect()
        })
    }
}
