#![forbid(unsafe_code)]
//! A TOML file that is read strictly: every complaint points at its line, and an unknown key is an error that names the
//! nearest known one.
//!
//! Tables are taken apart key by key. What nobody has asked for when a table is finished is unknown, so the list of known
//! keys is the code that reads them and can't fall behind it.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::complaint::Complaint;

/// Words that are further apart than this are not the same word with a mistake.
const SIMILARITY_MIN: f64 = 0.75;

/// A file, for messages that point into it.
#[derive(Debug)]
pub(crate) struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Complaint> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self { path: path.to_path_buf(), text }),
            Err(error) => Err(Complaint::usage(format!("cannot read `{}`: {error}", shown(path)))),
        }
    }

    /// Takes a text for the content of a file.
    #[cfg(test)]
    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.to_string() }
    }

    /// Reads its outermost table.
    pub(crate) fn parse(&self) -> Result<Table<'_>, Complaint> {
        match DeTable::parse(&self.text) {
            Ok(table) => Ok(Table::of(self, table.into_inner())),
            Err(error) => {
                let span = error.span().unwrap_or_default();
                Err(self.wrong(&span, format!("this is not TOML: {}", error.message())))
            }
        }
    }

    /// The file with the line of a place in it.
    pub(crate) fn place(&self, span: &Range<usize>) -> String {
        format!("{}:{}", shown(&self.path), self.text[..span.start].matches('\n').count() + 1)
    }

    /// A complaint about a place in the file, as rustc writes it.
    pub(crate) fn wrong(&self, span: &Range<usize>, what: String) -> Complaint {
        let before = &self.text[..span.start];
        let number = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let line = self.text.lines().nth(number - 1).unwrap_or_default();
        let marked = self.text[span.clone()].lines().next().unwrap_or_default().chars().count().max(1);
        let margin = " ".repeat(number.to_string().len());
        Complaint::usage(format!(
            "{what}\n{margin}--> {}:{number}:{}\n{margin} |\n{number} | {line}\n{margin} | {}{}",
            shown(&self.path),
            column + 1,
            " ".repeat(column),
            "^".repeat(marked)
        ))
    }
}

/// A table, and which of its keys are known.
#[derive(Debug)]
pub(crate) struct Table<'d> {
    document: &'d Document,
    entries: Vec<(String, Range<usize>, Value<'d>)>,
    known: Vec<&'static str>,
}

impl<'d> Table<'d> {
    fn of(document: &'d Document, table: DeTable<'d>) -> Self {
        let entries = table.into_iter().map(|(key, value)| {
            let (key_span, span) = (key.span(), value.span());
            (key.into_inner().into_owned(), key_span, Value { document, span, value: value.into_inner() })
        });
        Self { document, entries: entries.collect(), known: Vec::new() }
    }

    /// Takes a key out, and reads its value.
    pub(crate) fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Value<'d>) -> Result<T, Complaint>,
    ) -> Result<Option<T>, Complaint> {
        self.known.push(key);
        match self.entries.iter().position(|(name, _, _)| name == key) {
            Some(at) => read(self.entries.remove(at).2).map(Some),
            None => Ok(None),
        }
    }

    /// Takes out all that is left, whatever its keys: they are names that the person chose.
    pub(crate) fn take_named(&mut self) -> Vec<(String, Value<'d>)> {
        self.entries.drain(..).map(|(name, _, value)| (name, value)).collect()
    }

    /// Complains about what is left: its keys are unknown.
    pub(crate) fn finish(self) -> Result<(), Complaint> {
        let first = self.entries.into_iter().min_by_key(|(_, span, _)| span.start);
        let Some((name, span, _)) = first else { return Ok(()) };
        let complaint = self.document.wrong(&span, format!("unknown key `{name}`"));
        Err(complaint.hint(match nearest(&name, &self.known) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("the keys that are known here are {}", quoted(&self.known)),
        }))
    }
}

