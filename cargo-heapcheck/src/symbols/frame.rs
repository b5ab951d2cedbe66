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
