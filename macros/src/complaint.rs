#![forbid(unsafe_code)]
//! What is wrong with an attribute, and where: it becomes a `compile_error!` at that place.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// A compile error.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// Where.
    pub(crate) span: Span,
    /// What.
    pub(crate) what: String,
}

impl Complaint {
    /// Makes one.
    pub(crate) fn new(span: Span, what: impl Into<String>) -> Self {
        Self { span, what: what.into() }
    }

    /// As code that does not compile.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let span = self.span;
        let punct = |c, spacing| {
            let mut punct = Punct::new(c, spacing);
            punct.set_span(span);
            TokenTree::from(punct)
        };
        let ident = |name| TokenTree::from(Ident::new(name, span));
        let mut text = Literal::string(&self.what);
        text.set_span(span);
        let mut arguments = Group::new(Delimiter::Brace, TokenTree::from(text).into());
        arguments.set_span(span);
        [
            punct(':', Spacing::Joint),
            punct(':', Spacing::Alone),
            ident("core"),
            punct(':', Spacing::Joint),
            punct(':', Spacing::Alone),
            ident("compile_error"),
            punct('!', Spacing::Alone),
            arguments.into(),
        ]
        .into_iter()
        .collect()
    }
}
