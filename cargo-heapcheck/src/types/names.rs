#![forbid(unsafe_code)]
//! Names of types as text: how a person writes them.
//!
//! Debug information and demangled symbols spell a type out: `alloc::vec::Vec<app::Node, alloc::alloc::Global>`. A
//! person writes `Vec<Node>`. Nothing here knows where a name comes from.

/// Arguments that are nearly always the default, which people don't write.
const DEFAULTS: &[&str] = &[
    "alloc::alloc::Global",
    "allocator_api2::stable::alloc::global::Global",
    "std::alloc::Global",
    "std::hash::random::RandomState",
    "std::collections::hash::map::RandomState",
];

/// Spells a type without the modules it lies in and without default arguments. `site` says where a closure or an async
/// block stands, by its path.
pub(crate) fn short(name: &str, site: &mut dyn FnMut(&str) -> Option<String>) -> String {
    write(name, &mut |path| match part_of_closure(path) {
        Some(kind) => closure(kind, path, site(path)),
        None => last(path).to_string(),
    })
}

/// Spells a type in full, but without default arguments.
pub(crate) fn full(name: &str) -> String {
    write(name, &mut str::to_string)
}

/// Spells a type with what stands for its parameters: `Box<[u8]>` of `Box<[I]>`.
pub(crate) fn substitute(name: &str, parameter: impl Fn(&str) -> Option<String>) -> String {
    write(name, &mut |path| parameter(path).unwrap_or_else(|| path.to_string()))
}

/// Whether an argument is one that people don't write.
pub(crate) fn is_default(argument: &str) -> bool {
    // Hash tables from elsewhere have allocators of their own, which are all the global one.
    DEFAULTS.contains(&argument) || (argument.starts_with("hashbrown::") && argument.ends_with("::Global"))
}

/// `dyn A + B` of `(dyn A + B)`: an argument needs no brackets.
fn bare_trait(argument: &str) -> &str {
    let inside = argument.strip_prefix('(').and_then(|inside| inside.strip_suffix(')'));
    inside
        .filter(|inside| inside.starts_with("dyn ") && split_arguments(inside).len() == 1)
        .unwrap_or(argument)
}

/// What the compiler has made of a closure, or of something async, by the last part of its path.
fn part_of_closure(path: &str) -> Option<&'static str> {
    const KINDS: &[(&str, &str)] = &[
        ("{closure_env#", "closure"),
        ("{closure#", "closure"),
        ("{async_fn_env#", "async fn"),
        ("{async_block_env#", "async block"),
        ("{async_closure_env#", "async closure"),
        ("{coroutine_env#", "coroutine"),
        ("{gen_block_env#", "gen block"),
    ];
    KINDS.iter().find(|(start, _)| last(path).starts_with(start)).map(|(_, kind)| *kind)
}

fn closure(kind: &str, path: &str, site: Option<String>) -> String {
    let around = path.rsplit_once("::").map_or("", |(around, _)| around);
    match site {
        // An async fn has a name.
        _ if kind == "async fn" => format!("{kind} {}", last(around)),
        Some(site) => format!("{kind} at {site}"),
        None => kind.to_string(),
    }
}

/// The last part of a path. The dots of `..` and numbers are parts as well.
pub(crate) fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// The parts between top-level commas of what stands between brackets.
pub(crate) fn split_arguments(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0usize, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            b'>' if text[..at].ends_with('-') => {}
            b'>' | b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    let rest = text[from..].trim();
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// `Vec` and `u8, Global` of `Vec<u8, Global>`.
pub(crate) fn split_generics(name: &str) -> (&str, &str) {
    match name.find('<').filter(|at| *at > 0) {
        Some(at) if name.ends_with('>') => (name[..at].trim_end_matches("::"), &name[at + 1..name.len() - 1]),
        _ => (name, ""),
    }
}

/// The arguments of the type `head<..>`; none when `name` is another type.
pub(crate) fn arguments_of<'a>(name: &'a str, head: &str) -> Option<Vec<&'a str>> {
    let (found, arguments) = split_generics(name);
    (found == head && !arguments.is_empty()).then(|| split_arguments(arguments))
}

