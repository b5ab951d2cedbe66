#![forbid(unsafe_code)]
//! Source code as tokens: what a reader of single statements needs of Rust, C and C++.
//!
//! Comments, text in quotes and lines of the preprocessor look like code to whoever searches lines for words. Here they
//! are passed over, or kept as one token that is no word.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

/// A longer file was not written by hand.
const BYTES_MAX: u64 = 8 << 20;

/// A piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    /// Where it stands in the text.
    range: Range<usize>,
    /// Its line, from 1.
    line: u32,
    /// Its column in that, in bytes from 1.
    column: u32,
    /// Whether it is text or a number, which is nobody's name.
    is_literal: bool,
}

/// A file of source code.
#[derive(Debug)]
pub(crate) struct Code {
    text: String,
    tokens: Vec<Token>,
    /// When it was written last.
    written: Option<SystemTime>,
}

/// Source files, each read once: thousands of leaks may come from one of them.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: HashMap<String, Option<Rc<Code>>>,
}

impl Sources {
    /// The code of a file; none when it can't be read, or is in another language.
    pub(crate) fn read(&mut self, file: &str) -> Option<Rc<Code>> {
        if let Some(known) = self.files.get(file) {
            return known.clone();
        }
        let read = read(file).map(Rc::new);
        self.files.insert(file.to_string(), read.clone());
        read
    }
}

fn read(file: &str) -> Option<Code> {
    let is_rust = is_rust(file);
    if !is_rust && !is_foreign(file) {
        return None;
    }
    let about = fs::metadata(file).ok().filter(|about| about.is_file() && about.len() <= BYTES_MAX)?;
    let text = fs::read_to_string(file).ok()?;
    Some(Code { written: about.modified().ok(), ..Code::of(text, is_rust) })
}

/// Whether a file is Rust's.
pub(crate) fn is_rust(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs")
}

/// Whether a file is of C or C++. The headers of C++'s library have no ending.
pub(crate) fn is_foreign(file: &str) -> bool {
    const ENDINGS: &[&str] =
        &["c", "h", "cc", "cpp", "cxx", "c++", "C", "hh", "hpp", "hxx", "h++", "H", "inl", "ipp", "tcc"];
    let extension = Path::new(file).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ENDINGS.contains(&extension))
}

impl Code {
    /// Takes a text apart.
    pub(crate) fn of(text: String, is_rust: bool) -> Self {
        let mut reader = Reader { text: &text, at: 0, line: 1, line_start: 0, is_rust, tokens: Vec::new() };
        reader.read_all();
        let tokens = reader.tokens;
        Self { text, tokens, written: None }
    }

    /// Whether it was written after this moment: then its lines may be others than those that were compiled.
    pub(crate) fn is_newer_than(&self, moment: SystemTime) -> bool {
        self.written.is_none_or(|written| written > moment)
    }

