#![forbid(unsafe_code)]
//! A function, taken apart as far as the attribute needs it.

use proc_macro::{Delimiter, Group, Span, TokenStream, TokenTree};

use crate::complaint::Complaint;

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

const QUALIFIERS: &[&str] = &["pub", "default", "const", "async", "unsafe", "extern", "safe"];

impl Function {
    /// Takes an item apart.
    pub(crate) fn read(item: TokenStream) -> Result<Self, Complaint> {
        let mut tokens: Vec<TokenTree> = item.into_iter().collect();
        let rest = tokens.split_off(end_of_attributes(&tokens));
        let first = rest.first().map_or_else(Span::call_site, TokenTree::span);
        let wrong =
            || Complaint::new(first, "`#[heapcheck]` goes on a function: a test, or what a test calls");
        let at = rest.iter().position(|token| is_word(token, "fn")).ok_or_else(wrong)?;
        let is_qualifier = |token: &TokenTree| match token {
            TokenTree::Ident(word) => QUALIFIERS.contains(&word.to_string().as_str()),
            TokenTree::Literal(_) => true,
            TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
            TokenTree::Punct(_) => false,
        };
        if !rest[..at].iter().all(is_qualifier) {
            return Err(wrong());
        }
        let Some((TokenTree::Group(body), signature)) = rest.split_last() else { return Err(wrong()) };
        if body.delimiter() != Delimiter::Brace {
            return Err(wrong());
        }
        let name = signature.get(at + 1).map_or_else(String::new, ToString::to_string);
        Ok(Self {
            attributes: tokens,
            name: name.strip_prefix("r#").unwrap_or(&name).to_string(),
            is_async: rest[..at].iter().any(|token| is_word(token, "async")),
            returns: returned(&signature[at..]),
            body: body.clone(),
            signature: signature.to_vec(),
        })
    }

    /// The words in front of each attribute's arguments: `tokio`, `::`, `test`.
    pub(crate) fn attribute_paths(&self) -> impl Iterator<Item = (String, Span)> + '_ {
        self.attributes.iter().filter_map(|token| match token {
            TokenTree::Group(group) => {
                let is_path = |token: &TokenTree| match token {
                    TokenTree::Ident(_) => true,
                    TokenTree::Punct(punct) => punct.as_char() == ':',
                    _ => false,
                };
                let path: String =
                    group.stream().into_iter().take_while(is_path).map(|token| token.to_string()).collect();
                Some((path, group.span()))
            }
            _ => None,
        })
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// The number of tokens that are `#[..]`.
fn end_of_attributes(tokens: &[TokenTree]) -> usize {
    let mut at = 0;
    while is_punct(tokens.get(at), '#')
        && matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket)
    {
        at += 2;
    }
    at
}

/// The type behind the arrow that follows the parameters, up to `where`.
fn returned(signature: &[TokenTree]) -> Option<TokenStream> {
    let is_parameters = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
    // Generics may hold parentheses and arrows of their own (`F: Fn() -> u8`): the parameters come after the last `>`
    // that closes them.
    let (mut depth, mut at) = (0i32, 0);
    while at < signature.len() {
        match &signature[at] {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' && !is_arrow_end(signature, at) => depth -= 1,
            token if depth == 0 && is_parameters(token) => break,
            _ => {}
        }
        at += 1;
    }
    let rest = signature.get(at + 1..)?;
    if !(is_punct(rest.first(), '-') && is_punct(rest.get(1), '>')) {
        return None;
    }
    Some(rest[2..].iter().take_while(|token| !is_word(token, "where")).cloned().collect())
}

fn is_arrow_end(tokens: &[TokenTree], at: usize) -> bool {
    at > 0 && is_punct(tokens.get(at - 1), '-')
}
