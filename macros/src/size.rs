#![forbid(unsafe_code)]
//! Sizes as people write them: `"24MB"`, `"1 KiB"`, `"512"`.

use crate::literal::digits;

/// The units, with their bytes. As in nextest, cargo and on the packets of disks: `K` is a thousand, `Ki` is 1024.
const UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("kb", 1000),
    ("mb", 1000 * 1000),
    ("gb", 1000 * 1000 * 1000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// How sizes look, for messages.
pub(crate) const SHAPE: &str = "a size such as \"1KB\", \"24MB\", \"512 KiB\", or a number of bytes";

/// Reads a size.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let (number, rest) = digits(without_spaces(text.as_bytes()))?;
    let mut unit = Vec::new();
    for letter in without_spaces(rest) {
        unit.push(letter.to_ascii_lowercase());
    }
    for (name, factor) in UNITS {
        if name.as_bytes() == unit {
            return number.checked_mul(*factor);
        }
    }
    None
}

fn without_spaces(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(parse(text), expected, "{text}");
        check("0", Some(0));
        check("512", Some(512));
        check("1KB", Some(1000));
        check("24MB", Some(24_000_000));
        check("1 KiB", Some(1024));
        check("1_000 b", Some(1000));
        check("2gib", Some(2 << 30));
        check("", None);
        check("KB", None);
        check("1.5MB", None);
        check("-1", None);
        check("1 mile", None);
        check("99999999999999999999", None);
        check("99999999999GB", None);
    }
}
