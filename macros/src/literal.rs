#![forbid(unsafe_code)]
//! Values of arguments: string and number literals, as the compiler hands them over.

use proc_macro::{Delimiter, Span, TokenTree};

/// A literal.
pub(crate) enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Number(u64),
    /// Anything else.
    Other,
}

const SUFFIXES: &[&str] = &["u8", "u16", "u32", "u64", "usize", "i32", "i64"];

/// Reads the value of a token. Literals that came through a `macro_rules` are wrapped in an invisible group.
pub(crate) fn value(token: &TokenTree) -> (Value, Span) {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inner = group.stream().into_iter();
            match (inner.next(), inner.next()) {
                (Some(token), None) => value(&token),
                _ => (Value::Other, group.span()),
            }
        }
        TokenTree::Literal(literal) => (parse(&literal.to_string()), literal.span()),
        token => (Value::Other, token.span()),
    }
}

fn parse(written: &str) -> Value {
    match written.as_bytes() {
        [b'"', text @ .., b'"'] => unescaped(text),
        [b'r', text @ ..] => text_of(bare(text)),
        [b'0', b'x', text @ ..] => number(digits(text, 16)),
        [b'0', b'o', text @ ..] => number(digits(text, 8)),
        [b'0', b'b', text @ ..] => number(digits(text, 2)),
        [b'0'..=b'9', ..] => number(digits(written.as_bytes(), 10)),
        _ => Value::Other,
    }
}

fn number(digits: Option<(u64, &[u8])>) -> Value {
    match digits {
        Some((number, suffix)) if suffix.is_empty() || is_suffix(suffix) => Value::Number(number),
        _ => Value::Other,
    }
}

/// What stands between the quotes of a raw string.
fn bare(mut text: &[u8]) -> &[u8] {
    while let [b'#', inner @ .., b'#'] = text {
        text = inner;
    }
    match text {
        [b'"', inner @ .., b'"'] => inner,
        other => other,
    }
}

fn text_of(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => Value::Text(text.to_string()),
        Err(_) => Value::Other,
    }
}

fn is_suffix(written: &[u8]) -> bool {
    for suffix in SUFFIXES {
        if suffix.as_bytes() == written {
            return true;
        }
    }
    false
}

/// The number that a text begins with, and what comes behind it. Digits may be grouped by `_`.
pub(crate) fn digits(text: &[u8], radix: u64) -> Option<(u64, &[u8])> {
    let (mut number, mut rest, mut is_number) = (0u64, text, false);
    while let [digit, behind @ ..] = rest {
        let value = match digit {
            b'0'..=b'9' => *digit - b'0',
            b'a'..=b'f' => *digit - b'a' + 10,
            b'A'..=b'F' => *digit - b'A' + 10,
            b'_' => 0,
            _ => break,
        };
        if u64::from(value) >= radix {
            break;
        }
        if *digit != b'_' {
            number = number.checked_mul(radix)?.checked_add(u64::from(value))?;
            is_number = true;
        }
        rest = behind;
    }
    if is_number { Some((number, rest)) } else { None }
}

/// Undoes the escapes that can stand in a path or a size.
fn unescaped(text: &[u8]) -> Value {
    let mut plain = Vec::new();
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'\\' {
            plain.push(*first);
            continue;
        }
        let [escaped, behind @ ..] = rest else { return Value::Other };
        rest = behind;
        plain.push(match escaped {
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' | b'"' | b'\'' => *escaped,
            _ => return Value::Other,
        });
    }
    text_of(&plain)
}

#[cfg(test)]
mod tests {
    use super::{Value, parse};

    #[test]
    fn literals_are_read_as_rust_does() {
        let text = |written: &str, expected: &str| match parse(written) {
            Value::Text(text) => assert_eq!(text, expected, "{written}"),
            _ => panic!("{written} is no text"),
        };
        text(r#""a b""#, "a b");
        text(r#""""#, "");
        text(r#""a\"b\\c""#, "a\"b\\c");
        text(r#""größe""#, "größe");
        text(r##"r#"a"b"#"##, "a\"b");
        text(r##"r"a\b""##, "a\\b");
        text(r###"r##"#a#"##"###, "#a#");
        for (written, expected) in [
            ("0", 0),
            ("10", 10),
            ("1_000", 1000),
            ("7u32", 7),
            ("1_000_usize", 1000),
            ("0xff_C", 0xffc),
            ("0x10u8", 16),
            ("0o17", 15),
            ("0b101", 5),
            ("18446744073709551615", u64::MAX),
        ] {
            assert!(matches!(parse(written), Value::Number(number) if number == expected), "{written}");
        }
        for written in [
            "1.5",
            "'c'",
            "-1",
            "1KB",
            "0x",
            "0b2",
            "b\"x\"",
            "c\"x\"",
            "1e3",
            "1f32",
            "99999999999999999999",
            "\"\\q\"",
        ] {
            assert!(matches!(parse(written), Value::Other), "{written}");
        }
    }
}