/// Where the bracket that opens at the start of `text` is closed.
fn find_closing(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b'>' if text[..at].ends_with('-') => {}
            b'>' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Writes a name anew, each path as `word` says.
fn write(name: &str, word: &mut dyn FnMut(&str) -> String) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "_:{}#".contains(c);
    let (mut written, mut rest) = (String::new(), name);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        if end == 0 {
            written.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (path, after) = (&rest[..end], &rest[end..]);
        let path = path.trim_end_matches("::");
        if !after.starts_with('<') {
            written += &word(path);
            // `Trait<>` of an associated type is text as it stands.
            rest = after;
            continue;
        }
        let close = find_closing(after);
        let inside = after.get(1..close).unwrap_or_default();
        rest = after.get(close + 1..).unwrap_or_default();
        // A path may go on behind its arguments: `a::b<T>::{closure_env#0}`.
        if let Some(more) = rest.strip_prefix("::") {
            let end = more.find(|c: char| !is_part(c)).unwrap_or(more.len());
            rest = &more[end..];
            written += &word(&format!("{path}::{}", &more[..end]));
            continue;
        }
        let head = word(path);
        let all = split_arguments(inside).into_iter().enumerate();
        // What comes first is nobody's default.
        let kept = all.filter(|(at, one)| *at == 0 || !is_default(one)).map(|(_, one)| bare_trait(one));
        let kept: Vec<&str> = kept.collect();
        written += &match as_function(&head, &kept, word) {
            Some(function) => function,
            None => {
                let arguments: Vec<String> = kept.iter().map(|one| write(one, word)).collect();
                // Of closures only the place counts, not what their function is generic over.
                match arguments.is_empty() || part_of_closure(path).is_some() {
                    true => head,
                    false => format!("{head}<{}>", arguments.join(", ")),
                }
            }
        };
    }
    written
}

/// `Fn(A) -> B` of `Fn<(A,), Output=B>`.
fn as_function(head: &str, arguments: &[&str], word: &mut dyn FnMut(&str) -> String) -> Option<String> {
    if !["Fn", "FnMut", "FnOnce"].contains(&last(head)) {
        return None;
    }
    let taken = arguments.first()?.strip_prefix('(')?.strip_suffix(')')?;
    let taken: Vec<String> = split_arguments(taken).into_iter().map(|one| write(one, word)).collect();
    let given =
        arguments.get(1).and_then(|given| given.trim_start_matches("Output").trim_start().strip_prefix('='));
    let given = given.map(|given| write(given.trim(), word)).filter(|given| given != "()");
    let arrow = given.map_or(String::new(), |given| format!(" -> {given}"));
    Some(format!("{head}({}){arrow}", taken.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_spelled_as_a_person_writes_it() {
        let check = |name: &str, expected: &str| {
            let mut site = |_: &str| Some("src/a.rs:7".to_string());
            assert_eq!(short(name, &mut site), expected, "{name}");
        };
        check("u8", "u8");
        check("alloc::vec::Vec<app::Node, alloc::alloc::Global>", "Vec<Node>");
        check("alloc::rc::Rc<core::cell::RefCell<a::B>, alloc::alloc::Global>", "Rc<RefCell<B>>");
        check("(u32, [u16; 3])", "(u32, [u16; 3])");
        check("&mut [a::B]", "&mut [B]");
        check("*const a::B", "*const B");
        check(
            "std::collections::hash::map::HashMap<a::K, a::V, std::hash::random::RandomState>",
            "HashMap<K, V>",
        );
        check("alloc::boxed::Box<dyn core::ops::function::Fn<(), Output=usize>>", "Box<dyn Fn() -> usize>");
        check("alloc::boxed::Box<dyn core::ops::function::Fn<(a::B, u8)>>", "Box<dyn Fn(B, u8)>");
        check("(dyn a::T + core::marker::Send)", "(dyn T + Send)");
        check("alloc::boxed::Box<(dyn a::T + core::marker::Send)>", "Box<dyn T + Send>");
        check("alloc::boxed::Box<(dyn a::T, (dyn a::T))>", "Box<(dyn T, (dyn T))>");
        check("alloc::sync::Arc<std::hash::random::RandomState>", "Arc<RandomState>");
        check("fn(&a::B) -> a::C", "fn(&B) -> C");
        check("a::f::{closure_env#0}", "closure at src/a.rs:7");
        check("a::f::{closure_env#0}<a::B>", "closure at src/a.rs:7");
        check("a::g::{async_fn_env#0}", "async fn g");
        check("a::B<T>::{async_block_env#1}", "async block at src/a.rs:7");
        check("<dyn a::T>", "<dyn T>");
        assert_eq!(substitute("a::B<[I], II>", |name| (name == "I").then(|| "u8".into())), "a::B<[u8], II>");
        check("", "");
    }

    #[test]
    fn odd_names_end() {
        for name in ["<", "a<", "a<b", "a<b>>", ">", "a::", "a<b>::", "[", "fn(", "Fn<(", "a<,>", "ä<ö>::ü"]
        {
            short(name, &mut |_| None);
            full(name);
        }
        assert_eq!(arguments_of("a::B<u8, (c::D, e)>", "a::B"), Some(vec!["u8", "(c::D, e)"]));
    }
}
