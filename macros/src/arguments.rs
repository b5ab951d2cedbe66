#![forbid(unsafe_code)]
//! The arguments of the attribute, read and judged.

use proc_macro::{Delimiter, Span, TokenStream, TokenTree};

use crate::complaint::Complaint;
use crate::literal::{Value, value};
use crate::nearest::nearest;
use crate::size;

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
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    pub(crate) written: String,
}

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) mode: Option<String>,
    pub(crate) max_leaked: Option<Size>,
    pub(crate) max_peak: Option<Size>,
    pub(crate) max_total: Option<Size>,
    pub(crate) max_allocs: Option<u64>,
    pub(crate) allow: Vec<String>,
    pub(crate) warmup: Option<u32>,
    pub(crate) repeat: Option<u32>,
    pub(crate) own_thread: bool,
    /// The path of heapcheck-rt in the user's crate.
    pub(crate) path: Option<TokenStream>,
}

impl Arguments {
    /// Reads them.
    pub(crate) fn read(tokens: TokenStream) -> Result<Self, Complaint> {
        let mut arguments = Self::default();
        let mut given: Vec<String> = Vec::new();
        for argument in split(tokens) {
            let [TokenTree::Ident(name), rest @ ..] = argument.as_slice() else {
                let what = format!(
                    "expected an argument such as `max_leaked = \"1KB\"`; the arguments are {}",
                    list(NAMES)
                );
                return Err(Complaint::new(argument[0].span(), what));
            };
            let (span, name) = (name.span(), name.to_string());
            if !NAMES.contains(&name.as_str()) {
                return Err(unknown("argument", span, &name, NAMES));
            }
            let (Some(TokenTree::Punct(equals)), value) = (rest.first(), rest.get(1..).unwrap_or_default())
            else {
                return Err(Complaint::new(
                    span,
                    format!("`{name}` needs a value: `{name} = {}`", example(&name)),
                ));
            };
            if equals.as_char() != '=' || value.is_empty() {
                return Err(Complaint::new(
                    span,
                    format!("`{name}` needs a value: `{name} = {}`", example(&name)),
                ));
            }
            if name != "allow" && given.contains(&name) {
                return Err(Complaint::new(span, format!("`{name}` is given twice")));
            }
            arguments.take(&name, value)?;
            given.push(name);
        }
        Ok(arguments)
    }

    fn take(&mut self, name: &str, tokens: &[TokenTree]) -> Result<(), Complaint> {
        if name == "crate" {
            self.path = Some(path(tokens)?);
            return Ok(());
        }
        let [token] = tokens else {
            let what = format!("expected one value for `{name}`, such as {}", example(name));
            return Err(Complaint::new(tokens[1].span(), what));
        };
        match name {
            "mode" => self.mode = Some(choice("mode", token, MODES)?),
            "threads" => self.own_thread = choice("value of `threads`", token, THREADS)? == "current",
            "max_leaked" => self.max_leaked = Some(size(name, token)?),
            "max_peak" => self.max_peak = Some(size(name, token)?),
            "max_total" => self.max_total = Some(size(name, token)?),
            "max_allocs" => self.max_allocs = Some(number(name, token, 0, u64::MAX)?),
            "warmup" => self.warmup = Some(number(name, token, 0, 1_000_000)? as u32),
            "repeat" => self.repeat = Some(number(name, token, 1, 1_000_000)? as u32),
            _ => self.allow.extend(patterns(token)?),
        }
        Ok(())
    }
}

/// The tokens between commas; nothing for a comma at the end.
fn split(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut arguments = vec![Vec::new()];
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => arguments.push(Vec::new()),
            _ => arguments.last_mut().expect("it begins with one").push(token),
        }
    }
    arguments.retain(|argument| !argument.is_empty());
    arguments
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

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn unknown(what: &str, span: Span, written: &str, names: &[&str]) -> Complaint {
    let hint = match nearest(written, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there are {}", list(names)),
    };
    Complaint::new(span, format!("unknown {what} `{written}`; {hint}"))
}

fn choice(what: &str, token: &TokenTree, names: &[&str]) -> Result<String, Complaint> {
    match value(token) {
        (Value::Text(text), _) if names.contains(&text.as_str()) => Ok(text),
        (Value::Text(text), span) => Err(unknown(what, span, &text, names)),
        (_, span) => {
            Err(Complaint::new(span, format!("expected a {what} in quotes: one of {}", list(names))))
        }
    }
}

fn size(name: &str, token: &TokenTree) -> Result<Size, Complaint> {
    let (bytes, written, span) = match value(token) {
        (Value::Number(bytes), span) => (Some(bytes), bytes.to_string(), span),
        (Value::Text(text), span) => (size::parse(&text), text, span),
        (Value::Other, span) => (None, token.to_string(), span),
    };
    let wrong = || Complaint::new(span, format!("`{name}` must be {}, not `{written}`", size::SHAPE));
    let bytes = bytes.ok_or_else(wrong)?;
    Ok(Size { bytes, written })
}

fn number(name: &str, token: &TokenTree, least: u64, most: u64) -> Result<u64, Complaint> {
    let (found, span) = value(token);
    match found {
        Value::Number(number) if (least..=most).contains(&number) => Ok(number),
        Value::Number(number) => {
            Err(Complaint::new(span, format!("`{name}` must be from {least} to {most}, not {number}")))
        }
        _ => Err(Complaint::new(span, format!("`{name}` must be a whole number, not `{token}`"))),
    }
}

/// One pattern, or several in brackets.
fn patterns(token: &TokenTree) -> Result<Vec<String>, Complaint> {
    if let TokenTree::Group(group) = token
        && group.delimiter() == Delimiter::Bracket
    {
        let found = split(group.stream()).into_iter().map(|item| match item.as_slice() {
            [token] => pattern(token),
            other => {
                Err(Complaint::new(other[1].span(), "expected patterns in quotes, with commas between them"))
            }
        });
        return found.collect();
    }
    Ok(vec![pattern(token)?])
}

fn pattern(token: &TokenTree) -> Result<String, Complaint> {
    match value(token) {
        (Value::Text(text), span) if text.is_empty() || text.contains('\n') => Err(Complaint::new(
            span,
            "a pattern is a part of a function's path, on one line, such as \"path::pattern\"",
        )),
        (Value::Text(text), _) => Ok(text),
        (_, span) => {
            Err(Complaint::new(span, "`allow` must be a pattern in quotes, such as \"path::pattern\""))
        }
    }
}

/// `a::b`, `::a`, `crate::a`.
fn path(tokens: &[TokenTree]) -> Result<TokenStream, Complaint> {
    let fits = |token: &TokenTree| match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(punct) => matches!(punct.as_char(), ':' | '$'),
        TokenTree::Group(group) => group.delimiter() == Delimiter::None,
        TokenTree::Literal(_) => false,
    };
    match tokens.iter().find(|token| !fits(token)) {
        Some(token) => Err(Complaint::new(
            token.span(),
            "`crate` must be the path of heapcheck-rt, such as `crate = leaks::heapcheck_rt`",
        )),
        None => Ok(tokens.iter().cloned().collect()),
    }
}
