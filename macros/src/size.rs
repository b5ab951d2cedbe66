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

const WHOLE: &str = "; the number of a size is whole: write \"1500KB\" for \"1.5MB\"";
const LARGE: &str = "; that is more than 64 bits can count";
const NO_NUMBER: &str = "; a size begins with a number";
const NO_UNIT: &str = "; the units are `B`, `KB`, `MB`, `GB`, `KiB`, `MiB`, `GiB`";

/// Reads a size, or says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<u64, &'static str> {
    let text = without_spaces(text.as_bytes());
    let Some((number, rest)) = digits(text, 10) else {
        return Err(if let [b'0'..=b'9', ..] = text { LARGE } else { NO_NUMBER });
    };
    let mut unit = Vec::new();
    for letter in without_spaces(rest) {
        unit.push(letter.to_ascii_lowercase());
    }
    for (name, factor) in UNITS {
        if name.as_bytes() == unit {
            return match number.checked_mul(*factor) {
                Some(bytes) => Ok(bytes),
                None => Err(LARGE),
            };
        }
    }
    Err(if let [b'.' | b',', ..] = rest { WHOLE } else { NO_UNIT })
}

fn without_spaces(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{LARGE, NO_NUMBER, NO_UNIT, WHOLE, parse};

    #[test]
    fn sizes_are_read_as_they_are_written() {
        let check = |text: &str, expected: Result<u64, &str>| assert_eq!(parse(text), expected, "{text}");
        check("0", Ok(0));
        check("512", Ok(512));
        check("1KB", Ok(1000));
        check("1kb", Ok(1000));
        check("24MB", Ok(24_000_000));
        check("1 KiB", Ok(1024));
        check(" 1 KB ", Ok(1000));
        check("1_000 b", Ok(1000));
        check("2gib", Ok(2 << 30));
        check("", Err(NO_NUMBER));
        check(" ", Err(NO_NUMBER));
        check("KB", Err(NO_NUMBER));
        check("-1", Err(NO_NUMBER));
        check("1.5MB", Err(WHOLE));
        check("1,5 MB", Err(WHOLE));
        check("1 mile", Err(NO_UNIT));
        check("1 K B", Err(NO_UNIT));
        check("99999999999999999999", Err(LARGE));
        check("99999999999GB", Err(LARGE));
    }
}
