#![forbid(unsafe_code)]
//! Values of arguments: string and number literals, as the compiler hands them over.

use proc_macro::{Delimiter, Span, TokenTree};

/// A literal.
#[derive(Debug)]
pub(crate) enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Number(u64),
    /// Anything else.
    Other,
}

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
    if let Some(raw) = written.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        if let Some(text) = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            return Value::Text(text.to_string());
        }
    }
    if let Some(text) = written.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return unescaped(text).map_or(Value::Other, Value::Text);
    }
    let digits = written.replace('_', "");
    let digits = ["u8", "u16", "u32", "u64", "usize", "i32", "i64"]
        .iter()
        .find_map(|suffix| digits.strip_suffix(suffix))
        .unwrap_or(&digits);
    digits.parse().map_or(Value::Other, Value::Number)
}

/// Undoes the escapes that can stand in a path or a size.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                't' => '\t',
                '0' => '\0',
                c @ ('\\' | '"' | '\'') => c,
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::{Value, parse};

    #[test]
    fn literals_are_read_as_rust_does() {
        let text = |written: &str, expected: &str| match parse(written) {
            Value::Text(text) => assert_eq!(text, expected, "{written}"),
            other => panic!("{written}: {other:?}"),
        };
        text(r#""a b""#, "a b");
        text(r#""a\"b\\c""#, "a\"b\\c");
        text(r##"r#"a"b"#"##, "a\"b");
        for (written, expected) in [("10", 10), ("1_000", 1000), ("7u32", 7)] {
            assert!(matches!(parse(written), Value::Number(number) if number == expected), "{written}");
        }
        for written in ["1.5", "'c'", "-1", "0x10", "b\"x\""] {
            assert!(matches!(parse(written), Value::Other), "{written}");
        }
    }
}
