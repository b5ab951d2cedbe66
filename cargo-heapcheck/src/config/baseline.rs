#![forbid(unsafe_code)]
//! The baseline: leaks that were there when somebody accepted them. New and grown ones still fail.
//!
//! An entry is found by its program, test and signature, never by a line number, so that it survives edits around it.
//! What it is about is for whoever reviews the file.

use std::fmt::Write;

use heapcheck_rt::record::LeakKind;
use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::config::document::{Document, Table, Value};
use crate::figures::counted;

/// Changes when a reader of the last one would misread.
const VERSION: u64 = 1;
const HEAD: &str = "\
# Leaks that are known: only new and grown ones fail. Written by `cargo heapcheck accept`, which also drops what is gone.
version = 1
";

/// What an entry is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    /// The program.
    pub(crate) program: String,
    /// The test; empty for a program without tests.
    pub(crate) test: String,
    /// The signature of the leak.
    pub(crate) signature: String,
}

/// One known leak.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// What it is known by.
    pub(crate) key: Key,
    /// The kind of leak.
    pub(crate) kind: String,
    /// As many bytes are known.
    pub(crate) bytes: u64,
    /// As many blocks are.
    pub(crate) blocks: u64,
    /// For people: the type, the function and the line.
    pub(crate) about: String,
}

impl Known {
    fn read(place: &Value<'_>, mut table: Table<'_>) -> Result<Self, Complaint> {
        let missing = |name: &str| place.wrong(format!("this leak has no `{name}`"));
        let kinds: Vec<&'static str> = LeakKind::ALL.iter().map(|kind| kind.name()).collect();
        let number =
            |value: Value<'_>| value.parsed("a number", |text| text.parse().map_err(|_| "it is none".into()));
        let read = Self {
            key: Key {
                program: table.take("program", |value| value.string())?.ok_or_else(|| missing("program"))?,
                test: table.take("test", |value| value.string())?.unwrap_or_default(),
                signature: table
                    .take("signature", |value| value.string())?
                    .ok_or_else(|| missing("signature"))?,
            },
            kind: table
                .take("kind", |value| value.word("kind of leak", &kinds))?
                .unwrap_or_default()
                .to_string(),
            bytes: table.take("bytes", number)?.ok_or_else(|| missing("bytes"))?,
            blocks: table.take("blocks", number)?.ok_or_else(|| missing("blocks"))?,
            about: table.take("about", |value| value.string())?.unwrap_or_default(),
        };
        table.finish()?;
        Ok(read)
    }

    /// How a person knows it.
    pub(crate) fn name(&self) -> String {
        let Key { program, test, .. } = &self.key;
        let whose = if test.is_empty() { program } else { test };
        format!("{} in {} of `{whose}`", counted(self.bytes, "byte"), counted(self.blocks, "block"))
    }
}

/// Reads a baseline.
pub(crate) fn read(document: &Document) -> Result<Vec<Known>, Complaint> {
    let mut table = document.parse()?;
    table.take("version", |value| {
        value.parsed("a version", |text| match text.parse::<u64>() {
            Ok(VERSION) => Ok(()),
            _ => Err(format!("this heapcheck knows version {VERSION}")),
        })
    })?;
    let leaks = table.take("leak", |value| value.tables())?.unwrap_or_default();
    table.finish()?;
    leaks.into_iter().map(|(place, table)| Known::read(&place, table)).collect()
}

/// Writes a baseline, in the order of its keys.
pub(crate) fn write(known: &[Known]) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_string()).to_string();
    let mut sorted: Vec<&Known> = known.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let mut text = HEAD.to_string();
    for known in sorted {
        let _ = writeln!(
            text,
            "\n[[leak]]\nabout = {}\nprogram = {}",
            quoted(&known.about),
            quoted(&known.key.program)
        );
        if !known.key.test.is_empty() {
            let _ = writeln!(text, "test = {}", quoted(&known.key.test));
        }
        let _ = writeln!(text, "signature = {}", quoted(&known.key.signature));
        let _ = writeln!(
            text,
            "kind = {}\nbytes = {}\nblocks = {}",
            quoted(&known.kind),
            known.bytes,
            known.blocks
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_reads_back_in_a_stable_order() {
        let known = |program: &str, test: &str, signature: &str| Known {
            key: Key { program: program.into(), test: test.into(), signature: signature.into() },
            kind: "direct".into(),
            bytes: 10,
            blocks: 2,
            about: "a leak".into(),
        };
        let sorted =
            [known("a", "", "2"), known("a", "x::\"y\"", "1"), known("b", "x", "0"), known("b", "x", "1")];
        let text = write(&[3, 0, 2, 1].map(|at: usize| sorted[at].clone()));
        assert_eq!(read(&Document::of("x.toml", &text)).unwrap(), sorted);
        assert_eq!(write(&sorted), text);
    }

    #[test]
    fn a_baseline_that_lacks_something_is_refused() {
        for text in
            ["version = 2", "leaks = 1", "[[leak]]\nprogram = 'a'\nsignature = 'b'\nbytes = 1", "leak = 1"]
        {
            assert!(read(&Document::of("x.toml", text)).is_err(), "{text}");
        }
    }
}
