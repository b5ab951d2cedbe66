#![forbid(unsafe_code)]
//! What a leak is recognised by in another run, another build, after an edit elsewhere: the names of the functions
//! that a person wrote, and the type. Addresses, lines and what the toolchain puts between are left out.

use crate::plumbing::{Whose, whose};
use crate::symbols::Frame;

/// Frames from the first own one outwards. Few enough to survive a caller's caller that is renamed or inlined.
const FRAMES: usize = 5;

/// The names that count, innermost first, and the type.
pub(super) fn names(trace: &[Frame], own: Option<usize>, allocated: Option<&str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for frame in &trace[own.unwrap_or(0)..] {
        if names.len() == FRAMES {
            break;
        }
        // A frame without a name is an address, which differs from run to run.
        if whose(frame) == Whose::Plumbing || !frame.is_named {
            continue;
        }
        let name = plain(&frame.function);
        // A closure that only wraps its function comes and goes with the optimiser.
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        let nameless = trace.iter().find(|frame| whose(frame) != Whose::Plumbing);
        names.extend(nameless.map(|frame| format!("{}+{:#x}", frame.module, frame.address)));
    }
    // Without a type the function that was called for the block tells most: `strdup`, `std::map::operator[]`.
    let called =
        || own.and_then(|own| trace[..own].last()).map(|frame| format!("by {}", plain(&frame.function)));
    names.extend(allocated.map(|name| format!("of {name}")).or_else(called));
    names
}

/// The path of a function without generic arguments, closures and their numbers: `a::b` of `<a::T<u8>>::b::{closure#1}`.
fn plain(function: &str) -> String {
    let mut kept = String::with_capacity(function.len());
    let mut depth = 0_usize;
    // Legacy and v0 names differ in how they write the type of a method: `a::T::b` and `<a::T>::b`.
    let (head, tail) = match function.strip_prefix('<').and_then(split_type) {
        Some((head, tail)) => (head, tail),
        None => (function, ""),
    };
    let mut before = ' ';
    for c in head.chars().chain(tail.chars()) {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
        before = c;
    }
    let mut parts: Vec<&str> = kept.split("::").filter(|part| !part.is_empty()).collect();
    parts.retain(|part| !part.starts_with('{'));
    parts.join("::")
}

/// Parts `T>::f`, the rest of `<T>::f`, at the `>` that belongs to the first `<`.
fn split_type(inner: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in inner.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if inner[..at].ends_with('-') => {}
            '>' if depth == 0 => return Some((&inner[..at], &inner[at + 1..])),
            '>' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A hash (FNV-1a, which never changes) of words.
pub(super) fn fnv<W: AsRef<[u8]>>(words: impl IntoIterator<Item = W>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for word in words {
        for &byte in word.as_ref().iter().chain(&[0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_the_same_in_every_mangling_and_build() {
        let check = |functions: &[&str], expected: &str| {
            for function in functions {
                assert_eq!(plain(function), expected, "{function}");
            }
        };
        check(&["app::run", "app::run::<u8>", "app::run::{closure#3}", "app::run::{{closure}}"], "app::run");
        check(&["<app::Page>::new", "app::Page::new", "<app::Page<u8>>::new"], "app::Page::new");
        check(&["<app::A as app::B>::f", "<app::A<fn() -> u8> as app::B>::f"], "app::A as app::B::f");
        check(&["std::vector<int, std::allocator<int> >::grow(int)"], "std::vector::grow(int)");
    }
}
