#![forbid(unsafe_code)]
//! The arguments of the attribute, read and judged.

use proc_macro::{Delimiter, Span, TokenStream, TokenTree};

use crate::complaint::Complaint;
use crate::literal::{Value, value};
use crate::nearest::nearest;
use crate::size;
use crate::template::{list, stream};

const NAMES: &[&str] = &[
    "mode",
    "max_leaked",
    "max_peak",
    "max_allocs",
    "max_total",
    "allow",
    "warmup",
    "repeat",
    "threads",
    "crate",
];
const MODES: &[&str] = &["minimal", "normal", "strict", "draconian"];
const THREADS: &[&str] = &["all", "current"];

/// A size, and how it was written.
pub(crate) struct Size {
    pub(crate) bytes: u64,
    pub(crate) written: String,
}

/// What was asked for.
#[derive(Default)]
pub(crate) struct Arguments {
    /// 0: that of the process; otherwise one more than its place among the modes.
    pub(crate) mode: usize,
    pub(crate) max_leaked: Option<Size>,
    pub(crate) max_peak: Option<Size>,
    pub(crate) max_total: Option<Size>,
    pub(crate) max_allocs: Option<u64>,
    /// One a line.
    pub(crate) allow: String,
    pub(crate) warmup: u64,
    pub(crate) repeat: Option<u64>,
    pub(crate) own_thread: bool,
    /// The path of heapcheck-rt in the user's crate.
    pub(crate) path: Option<TokenStream>,
}

impl Arguments {
    /// Reads them.
    pub(crate) fn read(tokens: TokenStream) -> Result<Self, Complaint> {
        let mut arguments = Self::default();
        // A bit for each name.
        let mut given = 0u32;
        let tokens = list(tokens);
        let mut rest = tokens.as_slice();
        while !rest.is_empty() {
            let argument = next_of_list(&mut rest);
            let Some(first) = argument.first() else { continue };
            let TokenTree::Ident(name) = first else {
                let what = "expected an argument such as `max_leaked = \"1KB\"`; the arguments are ";
                return Err(Complaint::new(first.span(), what.to_string() + &quoted(NAMES)));
            };
            let (span, name) = (name.span(), name.to_string());
            let Some(place) = place_of(&name, NAMES) else {
                return Err(unknown("argument", span, &name, NAMES));
            };
            let value = match argument {
                [_, TokenTree::Punct(equals), value @ ..] if equals.as_char() == '=' => value,
                _ => &[],
            };
            if value.is_empty() {
                let what = format!("`{name}` needs a value: `{name} = {}`", example(&name));
                return Err(Complaint::new(span, what));
            }
            if given & (1 << place) != 0 && name != "allow" {
                return Err(Complaint::new(span, format!("`{name}` is given twice")));
            }
            given |= 1 << place;
            arguments.take(&name, value)?;
        }
        Ok(arguments)
    }

    fn take(&mut self, name: &str, tokens: &[TokenTree]) -> Result<(), Complaint> {
        if name == "crate" {
            self.path = Some(path(tokens)?);
            return Ok(());
        }
        let token = match tokens {
            [token] => token,
            // To Rust that is a sign and a number.
            [TokenTree::Punct(sign), number] if sign.as_char() == '-' => {
                let what = format!("`{name}` can't be negative: it is a value such as {}", example(name));
                return Err(Complaint::across(sign.span(), number.span(), what));
            }
            _ => {
                let what = "; the next argument comes after a comma";
                let what = format!("expected one value for `{name}`, such as {}{what}", example(name));
                return Err(Complaint::new(tokens[1].span(), what));
            }
        };
        match name {
            "mode" => self.mode = 1 + choice("mode", token, MODES)?,
            "threads" => self.own_thread = choice("value of `threads`", token, THREADS)? == 1,
            "max_leaked" => self.max_leaked = Some(size(name, token)?),
            "max_peak" => self.max_peak = Some(size(name, token)?),
            "max_total" => self.max_total = Some(size(name, token)?),
            "max_allocs" => self.max_allocs = Some(number(name, token, 0, u64::MAX)?),
            "warmup" => self.warmup = number(name, token, 0, 1_000_000)?,
            "repeat" => self.repeat = Some(number(name, token, 1, 1_000_000)?),
            _ => self.allow(token)?,
        }
        Ok(())
    }

