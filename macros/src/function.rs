#![forbid(unsafe_code)]
//! A function, taken apart as far as the attribute needs it.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::complaint::Complaint;
use crate::template::{list, stream};

/// A function with a body.
pub(crate) struct Function {
    /// Its attributes.
    pub(crate) attributes: Vec<TokenTree>,
    /// From the visibility to the end of the signature.
    pub(crate) signature: Vec<TokenTree>,
    /// Its name.
    pub(crate) name: String,
    /// Whether it is `async`.
    pub(crate) is_async: bool,
    /// What stands behind the arrow.
    pub(crate) returns: Option<TokenStream>,
    /// Its body.
    pub(crate) body: Group,
}

impl Function {
    /// Takes an item apart.
    pub(crate) fn read(item: TokenStream) -> Result<Self, Complaint> {
        let mut attributes = list(item);
        let mut signature = attributes.split_off(end_of_attributes(&attributes));
        let first = signature.first().map_or_else(Span::call_site, TokenTree::span);
        let parts = match signature.pop() {
            Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => {
                position_of_fn(&signature).map(|at| (at, body))
            }
            _ => None,
        };
        let Some((at, body)) = parts else {
            let what = "`#[heapcheck]` goes on a function: a test, or what a test calls";
            return Err(Complaint::new(first, what.to_string()));
        };
        let mut is_async = false;
        for token in &signature[..at] {
            is_async |= is_word(token, "async");
        }
        let name = match signature.get(at + 1) {
            Some(TokenTree::Ident(name)) => plain(name),
            _ => String::new(),
        };
        let returns = returned(&signature[at..]);
        Ok(Self { attributes, signature, name, is_async, returns, body })
    }

    /// Finds an attribute by the number of words in front of its arguments and the last of them: `tokio::test`.
    pub(crate) fn find_attribute(&self, is_wanted: fn(usize, &str) -> bool) -> Option<Span> {
        for token in &self.attributes {
            let TokenTree::Group(group) = token else { continue };
            let (mut count, mut last) = (0, String::new());
            for token in group.stream() {
                match token {
                    TokenTree::Ident(word) => (count, last) = (count + 1, word.to_string()),
                    TokenTree::Punct(punct) if punct.as_char() == ':' => {}
                    _ => break,
                }
            }
            if is_wanted(count, &last) {
                return Some(group.span());
            }
        }
        None
    }

    /// The function with this in front of its signature, and perhaps another body.
    pub(crate) fn with(self, mut attribute: Vec<TokenTree>, body: Option<TokenStream>) -> TokenStream {
        let Self { attributes: mut tokens, mut signature, body: old, .. } = self;
        tokens.append(&mut attribute);
        tokens.append(&mut signature);
        let mut body = body.map_or(old.clone(), |body| Group::new(Delimiter::Brace, body));
        body.set_span(old.span());
        tokens.push(TokenTree::Group(body));
        stream(tokens)
    }
}

/// A name without the sign of a raw one.
fn plain(name: &Ident) -> String {
    let name = name.to_string();
    match name.as_bytes() {
        [b'r', b'#', ..] => name[2..].to_string(),
        _ => name,
    }
}

/// Whether a token is this word.
pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    match token {
        TokenTree::Ident(ident) => ident.to_string() == word,
        _ => false,
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    match token {
        Some(TokenTree::Punct(punct)) => punct.as_char() == wanted,
        _ => false,
    }
}

/// The number of tokens that are `#[..]`.
fn end_of_attributes(tokens: &[TokenTree]) -> usize {
    let mut at = 0;
    while is_punct(tokens.get(at), '#') {
        match tokens.get(at + 1) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => at += 2,
            _ => break,
        }
    }
    at
}

/// Where `fn` stands, when nothing but visibility and qualifiers stand before it.
fn position_of_fn(tokens: &[TokenTree]) -> Option<usize> {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Ident(word) => match word.to_string().as_str() {
                "fn" => return Some(at),
                "pub" | "default" | "const" | "async" | "unsafe" | "extern" | "safe" => {}
                _ => return None,
            },
            TokenTree::Literal(_) => {}
            TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => {}
            _ => return None,
        }
        at += 1;
    }
    None
}

/// The type behind the arrow that follows the parameters, up to `where`.
fn returned(signature: &[TokenTree]) -> Option<TokenStream> {
    // Generics may hold parentheses and arrows of their own (`F: Fn() -> u8`): the parameters come after the last `>`
    // that closes them.
    let (mut depth, mut at) = (0i32, 0);
    while let Some(token) = signature.get(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' && !is_punct(signature.get(at - 1), '-') => {
                depth -= 1;
            }
            TokenTree::Group(group) if depth == 0 && group.delimiter() == Delimiter::Parenthesis => break,
            _ => {}
        }
        at += 1;
    }
    if !is_punct(signature.get(at + 1), '-') || !is_punct(signature.get(at + 2), '>') {
        return None;
    }
    let mut returns = Vec::new();
    for token in &signature[at + 3..] {
        if is_word(token, "where") {
            break;
        }
        returns.push(token.clone());
    }
    Some(stream(returns))
}