    /// The number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// A token; behind the end there is the empty one.
    pub(crate) fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &self.text[token.range.clone()])
    }

    /// Whether a token is a name or a keyword.
    pub(crate) fn is_word(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| !token.is_literal)
            && self.token(at).starts_with(|c: char| c.is_alphabetic() || c == '_')
    }

    /// The line of a token.
    pub(crate) fn line(&self, at: usize) -> u32 {
        self.tokens.get(at).map_or(0, |token| token.line)
    }

    /// Where a token begins: line and column.
    pub(crate) fn place(&self, at: usize) -> (u32, u32) {
        self.tokens.get(at).map_or((0, 0), |token| (token.line, token.column))
    }

    /// The tokens that begin on a line.
    pub(crate) fn on_line(&self, line: u32) -> Range<usize> {
        let from = self.tokens.partition_point(|token| token.line < line);
        let to = self.tokens.partition_point(|token| token.line <= line);
        from..to
    }

    /// The token that begins at a place, or else the one around it.
    pub(crate) fn at(&self, line: u32, column: u32) -> Option<usize> {
        let here = self.on_line(line);
        let token = |at: &usize| &self.tokens[*at];
        here.clone().rfind(|at| token(at).column <= column).filter(|at| {
            let token = token(at);
            column < token.column + token.range.len() as u32
        })
    }

    /// The token behind the bracket that closes the one at `open`.
    pub(crate) fn behind(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in open..self.len() {
            match self.token(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.len()
    }

    /// The tokens of the statement around a token: from behind the last `;` or brace in front of it to the next one
    /// that is not inside of brackets which it opens itself.
    pub(crate) fn statement(&self, at: usize) -> Range<usize> {
        let mut from = at.min(self.len());
        // What stands in brackets in front of it is part of the statement, braces and all.
        while from > 0 {
            match self.token(from - 1) {
                ";" | "{" => break,
                "}" => match self.opens(from - 1) {
                    // A block in front is a statement of its own; a value in braces is not.
                    Some(open) if !self.ends_statement(from) => from = open,
                    _ => break,
                },
                ")" | "]" => match self.opens(from - 1) {
                    Some(open) => from = open,
                    None => break,
                },
                _ => from -= 1,
            }
        }
        let mut to = at;
        while to < self.len() {
            match self.token(to) {
                ";" | "}" => break,
                "(" | "[" | "{" => to = self.behind(to),
                _ => to += 1,
            }
        }
        from..to.max(from)
    }

    /// Whether a statement begins at a token that follows a closing brace.
    fn ends_statement(&self, at: usize) -> bool {
        self.is_word(at) || matches!(self.token(at), "*" | "&" | "(" | "" | "}" | "#")
    }

    /// The bracket that is closed at `close`.
    pub(crate) fn opens(&self, close: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in (0..=close).rev() {
            match self.token(at) {
                ")" | "]" | "}" => depth += 1,
                "(" | "[" | "{" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return Some(at);
            }
        }
        None
    }
}

/// Takes a text apart, from its beginning to its end.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    line_start: usize,
    is_rust: bool,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn read_all(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => self.skip(1),
                _ if byte.is_ascii_whitespace() => self.skip(1),
                b'#' if !self.is_rust && self.is_first_of_line() => self.skip_directive(),
                b'/' if self.peek(1) == Some(b'/') => self.skip_line(),
                b'/' if self.peek(1) == Some(b'*') => self.skip_comment(),
                b'"' => self.take_text(0),
                b'\'' => self.take_quote(),
                _ if byte.is_ascii_digit() => self.take_number(),
                _ if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => self.take_word(),
                _ => self.take_mark(),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// Goes on by so many bytes and counts the lines between.
    fn skip(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.text.len());
        for at in self.at..end {
            if self.text.as_bytes()[at] == b'\n' {
                (self.line, self.line_start) = (self.line + 1, at + 1);
            }
        }
        self.at = end;
    }

    fn take(&mut self, bytes: usize, is_literal: bool) {
        let end = (self.at + bytes).min(self.text.len());
        let column = (self.at - self.line_start) as u32 + 1;
        self.tokens.push(Token { range: self.at..end, line: self.line, column, is_literal });
        self.skip(bytes);
    }

    fn is_first_of_line(&self) -> bool {
        self.text[self.line_start..self.at].trim().is_empty()
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.skip(rest.find('\n').unwrap_or(rest.len()));
    }

    /// A line of the preprocessor goes on behind a backslash.
    fn skip_directive(&mut self) {
        loop {
            let from = self.at;
            self.skip_line();
            if !self.text[from..self.at].trim_end().ends_with('\\') || self.at >= self.text.len() {
                return;
            }
            self.skip(1);
        }
    }

    /// Comments of Rust lie in each other.
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) if depth == 0 || self.is_rust => {
                    depth += 1;
                    self.skip(2);
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.skip(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.skip(1),
            }
        }
    }

    /// Text in quotes, behind a prefix of so many bytes.
    fn take_text(&mut self, prefix: usize) {
        let bytes = self.text.as_bytes();
        let mut end = self.at + prefix + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = (end + 1).min(bytes.len());
        self.take(self.boundary(end) - self.at, true);
    }

    fn boundary(&self, end: usize) -> usize {
        (end..=self.text.len()).find(|at| self.text.is_char_boundary(*at)).unwrap_or(self.text.len())
    }

    /// A character, or in Rust a lifetime.
    fn take_quote(&mut self) {
        let rest = &self.text[self.at + 1..];
        let mut chars = rest.chars();
        let first = chars.next();
        let is_closed = chars.next() == Some('\'');
        if self.is_rust && first != Some('\\') && !is_closed {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            return self.take(1 + end, true);
        }
        let (mut len, mut is_escaped) = (0, false);
        for c in rest.chars() {
            len += c.len_utf8();
            match c {
                '\'' if !is_escaped => break,
                // A quote alone is nobody's beginning.
                '\n' => break,
                _ => is_escaped = c == '\\' && !is_escaped,
            }
        }
        self.take(1 + len, true);
    }

    fn take_number(&mut self) {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || (c == '\'' && !self.is_rust);
        self.take(rest.find(|c: char| !is_part(c)).unwrap_or(rest.len()), true);
    }

    fn take_word(&mut self) {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let raw = if self.is_rust { ["r", "br", "cr"].contains(&word) } else { word.ends_with('R') };
        if raw && let Some(len) = if self.is_rust { raw_of_rust(after) } else { raw_of_cpp(after) } {
            return self.take(end + len, true);
        }
        let prefixes: &[&str] = if self.is_rust { &["b", "c"] } else { &["L", "u", "U", "u8"] };
        match after.as_bytes().first() {
            Some(b'"') if prefixes.contains(&word) => self.take_text(end),
            // `b'x'` and `L'x'`: the prefix is a word of its own, which nobody asks for.
            _ if end == 0 => self.take(rest.chars().next().map_or(1, char::len_utf8), true),
            _ => self.take(end, false),
        }
    }

    fn take_mark(&mut self) {
        const MARKS: &[&str] =
            &["::", "->", "=>", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "|=", "&="];
        let rest = &self.text[self.at..];
        let found = MARKS.iter().find(|mark| rest.starts_with(**mark));
        self.take(found.map_or(1, |mark| mark.len()), false);
    }
}

