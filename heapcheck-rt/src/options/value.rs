#![forbid(unsafe_code)]
//! One value: from bytes into the options as its row says, or an error that names what was expected.

use super::settings::{Children, Ignored, Options};
use super::table::{Family, Kind, LSAN_OPTIONS, Row};
use crate::text::Text;

/// A setting that can't be used. It renders itself as the line that is printed, and a hint where names do not say it all.
#[derive(Clone, Copy, Debug)]
pub enum OptionError<'a> {
    /// A value is not what its row says.
    Value {
        /// The setting.
        row: &'static Row,
        /// What was given.
        value: &'a [u8],
    },
    /// Two signals have one number.
    SameSignal {
        /// The number.
        signal: i32,
    },
    /// A flag of `LSAN_OPTIONS` has no end.
    Quote {
        /// From the quote on.
        rest: &'a [u8],
    },
}

/// How much of a bad value is shown.
const SHOWN_MAX: usize = 64;

impl OptionError<'_> {
    /// Writes the line, and the hint.
    pub fn write(&self, text: &mut Text<'_>) {
        text.str("heapcheck: ");
        match *self {
            Self::Value { row, value } => {
                write_name(text, row);
                text.str(": '").printable(value, SHOWN_MAX).str("' is not ");
                write_expected(text, &row.kind);
                text.str(if matches!(row.kind, Kind::Choice { .. } | Kind::List { .. }) {
                    ": "
                } else {
                    "\nheapcheck: hint: "
                });
                write_hint(text, row, value);
            }
            Self::SameSignal { signal } => {
                text.str("HEAPCHECK_SIGNAL: '").signed(signal.into());
                text.str("' is also the signal that stops threads\nheapcheck: hint: ");
                text.str("choose another number, or set HEAPCHECK_STOP_SIGNAL to another real-time signal");
            }
            Self::Quote { rest } => {
                text.str(LSAN_OPTIONS).str(": no closing quote in ").printable(rest, SHOWN_MAX);
                text.str("\nheapcheck: hint: quote a whole value, as in suppressions='a file'");
            }
        }
        text.str("\n");
    }
}

fn write_name(text: &mut Text<'_>, row: &Row) {
    if row.family == Family::Lsan {
        text.str(LSAN_OPTIONS).str(": ");
    }
    text.str(row.name);
}

fn write_expected(text: &mut Text<'_>, kind: &Kind) {
    match *kind {
        Kind::Choice { noun, .. } => text.str(noun),
        Kind::List { noun, .. } => text.str("a list of names, each ").str(noun),
        Kind::Number { min, max, .. } => text.str("a number from ").signed(min).str(" to ").signed(max),
        Kind::Switch { .. } => text.str("0 or 1"),
        Kind::Path { .. } => text.str("a path"),
        Kind::Children => text.str("none, all or the absolute path of a folder"),
        Kind::Moot { .. } => text.str("used"),
    };
}

fn write_hint(text: &mut Text<'_>, row: &Row, value: &[u8]) {
    match row.kind {
        Kind::Choice { names, .. } => write_near(text, value, names),
        Kind::List { names, .. } => {
            let bad = items(value).find(|item| item.find(names).is_none()).map_or(value, |item| item.name);
            write_near(text, bad, names);
        }
        _ if row.default.is_empty() => {
            text.str("leave it unset to switch it off");
        }
        _ => {
            text.str("leave it unset for the default, which is ").str(row.default);
        }
    }
}

/// Writes the name that `value` was probably meant to be, or all names.
fn write_near(text: &mut Text<'_>, value: &[u8], names: &[&'static str]) {
    if let Some(name) = nearest(value, names) {
        text.str("did you mean '").str(name).str("'? ");
    }
    text.str("it can be ");
    for (index, name) in names.iter().enumerate() {
        text.str(if index == 0 {
            ""
        } else if index + 1 == names.len() {
            " or "
        } else {
            ", "
        });
        text.str(name);
    }
}

