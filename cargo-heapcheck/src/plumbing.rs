#![forbid(unsafe_code)]
//! Which frames of a stack are plumbing that a reader skips: the runtime, std, libtest, libc's start. And what the
//! outermost plumbing says about the type that was allocated.

use crate::runtime;
use crate::symbols::{Frame, is_global_allocator, is_libc};

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The reader's.
    Own,
    /// A library's from a registry or the system.
    Library,
    /// Std's, libtest's, libc's or the runtime's.
    Plumbing,
}

const STD_CRATES: &[&str] = &["core::", "alloc::", "std::", "test::", "__rustc", "__rust_", "hashbrown::"];
const LIBC: &[&str] =
    &["_start", "__libc_start_main", "__libc_start_call_main", "start_thread", "clone", "clone3", "__clone"];
const ALLOCATORS: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "aligned_alloc",
    "posix_memalign",
    "memalign",
    "valloc",
    "strdup",
    "strndup",
    "operator new(unsigned long)",
    "operator new[](unsigned long)",
];

/// Whose code `frame` is.
pub(crate) fn whose(frame: &Frame) -> Whose {
    let function = &*frame.function;
    let path = frame.file.as_deref().unwrap_or_default();
    let bare = function.trim_start_matches(['<', '&', '[', '(']);
    let is_std = path.starts_with("/rustc/")
        || path.contains("/rustlib/src/rust/")
        || path.contains("/include/c++/")
        // The standard library brings crates of its own along.
        || path.starts_with("/rust/deps/");
    // What `#[heapcheck]` puts around a test says nothing about it, nor does a runtime that was linked in.
    let is_facade =
        bare.starts_with("heapcheck_rt::") || (path.is_empty() && bare.starts_with("heapcheck::"));
    if is_std
        || is_facade
        || frame.is_allocator
        || is_global_allocator(function)
        || (path.is_empty() && STD_CRATES.iter().any(|prefix| bare.starts_with(prefix)))
        || LIBC.contains(&function)
        || ALLOCATORS.contains(&function)
        || frame.module.ends_with(runtime::FILE)
        || is_libc(&frame.module)
        || (path.is_empty() && frame.module.contains("/libstdc++.so"))
        || (function == "main" && path.is_empty())
    {
        return Whose::Plumbing;
    }
    let is_library =
        path.contains("/registry/src/") || path.contains("/git/checkouts/") || path.starts_with("/usr/");
    let is_systems =
        path.is_empty() && ["/lib/", "/lib64/", "/usr/"].iter().any(|p| frame.module.starts_with(p));
    if is_library || is_systems { Whose::Library } else { Whose::Own }
}

/// The frame that a reader should look at first.
pub(crate) fn first_own(frames: &[Frame]) -> Option<usize> {
    let first = |wanted| frames.iter().position(|frame| whose(frame) == wanted);
    first(Whose::Own).or_else(|| first(Whose::Library))
}

/// The type that was allocated, if the frames inside of `own` are std's and name one.
pub(crate) fn allocated_type(frames: &[Frame], own: usize) -> Option<String> {
    // What a library has asked for, std's functions outside of it do not name.
    if frames[..own].iter().any(|frame| whose(frame) != Whose::Plumbing) {
        return None;
    }
    let is_allocator = |frame: &&Frame| frame.is_allocator || is_global_allocator(&frame.function);
    let wanting = frames[..own].iter().rev().take_while(|frame| !is_allocator(frame));
    let named = wanting.filter_map(|frame| allocated_by(&frame.function));
    // Containers are grown by helpers whose type says less than that of the function which was called.
    // A name of one letter is a parameter, which the old mangling does not fill in.
    named.into_iter().find(|name| name.len() > 1 && !name.starts_with("RawVec") && name != "Global")
}

/// The type that a function of std allocates.
fn allocated_by(function: &str) -> Option<String> {
    if let Some(element) = function.strip_prefix("alloc::vec::from_elem::<") {
        return Some(format!("Vec<{}", short(element)));
    }
    // What lies in core owns no block: a range that was collected, an iterator.
    let of = type_in(function).filter(|of| !of.starts_with("core::"))?;
    Some(match short(of).as_str() {
        "str" => "String".to_string(),
        slice if slice.starts_with('[') => format!("Vec<{}>", slice.trim_matches(['[', ']'])),
        other => other.to_string(),
    })
}

/// The `T` of `<T>::f` and `<T as Trait>::f`.
fn type_in(function: &str) -> Option<&str> {
    let inner = function.strip_prefix('<')?;
    let mut depth = 0usize;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'>' if inner[..at].ends_with('-') => {}
            b'>' if depth == 0 => return Some(&inner[..at]),
            b'>' => depth -= 1,
            b' ' if depth == 0 && inner[at..].starts_with(" as ") => return Some(&inner[..at]),
            _ => {}
        }
    }
    None
}

/// A type without the modules it lies in.
fn short(name: &str) -> String {
    let mut kept = String::new();
    for part in name.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        let (word, end) = match part.char_indices().next_back() {
            Some((at, c)) if !(c.is_alphanumeric() || c == '_' || c == ':') => part.split_at(at),
            _ => (part, ""),
        };
        kept.push_str(word.rsplit("::").next().unwrap_or(word));
        kept.push_str(end);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_library_has_allocated_std_does_not_name() {
        let frame = |function: &str, file: &str| Frame {
            function: function.into(),
            file: Some(file.into()),
            ..Frame::default()
        };
        let std = "/rustc/0/library/alloc/src/vec.rs";
        let into = frame("<alloc::vec::Vec<u8> as core::convert::Into<small::Small>>::into", std);
        let library = frame("<small::Small>::grow", "/home/.cargo/registry/src/x/small-1.0.0/src/lib.rs");
        let own = frame("app::f", "/app/src/lib.rs");
        let allocate = frame("alloc::alloc::alloc", std);
        let check = |frames: &[&Frame], expected: Option<&str>| {
            let frames: Vec<Frame> = frames.iter().map(|frame| (*frame).clone()).collect();
            let own = first_own(&frames).unwrap();
            assert_eq!(allocated_type(&frames, own).as_deref(), expected, "{frames:?}");
        };
        check(&[&allocate, &into, &own], Some("Vec<u8>"));
        check(&[&allocate, &library, &into, &own], None);
        let counting = frame("<app::Counting as core::alloc::global::GlobalAlloc>::alloc", "/app/src/lib.rs");
        check(&[&counting, &allocate, &own], None);
    }

    #[test]
    fn a_type_is_found_in_the_name_of_its_function() {
        let check = |function: &str, expected: Option<&str>| {
            assert_eq!(allocated_by(function).as_deref(), expected, "{function}");
        };
        check("<alloc::rc::Rc<app::Node>>::new", Some("Rc<Node>"));
        check("<alloc::string::String as core::convert::From<&str>>::from", Some("String"));
        check("<alloc::boxed::Box<dyn core::ops::Fn() -> u8>>::new", Some("Box<dyn Fn() -> u8>"));
        check("<alloc::vec::Vec<(u8, a::B)>>::push", Some("Vec<(u8, B)>"));
        check("alloc::vec::from_elem::<u8>", Some("Vec<u8>"));
        check("<str as alloc::string::SpecToString>::spec_to_string", Some("String"));
        check("<[a::B]>::to_vec", Some("Vec<B>"));
        check("<core::ops::range::Range<u32> as core::iter::traits::iterator::Iterator>::collect", None);
        check("app::main", None);
        check("<", None);
    }
}
