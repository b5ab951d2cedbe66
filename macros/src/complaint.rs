#![forbid(unsafe_code)]
//! What is wrong with an attribute, and where: it becomes a `compile_error!` at that place.

use proc_macro::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};

use crate::template::{list, parsed, stream};

/// A compile error.
pub(crate) struct Complaint {
    /// Where.
    pub(crate) span: Span,
    /// What.
    pub(crate) what: String,
}

impl Complaint {
    /// Makes one.
    pub(crate) fn new(span: Span, what: String) -> Self {
        Self { span, what }
    }

    /// As code that does not compile.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let mut text = Literal::string(&self.what);
        text.set_span(self.span);
        let text = Group::new(Delimiter::Brace, TokenStream::from(TokenTree::Literal(text)));
        let mut tokens = list(parsed("::core::compile_error!"));
        tokens.push(TokenTree::Group(text));
        for token in &mut tokens {
            token.set_span(self.span);
        }
        stream(tokens)
    }
}
