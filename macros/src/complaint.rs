#![forbid(unsafe_code)]
//! What is wrong with an attribute, and where: it becomes a `compile_error!` at that place.

use proc_macro::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};

use crate::template::{list, parsed, stream};

/// A compile error.
pub(crate) struct Complaint {
    /// Where it begins.
    from: Span,
    /// Where it ends.
    to: Span,
    /// What.
    what: String,
}

impl Complaint {
    /// Makes one about a token.
    pub(crate) fn new(span: Span, what: String) -> Self {
        Self::across(span, span, what)
    }

    /// Makes one about several tokens.
    pub(crate) fn across(from: Span, to: Span, what: String) -> Self {
        Self { from, to, what }
    }

    /// As code that does not compile.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let mut text = Literal::string(&self.what);
        text.set_span(self.to);
        let mut text = Group::new(Delimiter::Brace, TokenStream::from(TokenTree::Literal(text)));
        text.set_span(self.to);
        let mut tokens = list(parsed("::core::compile_error!"));
        for token in &mut tokens {
            token.set_span(self.from);
        }
        tokens.push(TokenTree::Group(text));
        stream(tokens)
    }
}