/// The length of `#"..."#`.
fn raw_of_rust(text: &str) -> Option<usize> {
    let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
    let inner = text[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(hashes + 1 + inner.find(&end).map_or(inner.len(), |at| at + end.len()))
}

/// The length of `"mark(...)mark"`.
fn raw_of_cpp(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('"')?;
    let (mark, _) = inner.split_once('(').filter(|(mark, _)| mark.len() <= 16)?;
    let end = format!("){mark}\"");
    Some(1 + inner.find(&end).map_or(inner.len(), |at| at + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(code: &Code, range: Range<usize>) -> String {
        range.map(|at| code.token(at)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_code_is_code() {
        let check = |text: &str, is_rust: bool, expected: &str| {
            let code = Code::of(text.to_string(), is_rust);
            assert_eq!(words(&code, 0..code.len()), expected, "{text}");
        };
        check("a /* b /* c */ d */ e // f\n g", true, "a e g");
        check("a /* b /* c */ d", false, "a d");
        check("f(\"a \\\" b\", 'x', '\\'', 'y)", true, "f ( \"a \\\" b\" , 'x' , '\\'' , 'y )");
        check("x: &'a str = r#\"a \" b\"#;", true, "x : & 'a str = r#\"a \" b\"# ;");
        check("b\"a\" c\"b\" br\"c\\\"", true, "b\"a\" c\"b\" br\"c\\\"");
        check("#define A \\\n b\n  # if 1\nc", false, "c");
        check("#[test]", true, "# [ test ]");
        check("R\"x(a)\" b)x\" L\"c\"", false, "R\"x(a)\" b)x\" L\"c\"");
        check("a->b::c>>1'000", false, "a -> b :: c > > 1'000");
        check("\"open", true, "\"open");
        check("'", false, "'");
        check("/* open", true, "");
        check("ä.ö(\"ü\\", true, "ä . ö ( \"ü\\");
    }

    #[test]
    fn a_statement_ends_where_it_does() {
        let check = |text: &str, expected: &str| {
            let code = Code::of(text.to_string(), true);
            let at = (0..code.len()).find(|at| code.token(*at) == "HERE").unwrap();
            assert_eq!(words(&code, code.statement(at)), expected, "{text}");
        };
        check("a(); let b = c(HERE, { d; e }); f();", "let b = c ( HERE , { d ; e } )");
        check("if a { b } c.d(HERE)", "c . d ( HERE )");
        check("let a = B { c: 1 }.d(HERE);", "let a = B { c : 1 } . d ( HERE )");
        check("fn f() {\n    forget(\n        HERE,\n    );\n}", "forget ( HERE , )");
        check("{ HERE }", "HERE");
        check("HERE", "HERE");
        check("f(|| { a(HERE); b });", "a ( HERE )");
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        let mut seed = 7_u64;
        for round in 0..20_000 {
            let text: String = (0..24)
                .map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    ['a', 'r', 'R', '#', '"', '\'', '\\', '/', '*', '\n', '(', ')', '{', '}', 'ä', '1']
                        [(seed >> 33) as usize % 16]
                })
                .collect();
            let code = Code::of(text.clone(), round % 2 == 0);
            let ends: Vec<usize> = code.tokens.iter().map(|token| token.range.end).collect();
            assert!(ends.is_sorted() && code.tokens.iter().all(|token| !token.range.is_empty()), "{text:?}");
            for at in 0..code.len() {
                assert!(code.statement(at).end <= code.len());
            }
        }
    }
}
