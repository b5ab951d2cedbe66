#![forbid(unsafe_code)]
//! Patterns for names: `*` is any text, everything else itself.

use heapcheck_rt::suppress::matches;

/// Whether `pattern` is the whole of `text`.
pub(crate) fn is_whole(pattern: &str, text: &str) -> bool {
    (pattern.is_empty() && text.is_empty()) || matches(format!("^{pattern}$").as_bytes(), text.as_bytes())
}

/// Whether `pattern` is the whole of `text`, or its end behind a `separator`: `cache::fill` is the end of
/// `app::cache::fill`, as `src/cache.rs` is of a longer path.
pub(crate) fn is_end(pattern: &str, text: &str, separator: &str) -> bool {
    is_whole(pattern, text) || is_whole(&format!("*{separator}{pattern}"), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_a_name_or_its_end() {
        let check = |pattern: &str, text: &str, whole: bool, end: bool| {
            assert_eq!(
                (is_whole(pattern, text), is_end(pattern, text, "::")),
                (whole, end),
                "{pattern} {text}"
            );
        };
        check("app::fill", "app::fill", true, true);
        check("fill", "app::fill", false, true);
        check("fill", "app::refill", false, false);
        check("app", "app::fill", false, false);
        check("app::*", "app::fill::{closure#0}", true, true);
        check("*fill", "app::refill", true, true);
        check("a*l", "b::a::fill", false, true);
        check("", "app", false, false);
        check("*", "anything", true, true);
        check("<app::Cache<*>>::new", "<app::Cache<alloc::string::String>>::new", true, true);
    }
}