    /// Takes one pattern, or several in brackets.
    fn allow(&mut self, token: &TokenTree) -> Result<(), Complaint> {
        let mut patterns = vec![token.clone()];
        if let TokenTree::Group(group) = token
            && group.delimiter() == Delimiter::Bracket
        {
            patterns = list(group.stream());
        }
        let mut rest = patterns.as_slice();
        while !rest.is_empty() {
            let what = match next_of_list(&mut rest) {
                [] => continue,
                [token] => match value(token) {
                    (Value::Text(text), span) if !is_line(&text) => {
                        let what = "a pattern is a part of a function's path, on one line, such as \"path::pattern\"";
                        (span, what)
                    }
                    (Value::Text(text), _) => {
                        if !self.allow.is_empty() {
                            self.allow.push('\n');
                        }
                        self.allow.push_str(&text);
                        continue;
                    }
                    (_, span) => (span, "`allow` must be a pattern in quotes, such as \"path::pattern\""),
                },
                [_, second, ..] => (second.span(), "expected patterns in quotes, with commas between them"),
            };
            return Err(Complaint::new(what.0, what.1.to_string()));
        }
        Ok(())
    }
}

/// The tokens up to the next comma, which is stepped over.
fn next_of_list<'t>(rest: &mut &'t [TokenTree]) -> &'t [TokenTree] {
    let mut at = 0;
    while let Some(token) = rest.get(at) {
        if let TokenTree::Punct(punct) = token
            && punct.as_char() == ','
        {
            let item = &rest[..at];
            *rest = &rest[at + 1..];
            return item;
        }
        at += 1;
    }
    std::mem::take(rest)
}

fn place_of(written: &str, names: &[&str]) -> Option<usize> {
    let mut place = 0;
    while let Some(name) = names.get(place) {
        if *name == written {
            return Some(place);
        }
        place += 1;
    }
    None
}

/// Whether a text fills one line.
fn is_line(text: &str) -> bool {
    for letter in text.as_bytes() {
        if *letter == b'\n' {
            return false;
        }
    }
    !text.is_empty()
}

fn example(name: &str) -> &'static str {
    match name {
        "mode" => "\"strict\"",
        "max_leaked" => "\"1KB\"",
        "max_peak" | "max_total" => "\"24MB\"",
        "max_allocs" => "1000",
        "allow" => "\"path::pattern\"",
        "warmup" => "3",
        "repeat" => "20",
        "threads" => "\"current\"",
        _ => "path::to::heapcheck_rt",
    }
}

/// Names in a sentence.
fn quoted(names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        text.push_str(if text.is_empty() { "`" } else { ", `" });
        text.push_str(name);
        text.push('`');
    }
    text
}

fn unknown(what: &str, span: Span, written: &str, names: &[&str]) -> Complaint {
    let hint = match nearest(written, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there are {}", quoted(names)),
    };
    Complaint::new(span, format!("unknown {what} `{written}`; {hint}"))
}

/// The place of a word among those that may stand there.
fn choice(what: &str, token: &TokenTree, names: &[&str]) -> Result<usize, Complaint> {
    let (found, span) = value(token);
    let Value::Text(text) = found else {
        let names = quoted(names);
        return Err(Complaint::new(span, format!("expected a {what} in quotes: one of {names}")));
    };
    match place_of(&text, names) {
        Some(place) => Ok(place),
        None => Err(unknown(what, span, &text, names)),
    }
}

fn size(name: &str, token: &TokenTree) -> Result<Size, Complaint> {
    let (found, span) = value(token);
    let why = match found {
        Value::Number(bytes) => return Ok(Size { bytes, written: bytes.to_string() }),
        Value::Text(text) => match size::parse(&text) {
            Ok(bytes) => return Ok(Size { bytes, written: text }),
            Err(why) => why,
        },
        Value::Other => match size::parse(&token.to_string()) {
            Ok(_) => "; put it in quotes",
            Err(why) => why,
        },
    };
    Err(Complaint::new(span, format!("`{name}` must be {}, not `{token}`{why}", size::SHAPE)))
}

fn number(name: &str, token: &TokenTree, least: u64, most: u64) -> Result<u64, Complaint> {
    match value(token) {
        (Value::Number(number), _) if number >= least && number <= most => Ok(number),
        (_, span) => {
            let what = format!("`{name}` must be a whole number from {least} to {most}, not `{token}`");
            Err(Complaint::new(span, what))
        }
    }
}

/// `a::b`, `::a`, `crate::a`.
fn path(tokens: &[TokenTree]) -> Result<TokenStream, Complaint> {
    let mut path = Vec::new();
    for token in tokens {
        let fits = match token {
            TokenTree::Ident(_) => true,
            TokenTree::Punct(punct) => punct.as_char() == ':' || punct.as_char() == '$',
            TokenTree::Group(group) => group.delimiter() == Delimiter::None,
            TokenTree::Literal(_) => false,
        };
        if !fits {
            let what = "`crate` must be the path of heapcheck-rt, such as `crate = leaks::heapcheck_rt`";
            return Err(Complaint::new(token.span(), what.to_string()));
        }
        path.push(token.clone());
    }
    Ok(stream(path))
}
