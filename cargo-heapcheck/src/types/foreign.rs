#![forbid(unsafe_code)]
//! What a block of C or C++ is, from the functions that allocated it, innermost first: what the library's containers say
//! of it, or the line of whoever asked for it.

use std::rc::Rc;

use crate::code::Sources;
use crate::types::file::Language;
use crate::types::function::{ALLOCATORS, Function, Functions, Named};
use crate::types::library::{self, is_library};
use crate::types::made::{Made, Reading};
use crate::types::owner::{Held, Owned};
use crate::types::spelled;
use crate::types::{Line, Opened, Sizes};

/// A function of a stack, and where it calls the next inner one.
pub(super) struct Called<'a> {
    pub(super) function: Rc<Function>,
    /// The number of the file with its debug information.
    pub(super) file: Option<usize>,
    pub(super) line: Option<Line<'a>>,
    /// What the linker calls it, when it was not inlined.
    pub(super) symbol: Option<Line<'a>>,
    /// Of the innermost function of a call, the address that it returns to.
    pub(super) returns_to: Option<u64>,
}

/// Functions of C that make text.
const TEXT: &[&str] =
    &["strdup", "strndup", "__strdup", "__strndup", "asprintf", "vasprintf", "getline", "getdelim"];

/// Whether a function is of C or C++.
pub(super) fn is_foreign(called: &Called<'_>) -> bool {
    [Language::C, Language::Cpp].contains(&called.function.language)
}

/// Finds the owner of what these functions, innermost first, allocate.
pub(super) fn find_owner(
    calls: &[Called<'_>],
    opened: &mut [Opened],
    sources: &mut Sources,
    sizes: Sizes,
) -> Option<Owned> {
    let inner = calls.iter().take_while(|called| called.function.is_allocator()).count();
    let library = calls[inner..].iter().take_while(|called| is_library(&called.function)).count();
    if library > 0 {
        return owned_by_library(&calls[inner..inner + library], opened, sizes);
    }
    // What calls the function at hand: none is a function of libc that the runtime stands in for.
    let mut called: Option<&Called<'_>> = calls[..inner].last();
    for (at, caller) in calls.iter().enumerate().skip(inner) {
        if !is_foreign(caller) || is_library(&caller.function) {
            return None;
        }
        let Some(file) = caller.file else {
            // A library without debug information may hand on what it gets.
            if TEXT.contains(&caller.function.name.as_str()) {
                return text();
            }
            if !caller.function.name.contains("alloc") {
                return None;
            }
            called = Some(caller);
            continue;
        };
        let opened = &mut opened[file];
        if let Some(returns_to) = caller.returns_to
            && let Some(name) = Functions::find_called(&mut opened.file, returns_to)
            && !is_called(&name, called)
        {
            // Functions in between were left out of the stack.
            return None;
        }
        let line = caller.line.and_then(|line| {
            Some(spelled::Line { file: line.file?.to_string(), line: line.line?, column: line.column })
        })?;
        let mut reading = Reading {
            file: &mut opened.file,
            scopes: &mut opened.scopes,
            layouts: &mut opened.layouts,
            sources,
            sizes,
        };
        let names: &[&str] = match called {
            Some(called) => &[called.function.name.as_str()],
            None => ALLOCATORS,
        };
        if called.is_none() && reading.is_text(&line, TEXT) {
            return text();
        }
        match reading.find(&caller.function, &line, names) {
            Made::Known(owned) => return Some(owned),
            Made::Unknown => return None,
            Made::HandedOn => called = calls.get(at),
        }
    }
    None
}

/// Whether the function that a call site names is the one that was found below it.
fn is_called(name: &str, called: Option<&Called<'_>>) -> bool {
    match called {
        None => ALLOCATORS.contains(&name) || TEXT.contains(&name),
        Some(called) => {
            let function = called.function.name.as_str();
            let symbol = called.symbol.and_then(|line| line.linkage);
            // Libstdc++ makes `new[]` out of `new`.
            let is_new = function.starts_with("operator new") && name.starts_with("_Zn");
            is_new || name == function || symbol == Some(name) || called.symbol.is_none()
        }
    }
}

fn text() -> Option<Owned> {
    let element = Named { name: "char".into(), die: None };
    Some(Owned { name: "char[]".into(), held: Held::Slice(element) })
}

fn owned_by_library(calls: &[Called<'_>], opened: &mut [Opened], sizes: Sizes) -> Option<Owned> {
    let mut finder = library::Finder::default();
    for called in calls {
        finder.read(&called.function, opened, sizes);
    }
    finder.finish(opened, sizes)
}
