#![forbid(unsafe_code)]
//! One line of a call stack, and how its place is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One line of a call stack. Its text is shared: most frames are in many stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The function, demangled; where nothing knows it, the file and the address in it.
    pub(crate) function: Arc<str>,
    /// Whether the function is known.
    pub(crate) is_named: bool,
    /// The source file.
    pub(crate) file: Option<Arc<str>>,
    /// The line in it.
    pub(crate) line: Option<u32>,
    /// The column in that.
    pub(crate) column: Option<u32>,
    /// Whether the function was inlined into the one of the next frame.
    pub(crate) is_inlined: bool,
    /// The path of the loaded file.
    pub(crate) module: Arc<str>,
    /// The return address, as it was recorded.
    pub(crate) pc: u64,
    /// The address of the call in the file.
    pub(crate) address: u64,
    /// The function, as the linker knows it.
    pub(crate) linkage: Option<Arc<str>>,
    /// Whether it stands between what wanted memory and libc: Rust's allocator, which a program may have replaced.
    pub(crate) is_allocator: bool,
}

/// An allocator is not deeper.
const ALLOCATOR_MAX: usize = 32;

/// Marks the allocator of a stack: all up to where Rust begins to allocate. An allocator of the program's own that counts
/// and hands on stands below everything that the program allocates, and says nothing of any of it.
pub(super) fn mark_allocator(frames: &mut [Frame]) {
    let (mut end, mut is_over) = (0, false);
    for (at, frame) in frames.iter().enumerate().take(ALLOCATOR_MAX) {
        if is_shim(&frame.function) {
            (end, is_over) = (at + 1, true);
        } else if is_global_allocator(&frame.function) {
            // A call in the place of a return leaves the shim out.
            end = at + 1;
        } else {
            // What an allocator asks for in the same way is its own.
            is_over =
                frame.function.starts_with("alloc::alloc::") || frame.function.starts_with("<alloc::alloc::");
        }
        if is_over {
            break;
        }
    }
    frames[..end].iter_mut().for_each(|frame| frame.is_allocator = true);
}

/// Whether a function is what the compiler puts between `alloc::alloc` and the allocator of the program.
fn is_shim(function: &str) -> bool {
    let name = function.strip_prefix("__rustc::").unwrap_or(function);
    ["__rust_alloc", "__rust_realloc", "__rg_alloc", "__rg_realloc"].iter().any(|shim| name.starts_with(shim))
}

/// Whether a function is an allocator's for all of a program, by the trait that it implements.
pub(crate) fn is_global_allocator(function: &str) -> bool {
    is_shim(function) || function.contains(" as core::alloc::global::GlobalAlloc>::")
}

/// `file:line` of a frame, below the current folder where it lies there.
pub(crate) fn place(frame: &Frame) -> Option<String> {
    let file = shown(frame.file.as_deref()?);
    Some(match frame.line {
        Some(line) => format!("{file}:{line}"),
        None => file,
    })
}

/// Names the folder of the workspace, to those that cargo starts in folders of packages.
pub(crate) const HERE: &str = "__HEAPCHECK_HERE";

/// A path as people write it: relative to the current folder when it lies below that, or as rustc does, to that of the
/// workspace.
pub(crate) fn shown(file: &str) -> String {
    let root = std::env::var_os(HERE).map(PathBuf::from);
    let here = root.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    let path = Path::new(file);
    // Of a file in cargo's registry the crate and its version are enough.
    match file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, rest)) => rest.to_string(),
        None => path.strip_prefix(&here).unwrap_or(path).to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_of_a_program_is_told_from_what_wanted_memory() {
        let check = |functions: &[&str], expected: usize| {
            let frame = |function: &&str| Frame { function: (*function).into(), ..Frame::default() };
            let mut frames: Vec<Frame> = functions.iter().map(frame).collect();
            mark_allocator(&mut frames);
            let marked: Vec<bool> = frames.iter().map(|frame| frame.is_allocator).collect();
            let wanted: Vec<bool> = (0..functions.len()).map(|at| at < expected).collect();
            assert_eq!(marked, wanted, "{functions:?}");
        };
        let system = "<std::alloc::System as core::alloc::global::GlobalAlloc>::alloc";
        let own = "<app::Counting as core::alloc::global::GlobalAlloc>::alloc";
        let (shim, entry) = ("__rustc::__rust_alloc", "alloc::alloc::alloc");
        let vec = "<alloc::vec::Vec<u8>>::push";
        check(&[system, own, shim, entry, vec, "app::f"], 3);
        check(&[system, "app::count::{closure#0}", own, shim, entry, vec], 4);
        check(&[system, own, entry, vec, "app::f"], 2);
        check(&["__rust_realloc", entry, vec], 1);
        check(&[entry, vec, "app::f"], 0);
        check(&[system, "app::f", "app::main"], 1);
        check(&["app::f", "app::main"], 0);
        // What an allocator keeps in a list of its own.
        check(&[system, shim, entry, vec, own, shim, entry, vec, "app::f"], 2);
        check(&[entry, vec, own, shim, entry, vec, "app::f"], 0);
        check(&[], 0);
    }
}
