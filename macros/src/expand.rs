#![forbid(unsafe_code)]
//! What the two halves of the attribute write.

use proc_macro::{Delimiter, Group, Literal, TokenStream, TokenTree};

use crate::arguments::{Arguments, Size};
use crate::complaint::Complaint;
use crate::function::Function;
use crate::template::fill;

/// Puts the inner half behind all other attributes.
pub(crate) fn outer(tokens: TokenStream, item: TokenStream) -> TokenStream {
    match try_outer(tokens, item.clone()) {
        Ok(written) => written,
        // The item stays, so that the mistake is the only error.
        Err(complaint) => [complaint.into_tokens(), item].into_iter().collect(),
    }
}

fn try_outer(tokens: TokenStream, item: TokenStream) -> Result<TokenStream, Complaint> {
    let arguments = Arguments::read(tokens.clone())?;
    let function = Function::read(item)?;
    let twice = function
        .attribute_paths()
        .find(|(path, _)| path.ends_with("__private::__wrap") || path == "heapcheck");
    if let Some((_, span)) = twice {
        return Err(Complaint::new(
            span,
            "`#[heapcheck]` stands here twice; one of them takes all arguments",
        ));
    }
    let holes = [("PATH", path(&arguments)), ("ARGUMENTS", tokens)];
    let inner = fill("# [ PATH :: __private :: __wrap ( ARGUMENTS ) ]", &holes);
    let mut written: TokenStream = function.attributes.into_iter().collect();
    written.extend(inner);
    written.extend(function.signature);
    written.extend([TokenTree::Group(function.body)]);
    Ok(written)
}

/// Wraps the body.
pub(crate) fn inner(tokens: TokenStream, item: TokenStream) -> TokenStream {
    match try_inner(tokens, item.clone()) {
        Ok(written) => written,
        Err(complaint) => [complaint.into_tokens(), item].into_iter().collect(),
    }
}

fn try_inner(tokens: TokenStream, item: TokenStream) -> Result<TokenStream, Complaint> {
    let arguments = Arguments::read(tokens)?;
    let function = Function::read(item)?;
    let should_panic = function.attribute_paths().any(|(path, _)| path == "should_panic");
    let is_repeated =
        arguments.repeat.is_some_and(|count| count > 1) || arguments.warmup.is_some_and(|count| count > 0);
    // A closure can't be told that it returns `impl Trait`.
    let returns = match &function.returns {
        None => Some("()".parse().expect("a type")),
        Some(returns) => Some(returns.clone()).filter(|returns| !has_impl(returns.clone())),
    };
    let run = match (function.is_async, is_repeated) {
        (false, false) => "run",
        (false, true) => "run_repeated",
        (true, false) => "run_async",
        (true, true) => "run_async_repeated",
    };
    let body = TokenStream::from(TokenTree::Group(function.body.clone()));
    let arrow =
        returns.clone().map_or_else(TokenStream::new, |returns| fill("-> RETURNS", &[("RETURNS", returns)]));
    let guide = returns.map_or_else(TokenStream::new, |returns| fill(GUIDE, &[("RETURNS", returns)]));
    let closure = match (function.is_async, is_repeated) {
        (false, _) => fill("move || ARROW BODY", &[("ARROW", arrow), ("BODY", body)]),
        (true, false) => fill("async move { GUIDE BODY }", &[("GUIDE", guide), ("BODY", body)]),
        (true, true) => fill("move || async move { GUIDE BODY }", &[("GUIDE", guide), ("BODY", body)]),
    };
    let failed = if function.returns.is_some() { PROBE } else { "| _ | false" };
    let path = path(&arguments);
    let fail = if should_panic { "| | ( )" } else { "__heapcheck_private :: unwind" };
    let wrapped = fill(
        BODY,
        &[
            ("CONFIG", config(&arguments, &function, should_panic)),
            ("RUN", run.parse().expect("a name")),
            ("FAILED", failed.parse().expect("a closure")),
            ("FAIL", fail.parse().expect("a function")),
            ("CLOSURE", closure),
            ("AWAIT", if function.is_async { ". await" } else { "" }.parse().expect("tokens")),
        ],
    );
    let wrapped = fill_path(wrapped, &path);
    let mut written: TokenStream = function.attributes.into_iter().collect();
    written.extend(function.signature);
    let mut group = Group::new(Delimiter::Brace, wrapped);
    group.set_span(function.body.span());
    written.extend([TokenTree::Group(group)]);
    Ok(written)
}

