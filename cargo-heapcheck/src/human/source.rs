#![forbid(unsafe_code)]
//! A source line with a mark below it, as rustc shows it.

use std::fmt::Write;
use std::fs;

use crate::look::{ERROR, Look, MARGIN};
use crate::symbols::{Frame, shown};

/// Longer lines are cut: they were not written by hand.
const COLUMNS_MAX: usize = 160;

/// Writes where a frame is, and its line when the file is there.
pub(super) fn render(text: &mut String, frame: &Frame, label: &str, look: Look) {
    let (Some(file), Some(line)) = (&frame.file, frame.line) else { return };
    let column = frame.column.map_or(String::new(), |column| format!(":{column}"));
    let width = line.to_string().len();
    let margin = " ".repeat(width);
    let _ = writeln!(text, "{margin}{} {}:{line}{column}", look.paint(MARGIN, "-->"), shown(file));
    let source = fs::read_to_string(&**file).unwrap_or_default();
    let Some(code) = source.lines().nth(line as usize - 1) else { return };
    let code: String = code.chars().take(COLUMNS_MAX).map(|c| if c == '\t' { ' ' } else { c }).collect();
    // Columns are bytes in debug information of rustc and clang; a caret under plain text is right, elsewhere near.
    let before = frame.column.map_or(0, |column| column as usize - 1).min(code.len());
    let before = (0..=before).rev().find(|at| code.is_char_boundary(*at)).unwrap_or(0);
    let before = if frame.column.is_none() { code.len() - code.trim_start().len() } else { before };
    let rest = &code[before..];
    let word =
        rest.find(|c: char| !(c.is_alphanumeric() || "_:<>.".contains(c))).unwrap_or(rest.len()).max(1);
    let bar = look.paint(MARGIN, "|");
    let indent = " ".repeat(code[..before].chars().count());
    let mark = look.paint(
        ERROR,
        &format!("{} {label}", "^".repeat(rest[..word.min(rest.len())].chars().count().max(1))),
    );
    let number = look.paint(MARGIN, &line.to_string());
    let _ = writeln!(
        text,
        "{margin} {bar}\n{number} {bar} {code}\n{margin} {bar} {indent}{mark}\n{margin} {bar}"
    );
}
