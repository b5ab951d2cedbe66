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
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
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
    kept.replace("std::__cxx11::", "std::")
        .replace("std::basic_string<char>", "std::string")
        .replace("> >", ">>")
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
        check("f(std::allocator<int> const&)", "f(std::allocator<int> const&)");
        check("std::pair<int, std::allocator<", "std::pair<int, std::allocator<");
    }
}