/// The new body. `__heapcheck_private` is the path of the private module.
const BODY: &str = "
    const __HEAPCHECK_CONFIG: __heapcheck_private::Config = CONFIG;
    #[allow(unused_braces, clippy::redundant_closure_call, clippy::unused_unit)]
    __heapcheck_private::RUN(&__HEAPCHECK_CONFIG, __heapcheck_private::Ways { failed: FAILED, fail: FAIL }, CLOSURE) AWAIT
";

/// Tells the compiler what an `async` block returns; never runs.
const GUIDE: &str = "
    #[allow(unreachable_code, unused, clippy::all)]
    if false {
        let __heapcheck_returned: RETURNS = loop {};
        return __heapcheck_returned;
    }
";

/// Asks what was returned whether it is a failure.
const PROBE: &str = "| __heapcheck_returned | {
    #[allow(unused_imports)]
    use __heapcheck_private::{ViaAny as _, ViaResult as _};
    __heapcheck_private::Probe(__heapcheck_returned).fails()
}";

/// Replaces the word for the private module, everywhere but in what the user wrote, which has no such word.
fn fill_path(tokens: TokenStream, path: &TokenStream) -> TokenStream {
    let private = fill("PATH :: __private", &[("PATH", path.clone())]);
    crate::template::replace(tokens, &[("__heapcheck_private", private)])
}

/// The path of heapcheck-rt.
fn path(arguments: &Arguments) -> TokenStream {
    arguments.path.clone().unwrap_or_else(|| "::heapcheck_rt".parse().expect("a path"))
}

fn has_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word.to_string() == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        _ => false,
    })
}

/// The arguments as a constant.
fn config(arguments: &Arguments, function: &Function, should_panic: bool) -> TokenStream {
    let text = |text: &str| Literal::string(text).to_string();
    let option = |size: &Option<Size>| match size {
        Some(size) => format!("::core::option::Option::Some(({}, {}))", size.bytes, text(&size.written)),
        None => "::core::option::Option::None".to_string(),
    };
    let mode = match arguments.mode.as_deref() {
        Some("minimal") => "Minimal",
        Some("normal") => "Normal",
        Some("strict") => "Strict",
        Some("draconian") => "Draconian",
        _ => "OfProcess",
    };
    let allocs = match arguments.max_allocs {
        Some(max) => format!("::core::option::Option::Some({max})"),
        None => "::core::option::Option::None".to_string(),
    };
    let code = format!(
        "__heapcheck_private::Config {{
            mode: __heapcheck_private::Mode::{mode},
            max_leaked: {},
            max_peak: {},
            max_total: {},
            max_allocs: {allocs},
            allow: {},
            warmup: {},
            repeat: {},
            own_thread: {},
            should_panic: {should_panic},
            ..__heapcheck_private::Config::new(::core::concat!(::core::module_path!(), \"::\", {}))
        }}",
        arguments.max_leaked.as_ref().map_or(0, |size| size.bytes),
        option(&arguments.max_peak),
        option(&arguments.max_total),
        text(&arguments.allow.join("\n")),
        arguments.warmup.unwrap_or(0),
        arguments.repeat.unwrap_or(1),
        arguments.own_thread,
        text(&function.name),
    );
    code.parse().expect("a constant")
}