/// A value, and where it stands.
#[derive(Debug)]
pub(crate) struct Value<'d> {
    document: &'d Document,
    span: Range<usize>,
    value: DeValue<'d>,
}

impl<'d> Value<'d> {
    /// A complaint about it.
    pub(crate) fn wrong(&self, what: String) -> Complaint {
        self.document.wrong(&self.span, what)
    }

    fn expected(&self, what: &str) -> Complaint {
        self.wrong(format!("expected {what}, found {}", kind(&self.value)))
    }

    /// The file and line of it.
    pub(crate) fn place(&self) -> String {
        self.document.place(&self.span)
    }

    /// Reads a string.
    pub(crate) fn string(self) -> Result<String, Complaint> {
        self.value.as_str().map(str::to_string).ok_or_else(|| self.expected("a string"))
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(self) -> Result<bool, Complaint> {
        self.value.as_bool().ok_or_else(|| self.expected("`true` or `false`"))
    }

    /// Reads what `parse` understands, written as a string, or as a number or date without quotes.
    pub(crate) fn parsed<T>(
        self,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Complaint> {
        let text = match &self.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_string(),
            DeValue::Datetime(date) => date.to_string(),
            _ => return Err(self.expected(what)),
        };
        parse(&text).map_err(|why| self.wrong(format!("expected {what}, found `{text}`: {why}")))
    }

    /// Reads one of several words.
    pub(crate) fn word(self, what: &str, words: &[&'static str]) -> Result<&'static str, Complaint> {
        let Some(text) = self.value.as_str() else { return Err(self.expected(&format!("a {what}"))) };
        words.iter().copied().find(|word| *word == text).ok_or_else(|| {
            let hint = match nearest(text, words) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("there are {}", quoted(words)),
            };
            self.wrong(format!("unknown {what} `{text}`")).hint(hint)
        })
    }

    /// Reads a string or a list of strings.
    pub(crate) fn strings(self) -> Result<Vec<String>, Complaint> {
        let document = self.document;
        match self.value {
            DeValue::String(text) => Ok(vec![text.into_owned()]),
            DeValue::Array(list) => {
                let each = list.into_iter().map(|item| {
                    let span = item.span();
                    Value { document, span, value: item.into_inner() }.string()
                });
                each.collect()
            }
            _ => Err(self.expected("a string or a list of strings")),
        }
    }

    /// Reads a table.
    pub(crate) fn table(self) -> Result<Table<'d>, Complaint> {
        match self.value {
            DeValue::Table(table) => Ok(Table::of(self.document, table)),
            _ => Err(self.expected("a table")),
        }
    }

    /// Reads a list of tables, each with its place.
    pub(crate) fn tables(self) -> Result<Vec<(Value<'d>, Table<'d>)>, Complaint> {
        let document = self.document;
        let DeValue::Array(list) = self.value else { return Err(self.expected("a list of tables")) };
        let each = list.into_iter().map(|item| {
            let span = item.span();
            let place = Value { document, span: span.clone(), value: DeValue::Boolean(true) };
            let table = Value { document, span, value: item.into_inner() }.table()?;
            Ok((place, table))
        });
        each.collect()
    }
}

fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string `{text}`"),
        DeValue::Integer(number) => format!("the number `{}`", number.as_str()),
        DeValue::Float(number) => format!("the number `{}`", number.as_str()),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Datetime(date) => format!("the date `{date}`"),
        DeValue::Array(_) => "a list".to_string(),
        DeValue::Table(_) => "a table".to_string(),
    }
}

/// The word that was probably meant.
pub(crate) fn nearest<'w>(name: &str, words: &[&'w str]) -> Option<&'w str> {
    let rated = words.iter().map(|word| (strsim::jaro_winkler(name, word), *word));
    let best = rated.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(best.1).filter(|_| best.0 >= SIMILARITY_MIN)
}

/// Words in a row, each in backticks.
pub(crate) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A path as people write it: relative to the current folder when it lies below that.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
