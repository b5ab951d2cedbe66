#![forbid(unsafe_code)]
//! Code with holes: plain Rust text, some words of which stand for tokens.

use proc_macro::{Group, TokenStream, TokenTree};

/// The word that stands for the path of heapcheck-rt.
pub(crate) const PATH: &str = "__heapcheck_path";
/// The word that stands for what a function returns.
pub(crate) const RETURNS: &str = "__heapcheck_returns";
/// The word that stands for what the user wrote.
pub(crate) const WRITTEN: &str = "__heapcheck_written";

/// What the words stand for.
pub(crate) struct Holes {
    /// [`PATH`].
    pub(crate) path: TokenStream,
    /// [`RETURNS`].
    pub(crate) returns: TokenStream,
    /// [`WRITTEN`].
    pub(crate) written: TokenStream,
}

/// Reads a text, which must be Rust tokens.
pub(crate) fn parsed(text: &str) -> TokenStream {
    text.parse().expect("templates are Rust tokens")
}

/// The tokens of a stream.
pub(crate) fn list(stream: TokenStream) -> Vec<TokenTree> {
    let mut tokens = Vec::new();
    for token in stream {
        tokens.push(token);
    }
    tokens
}

/// The stream of these tokens.
pub(crate) fn stream(tokens: Vec<TokenTree>) -> TokenStream {
    tokens.into_iter().collect()
}

/// Fills the holes of a template. What the user wrote is not searched for such words.
pub(crate) fn fill(template: TokenStream, holes: &Holes) -> TokenStream {
    let mut filled = Vec::new();
    for token in template {
        match token {
            TokenTree::Ident(word) => {
                let content = match word.to_string().as_str() {
                    PATH => &holes.path,
                    RETURNS => &holes.returns,
                    WRITTEN => &holes.written,
                    _ => {
                        filled.push(TokenTree::Ident(word));
                        continue;
                    }
                };
                filled.append(&mut list(content.clone()));
            }
            TokenTree::Group(group) => {
                filled.push(TokenTree::Group(Group::new(group.delimiter(), fill(group.stream(), holes))));
            }
            token => filled.push(token),
        }
    }
    stream(filled)
}
