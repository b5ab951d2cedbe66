#![forbid(unsafe_code)]
//! Code with holes: plain Rust text whose words in capitals stand for tokens.

use proc_macro::{Group, TokenStream, TokenTree};

/// Fills the holes of a template, which must be Rust tokens.
pub(crate) fn fill(template: &str, holes: &[(&str, TokenStream)]) -> TokenStream {
    let tokens: TokenStream = template.parse().expect("templates are Rust tokens");
    replace(tokens, holes)
}

/// Replaces words by tokens, in groups too.
pub(crate) fn replace(tokens: TokenStream, holes: &[(&str, TokenStream)]) -> TokenStream {
    let mut filled = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                let name = word.to_string();
                match holes.iter().find(|(hole, _)| *hole == name) {
                    Some((_, content)) => filled.extend(content.clone()),
                    None => filled.extend([TokenTree::Ident(word)]),
                }
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), replace(group.stream(), holes));
                inner.set_span(group.span());
                filled.extend([TokenTree::Group(inner)]);
            }
            token => filled.extend([token]),
        }
    }
    filled
}
