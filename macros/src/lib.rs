#![forbid(unsafe_code)]
//! The attribute `#[heapcheck]`. Use it through heapcheck-rt, which documents it and which its code refers to.
//!
//! It comes in two halves, so that it works above and below `#[test]`, `#[tokio::test]`, `#[rstest]` and their like. The
//! outer one checks its arguments and puts a second attribute behind all others of the function. Attribute macros run in
//! their order, so by the time the inner one runs the function is what the others have made of it, and its body is
//! wrapped.
//!
//! It works on tokens, without syn: what it needs to know of a function is where its attributes end, whether it is
//! `async`, its return type and its body.
//!
//! Everybody who adds heapcheck-rt compiles this first and waits for it. What that costs is machine code, and most of it
//! comes from std's generic functions: each iterator adapter, each search in a text is compiled here once more. So there
//! are plain loops over tokens and bytes here, and code is written as text. A bench (`scopes`) has the time.

mod template;
mod complaint;
mod nearest;
mod literal;
mod size;
mod arguments;
mod function;
mod expand;

use proc_macro::TokenStream;

/// Checks a test for leaks, in a scope of its own; see heapcheck-rt.
#[proc_macro_attribute]
pub fn heapcheck(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::outer(arguments, item)
}

/// The inner half; written by `heapcheck`.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __wrap(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::inner(arguments, item)
}
