#![forbid(unsafe_code)]
//! Names of C++ functions, as people write them: `std::string` instead of `std::__cxx11::basic_string<char, ..>`.

/// Templates that are hardly ever given by hand; as arguments they are left out.
const DEFAULTS: &[&str] = &[
    "std::allocator<",
    "std::char_traits<",
    "std::less<",
    "std::hash<",
    "std::equal_to<",
    "std::default_delete<",
];

/// Shortens a demangled name.
pub(crate) fn short(name: &str) -> String {
    if !name.contains("std::") {
        return name.to_string();
    }
    // The inline namespaces of both libraries say which version of a class it is.
    let name = name.replace("std::__1::", "std::").replace("std::__cxx11::", "std::");
    let mut kept = String::with_capacity(name.len());
    let mut rest = name.as_str();
    while let Some(c) = rest.chars().next() {
        let found = rest.strip_prefix(", ").and_then(|next| {
            let start = DEFAULTS.iter().find(|start| next.starts_with(**start))?;
            Some(2 + closing(next, start.len() - 1)?)
        });
        match found {
            // `> >` closes two templates; what was between them is gone, and so is the space.
            Some(end) => rest = rest[end..].trim_start_matches(' '),
            None => {
                kept.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    kept.replace("std::basic_string<char>", "std::string").replace("> >", ">>")
}

/// Shortens the name of a type, and leaves out the namespaces of all that is not the library's.
pub(crate) fn brief(name: &str) -> String {
    let name = with_numbers(&short(name).replace("(anonymous namespace)::", ""));
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let (mut kept, mut rest) = (String::with_capacity(name.len()), name.as_str());
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let path = &rest[..end];
        kept += match path.starts_with("std::") {
            true => path,
            false => path.rsplit("::").next().unwrap_or(path),
        };
        let mark = rest[end..].chars().next().map_or(0, char::len_utf8);
        kept += &rest[end..end + mark];
        rest = &rest[end + mark..];
    }
    // Behind the arguments of a template a path goes on: `Pool<T>::Node`.
    match kept.rsplit_once(">") {
        Some((_, inner)) if !inner.is_empty() && inner.chars().all(|c| c.is_alphanumeric() || c == '_') => {
            inner.to_string()
        }
        _ => kept,
    }
}

/// The words that the names of number types are made of.
pub(crate) const NUMBERS: &[&str] =
    &["unsigned", "signed", "long", "short", "int", "char", "double", "float", "bool", "_Bool"];

/// A number type as people write it: compilers say `long unsigned int`. None for what is another type.
pub(crate) fn number_name(name: &str) -> Option<String> {
    let words: Vec<&str> = name.split(' ').collect();
    if !words.iter().all(|word| NUMBERS.contains(word)) {
        return None;
    }
    let has = |word: &str| words.contains(&word);
    let longs = words.iter().filter(|word| **word == "long").count();
    let unsigned = if has("unsigned") { "unsigned " } else { "" };
    if has("char") {
        return Some(if has("signed") { "signed char".into() } else { format!("{unsigned}char") });
    }
    for plain in ["double", "float", "bool", "_Bool"] {
        if has(plain) {
            let name = plain.trim_start_matches('_').to_lowercase();
            return Some(if longs > 0 { format!("long {name}") } else { name });
        }
    }
    let kind = if has("short") { "short" } else { ["int", "long", "long long"][longs.min(2)] };
    Some(format!("{unsigned}{kind}"))
}

/// Writes the number types in a name as people do.
fn with_numbers(name: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(name.len()), name);
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        // As many words as belong to a number type, with single spaces between.
        let mut number = 0;
        let mut next = end;
        while NUMBERS.contains(&&rest[if number == 0 { 0 } else { number + 1 }..next]) {
            number = next;
            let Some(more) = rest[next..].strip_prefix(' ') else { break };
            next += 1 + more.find(|c: char| !is_part(c)).unwrap_or(more.len());
        }
        let taken = if number > 0 { number } else { end };
        match number_name(&rest[..number]) {
            Some(name) => kept += &name,
            None => kept += &rest[..taken],
        }
        let mark = rest[taken..].chars().next().map_or(0, char::len_utf8);
        kept += &rest[taken..taken + mark];
        rest = &rest[taken + mark..];
    }
    kept
}

/// The position behind the bracket that closes the one at `open`.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'<' => depth += 1,
            b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_left_out() {
        let check = |name: &str, expected: &str| assert_eq!(short(name), expected);
        let string = "std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char> >";
        assert_eq!(
            short(&format!(
                "std::__1::set<{string}, std::__1::less<{string} >, std::__1::allocator<{string} > >"
            )),
            "std::set<std::string>"
        );
        let string = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >";
        check(string, "std::string");
        check(
            &format!(
                "std::map<int, {string}, std::less<int>, std::allocator<std::pair<int const, {string} > > >::operator[](int const&)"
            ),
            "std::map<int, std::string>::operator[](int const&)",
        );
        check(
            "std::vector<int, std::allocator<int> >::push_back(int&&)",
            "std::vector<int>::push_back(int&&)",
        );
        check("shapes::Pool<shapes::Node>::take()", "shapes::Pool<shapes::Node>::take()");
        assert_eq!(brief("a::b::Node"), "Node");
        assert_eq!(brief("std::map<int, a::Node *, std::less<int> >"), "std::map<int, Node *>");
        assert_eq!(brief("a::Pool<b::Node>"), "Pool<Node>");
        assert_eq!(
            brief("std::deque<long unsigned int, std::allocator<long unsigned int> >"),
            "std::deque<unsigned long>"
        );
        assert_eq!(brief("a::longer<short int, _Bool, longer int>"), "longer<short, bool, longer int>");
        assert_eq!(brief("char const"), "char const");
        assert_eq!(brief("struct node *[]"), "struct node *[]");
        assert_eq!(brief("a::Pool<b::Node>::Link"), "Link");
        check("f(std::allocator<int> const&)", "f(std::allocator<int> const&)");
        check("std::pair<int, std::allocator<", "std::pair<int, std::allocator<");
    }
}
