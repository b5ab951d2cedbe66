#![forbid(unsafe_code)]
//! The syntax of `LSAN_OPTIONS` and of the string that `__lsan_default_options` returns.
//!
//! It is the one of compiler-rt's `sanitizer_flag_parser.cpp`: `name=value` with space, comma, colon, newline, tab or
//! return between, a value in single or double quotes may hold those. A bare name is the same as `name=1`.

/// A name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag<'a> {
    /// Before the `=`.
    pub name: &'a [u8],
    /// After it, without quotes.
    pub value: &'a [u8],
}

/// A quote is never closed; from the quote on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenQuote<'a>(pub &'a [u8]);

/// Calls `visit` with every flag in turn.
pub fn each<'a, E: From<OpenQuote<'a>>>(
    mut rest: &'a [u8],
    mut visit: impl FnMut(Flag<'a>) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let begin = rest.iter().position(|&byte| !is_space(byte)).unwrap_or(rest.len());
        rest = &rest[begin..];
        if rest.is_empty() {
            return Ok(());
        }
        let name_len = rest.iter().position(|&byte| byte == b'=' || is_space(byte)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_len);
        let [b'=', after @ ..] = after else {
            visit(Flag { name, value: b"1" })?;
            rest = after;
            continue;
        };
        let value;
        (value, rest) = match after {
            [quote @ (b'\'' | b'"'), quoted @ ..] => {
                let len = quoted.iter().position(|byte| byte == quote).ok_or(OpenQuote(after))?;
                (&quoted[..len], &quoted[len + 1..])
            }
            _ => after.split_at(after.iter().position(|&byte| is_space(byte)).unwrap_or(after.len())),
        };
        visit(Flag { name, value })?;
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b',' | b':' | b'\n' | b'\t' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Failed(String);

    impl From<OpenQuote<'_>> for Failed {
        fn from(quote: OpenQuote<'_>) -> Self {
            Self(String::from_utf8_lossy(quote.0).into_owned())
        }
    }

    fn check(line: &str, expected: &[(&str, &str)]) {
        let mut found = Vec::new();
        each::<Failed>(line.as_bytes(), |flag| {
            found.push((str::from_utf8(flag.name).unwrap(), str::from_utf8(flag.value).unwrap()));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, expected, "{line:?}");
    }

    #[test]
    fn flags_are_split_as_the_sanitizers_do() {
        check("", &[]);
        check(" ::, ", &[]);
        check("a=1", &[("a", "1")]);
        check("a=1:b=two,c=3 d=\te=", &[("a", "1"), ("b", "two"), ("c", "3"), ("d", ""), ("e", "")]);
        check("p='a:b c',q=\"x=y\":r", &[("p", "a:b c"), ("q", "x=y"), ("r", "1")]);
        check("p=a=b", &[("p", "a=b")]);
        check("=x", &[("", "x")]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert_eq!(each::<Failed>(b"a=1:p='x y", |_| Ok(())), Err(Failed("'x y".into())));
    }
}