/// Applies `value` to the options. An empty value is the same as none.
pub fn apply<'a>(
    options: &mut Options<'a>,
    row: &'static Row,
    value: &'a [u8],
) -> Result<(), OptionError<'a>> {
    if value.is_empty() {
        return Ok(());
    }
    let bad = OptionError::Value { row, value };
    match row.kind {
        Kind::Choice { names, set, .. } => set(options, find(value, names).ok_or(bad)?),
        Kind::List { names, set, .. } => set(options, read_list(value, names).ok_or(bad)?),
        Kind::Number { min, max, set } => {
            let number = read_number(value).filter(|number| (min..=max).contains(number));
            set(options, number.ok_or(bad)?);
        }
        Kind::Switch { set } => set(options, read_switch(value).ok_or(bad)?),
        Kind::Path { set } => set(options, value),
        Kind::Children => {
            options.children = match value {
                b"none" => Children::None,
                b"all" => Children::All,
                [b'/', ..] => Children::Below(value),
                _ => return Err(bad),
            }
        }
        Kind::Moot { why } => options.notes.add(Ignored { name: row.name.as_bytes(), why: Some(why) }),
    }
    Ok(())
}

fn find(value: &[u8], names: &[&str]) -> Option<usize> {
    names.iter().position(|name| value.eq_ignore_ascii_case(name.as_bytes()))
}

fn read_number(value: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_i64;
    for &digit in digits {
        let digit = digit.is_ascii_digit().then_some(i64::from(digit) - i64::from(b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if is_negative { -number } else { number })
}

/// Reads a switch as both gperftools (`t`, `y`, `1`) and the sanitizers (`yes`, `true`, `1`) spell it.
fn read_switch(value: &[u8]) -> Option<bool> {
    let is_any = |names: &[&str]| find(value, names).is_some();
    if is_any(&["1", "true", "yes", "on", "t", "y"]) {
        Some(true)
    } else if is_any(&["0", "false", "no", "off", "f", "n"]) {
        Some(false)
    } else {
        None
    }
}

/// One item of a list: a name, put in or taken out.
struct Item<'a> {
    name: &'a [u8],
    is_in: bool,
}

impl Item<'_> {
    /// The bits it names.
    fn find(&self, names: &[&str]) -> Option<u16> {
        if self.name.eq_ignore_ascii_case(b"all") {
            return Some(every(names));
        }
        find(self.name, names).map(|index| 1 << index)
    }
}

fn every(names: &[&str]) -> u16 {
    ((1_u32 << names.len()) - 1) as u16
}

fn items(value: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let names = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
    names.map(|name| match name {
        [b'-', name @ ..] => Item { name, is_in: false },
        name => Item { name, is_in: true },
    })
}

/// Reads a list. One that begins by taking something out begins with everything.
fn read_list(value: &[u8], names: &[&str]) -> Option<u16> {
    let mut bits = if items(value).next().is_some_and(|item| !item.is_in) { every(names) } else { 0 };
    for item in items(value) {
        let named = item.find(names)?;
        bits = if item.is_in { bits | named } else { bits & !named };
    }
    Some(bits)
}

/// Finds the name that takes the fewest edits, if that is less than half of its length.
pub fn nearest(value: &[u8], names: &[&'static str]) -> Option<&'static str> {
    let near = names.iter().map(|&name| (edits(value, name.as_bytes()), name)).min_by_key(|near| near.0)?;
    (near.0 * 2 < near.1.len().max(2)).then_some(near.1)
}

/// The longest name that edits are counted for.
const NAME_MAX: usize = 40;

/// Counts the edits from `from` to `to` (Levenshtein), with one row in place. Longer input is as far as can be.
fn edits(from: &[u8], to: &[u8]) -> usize {
    if to.len() > NAME_MAX || from.len() > NAME_MAX {
        return usize::MAX / 2;
    }
    let mut row = [0; NAME_MAX + 1];
    for (index, cost) in row.iter_mut().enumerate() {
        *cost = index;
    }
    for (done, byte) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = done + 1;
        for (index, other) in to.iter().enumerate() {
            let swap = diagonal + usize::from(!byte.eq_ignore_ascii_case(other));
            diagonal = row[index + 1];
            row[index + 1] = swap.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[to.len()]
}
