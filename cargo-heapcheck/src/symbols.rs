#![forbid(unsafe_code)]
//! From return addresses to functions, files and lines, by the debug information of the files they lie in.
//!
//! Each file is loaded once and only when something of it is asked for: loading costs tens of milliseconds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use addr2line::{Loader, demangle_auto};
use heapcheck_rt::record::Record;

/// One line of a call stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The function, demangled.
    pub(crate) function: String,
    /// The source file.
    pub(crate) file: Option<String>,
    /// The line in it.
    pub(crate) line: Option<u32>,
    /// The column in that.
    pub(crate) column: Option<u32>,
    /// Whether the function was inlined into the one of the next frame.
    pub(crate) is_inlined: bool,
    /// The path of the loaded file.
    pub(crate) module: String,
    /// The return address, as it was recorded.
    pub(crate) pc: u64,
    /// The function, as the linker knows it.
    pub(crate) linkage: Option<String>,
}

/// The loaded files.
#[derive(Default)]
pub(crate) struct Symbols {
    loaders: HashMap<String, Option<Loader>>,
}

impl Symbols {
    /// Finds the frames of a trace, innermost first.
    pub(crate) fn find_frames(&mut self, record: &Record, trace: u32) -> Vec<Frame> {
        let Some(found) = record.trace(trace) else { return Vec::new() };
        let mut frames = Vec::new();
        for &pc in &found.pcs {
            // A return address may be the first of the next function; the call lies before it.
            let call = pc.saturating_sub(1);
            match record.module_of(call, trace) {
                Some(module) => {
                    let path = String::from_utf8_lossy(&module.path).into_owned();
                    self.add_frames(&mut frames, &path, call.wrapping_sub(module.base), pc);
                }
                None => frames.push(unknown(pc, "")),
            }
        }
        frames
    }

    fn add_frames(&mut self, frames: &mut Vec<Frame>, path: &str, address: u64, pc: u64) {
        let loader =
            self.loaders.entry(path.to_string()).or_insert_with(|| Loader::new(Path::new(path)).ok());
        let before = frames.len();
        if let Some(loader) = loader {
            add_inlined(frames, loader, path, address, pc);
            if frames.len() == before
                && let Some(symbol) = loader.find_symbol(address)
            {
                frames.push(Frame {
                    function: demangled(symbol),
                    linkage: Some(symbol.to_string()),
                    ..unknown(pc, path)
                });
            }
        }
        if frames.len() == before {
            frames.push(unknown(pc, path));
        }
    }
}

fn add_inlined(frames: &mut Vec<Frame>, loader: &Loader, path: &str, address: u64, pc: u64) {
    let Ok(mut found) = loader.find_frames(address) else { return };
    let before = frames.len();
    while let Ok(Some(frame)) = found.next() {
        let name = frame.function.as_ref().and_then(|function| {
            let name = function.raw_name().ok()?;
            Some(demangle_auto(name, function.language).into_owned())
        });
        let linkage = frame.function.as_ref().and_then(|f| f.raw_name().ok().map(Cow::into_owned));
        let location = frame.location;
        frames.push(Frame {
            // The symbol table names what debug information without names does not.
            function: name
                .or_else(|| loader.find_symbol(address).map(demangled))
                .unwrap_or_else(|| "??".into()),
            file: location.as_ref().and_then(|location| location.file).map(str::to_string),
            line: location.as_ref().and_then(|location| location.line).filter(|&line| line > 0),
            column: location.as_ref().and_then(|location| location.column).filter(|&column| column > 0),
            is_inlined: true,
            module: path.to_string(),
            pc,
            linkage: linkage.or_else(|| loader.find_symbol(address).map(str::to_string)),
        });
    }
    if let Some(last) = frames[before..].last_mut() {
        last.is_inlined = false;
    }
}

fn demangled(symbol: &str) -> String {
    demangle_auto(Cow::Borrowed(symbol), None).into_owned()
}

fn unknown(pc: u64, path: &str) -> Frame {
    let function = format!("{pc:#x}");
    Frame {
        function,
        file: None,
        line: None,
        column: None,
        is_inlined: false,
        module: path.to_string(),
        pc,
        linkage: None,
    }
}
