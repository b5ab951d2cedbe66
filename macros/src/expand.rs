#![forbid(unsafe_code)]
//! What the two halves of the attribute write.

use proc_macro::{Literal, TokenStream, TokenTree};

use crate::arguments::{Arguments, Size};
use crate::complaint::Complaint;
use crate::function::{Function, is_word};
use crate::template::{Holes, fill, list, parsed};

/// One of the two halves.
type Half = fn(Arguments, Function, TokenStream) -> Result<TokenStream, Complaint>;

/// Puts the inner half behind all other attributes.
pub(crate) fn outer(tokens: TokenStream, item: TokenStream) -> TokenStream {
    expand(tokens, item, put_last)
}

/// Wraps the body.
pub(crate) fn inner(tokens: TokenStream, item: TokenStream) -> TokenStream {
    expand(tokens, item, wrap)
}

fn expand(tokens: TokenStream, item: TokenStream, half: Half) -> TokenStream {
    let arguments = Arguments::read(tokens.clone());
    let written = match (arguments, Function::read(item.clone())) {
        (Ok(arguments), Ok(function)) => half(arguments, function, tokens),
        (Err(complaint), _) | (_, Err(complaint)) => Err(complaint),
    };
    match written {
        Ok(written) => written,
        Err(complaint) => {
            // The item stays, so that the mistake is the only error.
            let mut told = complaint.into_tokens();
            told.extend(item);
            told
        }
    }
}

fn put_last(arguments: Arguments, function: Function, tokens: TokenStream) -> Result<TokenStream, Complaint> {
    if let Some(span) =
        function.find_attribute(|words, last| last == "__wrap" || words == 1 && last == "heapcheck")
    {
        let what = "`#[heapcheck]` stands here twice; one of them takes all arguments";
        return Err(Complaint::new(span, what.to_string()));
    }
    let holes = Holes { path: path(arguments), returns: TokenStream::new(), written: tokens };
    let attribute = fill(parsed("#[__heapcheck_path::__private::__wrap(__heapcheck_written)]"), &holes);
    Ok(function.with(list(attribute), None))
}

fn wrap(arguments: Arguments, function: Function, _: TokenStream) -> Result<TokenStream, Complaint> {
    let should_panic = function.find_attribute(|words, last| words == 1 && last == "should_panic").is_some();
    let is_repeated = arguments.repeat.is_some_and(|count| count > 1) || arguments.warmup > 0;
    // Only a function may say that it returns `impl Trait` or `!`.
    let is_named = match &function.returns {
        Some(returns) => !has_special(returns.clone()),
        None => true,
    };
    let (arrow, guide) = if is_named { (ARROW, GUIDE) } else { ("", "") };
    let (run, closure) = match (function.is_async, is_repeated) {
        (false, false) => ("run", format!("move || {arrow} __heapcheck_written")),
        (false, true) => ("run_repeated", format!("move || {arrow} __heapcheck_written")),
        (true, false) => ("run_async", format!("async move {{ {guide} __heapcheck_written }}")),
        (true, true) => ("run_async_repeated", format!("async move || {arrow} __heapcheck_written")),
    };
    let config = config(&arguments, &function.name, should_panic);
    let failed = if function.returns.is_some() && is_named { PROBE } else { "|_| false" };
    let fail = if should_panic { "|| ()" } else { "__heapcheck_path::__private::unwind" };
    let wait = if function.is_async { ".await" } else { "" };
    let body = format!(
        "const __HEAPCHECK_CONFIG: __heapcheck_path::__private::Config = {config};
        #[allow(unused_braces, clippy::redundant_closure_call, clippy::unused_unit)]
        __heapcheck_path::__private::{run}(
            &__HEAPCHECK_CONFIG,
            __heapcheck_path::__private::Ways {{ failed: {failed}, fail: {fail} }},
            {closure}
        ){wait}"
    );
    let holes = Holes {
        path: path(arguments),
        returns: function.returns.clone().unwrap_or_else(|| parsed("()")),
        written: TokenStream::from(TokenTree::Group(function.body.clone())),
    };
    Ok(function.with(Vec::new(), Some(fill(parsed(&body), &holes))))
}

/// Tells the compiler what the closure returns.
const ARROW: &str = "-> __heapcheck_returns";

/// Tells the compiler what an `async` block returns; never runs.
const GUIDE: &str = "
    #[allow(unreachable_code, unused, clippy::all)]
    if false {
        let __heapcheck_returned: __heapcheck_returns = loop {};
        return __heapcheck_returned;
    }
";

/// Asks what was returned whether it is a failure.
const PROBE: &str = "|__heapcheck_returned: &__heapcheck_returns| {
    #[allow(unused_imports)]
    use __heapcheck_path::__private::{ViaAny as _, ViaResult as _};
    __heapcheck_path::__private::Probe(__heapcheck_returned).fails()
}";

/// The variants of `Mode`; 0 is that of the process.
const MODES: [&str; 5] = ["OfProcess", "Minimal", "Normal", "Strict", "Draconian"];

/// The path of heapcheck-rt.
fn path(arguments: Arguments) -> TokenStream {
    arguments.path.unwrap_or_else(|| parsed("::heapcheck_rt"))
}

fn has_special(tokens: TokenStream) -> bool {
    for token in tokens {
        let is_there = match &token {
            TokenTree::Group(group) => has_special(group.stream()),
            TokenTree::Punct(punct) => punct.as_char() == '!',
            token => is_word(token, "impl"),
        };
        if is_there {
            return true;
        }
    }
    false
}

/// The arguments as a constant.
fn config(arguments: &Arguments, name: &str, should_panic: bool) -> String {
    let max_leaked = match &arguments.max_leaked {
        Some(size) => size.bytes,
        None => 0,
    };
    let allocs = match arguments.max_allocs {
        Some(max) => format!("::core::option::Option::Some({max})"),
        None => "::core::option::Option::None".to_string(),
    };
    format!(
        "__heapcheck_path::__private::Config {{
            mode: __heapcheck_path::__private::Mode::{},
            max_leaked: {max_leaked},
            max_peak: {},
            max_total: {},
            max_allocs: {allocs},
            allow: {},
            warmup: {},
            repeat: {},
            own_thread: {},
            should_panic: {should_panic},
            ..__heapcheck_path::__private::Config::new(::core::concat!(::core::module_path!(), \"::\", {}))
        }}",
        MODES[arguments.mode],
        limit(&arguments.max_peak),
        limit(&arguments.max_total),
        text(&arguments.allow),
        arguments.warmup,
        arguments.repeat.unwrap_or(1),
        arguments.own_thread,
        text(name),
    )
}

/// A size with how it was written.
fn limit(size: &Option<Size>) -> String {
    match size {
        Some(size) => format!("::core::option::Option::Some(({}, {}))", size.bytes, text(&size.written)),
        None => "::core::option::Option::None".to_string(),
    }
}

fn text(text: &str) -> String {
    Literal::string(text).to_string()
}
