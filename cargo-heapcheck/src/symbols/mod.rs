#![forbid(unsafe_code)]
//! From return addresses to functions, files and lines, by the debug information of the files they lie in.
//!
//! Each file is loaded once and only when something of it is asked for: loading costs tens of milliseconds. Each
//! address is looked up once, too: the outer frames of a thousand stacks are mostly the same.

mod frame;
mod classes;
pub(crate) mod debug_file;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use addr2line::{Loader, demangle_auto};
use heapcheck_rt::record::{Module, Record};

use crate::types::{Call, Line, Sizes, Typed, Types};

use classes::Classes;

pub(crate) use debug_file::is_libc;
pub(crate) use frame::{Frame, HERE, is_global_allocator, place, shown};

/// The loaded files.
#[derive(Default)]
pub(crate) struct Symbols {
    files: HashMap<FileKey, File>,
    problems: Vec<String>,
    classes: Classes,
    /// What is known of types in them.
    pub(crate) types: Types,
}

/// A path, and the build id of what was loaded from there.
type FileKey = (Vec<u8>, Vec<u8>);

/// A file, and what was looked up in it.
struct File {
    /// Where its debug information lies.
    path: Option<Rc<Path>>,
    loader: Option<Loader>,
    frames: HashMap<u64, Rc<[Frame]>>,
}

impl Symbols {
    /// Finds the frames of a trace, innermost first.
    pub(crate) fn find_frames(&mut self, record: &Record, trace: u32) -> Vec<Frame> {
        record.trace(trace).map_or(Vec::new(), |found| self.find_frames_at(record, trace, &found.pcs))
    }

    /// Finds the frames at return addresses, with the files that were loaded when the trace of this number was new.
    pub(crate) fn find_frames_at(&mut self, record: &Record, trace: u32, pcs: &[u64]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for &pc in pcs {
            // A return address may be the first of the next function; the call lies before it.
            let call = pc.saturating_sub(1);
            match record.module_of(call, trace) {
                Some(module) => {
                    let address = call.wrapping_sub(module.base);
                    let known = self.file(record, module).find(address, &module.path);
                    frames.extend(known.iter().map(|frame| Frame { pc, ..frame.clone() }));
                }
                None => frames.push(Frame { function: format!("{pc:#x}").into(), pc, ..Frame::default() }),
            }
        }
        frame::mark_allocator(&mut frames);
        frames
    }

    /// Finds what the blocks of a trace are, which have these sizes; `frames` are those of the trace.
    pub(crate) fn find_type(
        &mut self,
        record: &Record,
        trace: u32,
        frames: &[Frame],
        sizes: Sizes,
    ) -> Option<Typed> {
        let calls = frames.chunk_by(|one, next| one.pc == next.pc);
        let placed: Vec<_> = calls
            .map(|call| {
                let module = record.module_of(call[0].pc.saturating_sub(1), trace);
                (module.and_then(|module| self.file(record, module).path.clone()), call)
            })
            .collect();
        let calls: Vec<Call<'_>> = placed
            .iter()
            .map(|(path, call)| Call {
                place: path.as_deref().map(|path| (path, call[0].address)),
                lines: call.iter().map(line_of).collect(),
            })
            .collect();
        self.types.find(&calls, sizes, shown)
    }

    /// Finds what the blocks of a trace are that begin with `word`, when that points to a table of virtual functions and
    /// objects of its class are as large as each of the blocks; `frames` are those of the trace.
    pub(crate) fn find_class(
        &mut self,
        record: &Record,
        trace: u32,
        frames: &[Frame],
        word: u64,
        sizes: Sizes,
    ) -> Option<Typed> {
        let module = record.module_of(word, trace)?;
        let path = self.file(record, module).path.clone()?;
        let mut calls: Vec<(Rc<Path>, u64)> = Vec::new();
        for call in frames.chunk_by(|one, next| one.pc == next.pc) {
            let module = record.module_of(call[0].pc.saturating_sub(1), trace);
            let path = module.and_then(|module| self.file(record, module).path.clone());
            calls.extend(path.map(|path| (path, call[0].address)));
        }
        let class = self.classes.find(&path, word.wrapping_sub(module.base))?;
        let described = self.types.described_class(&class.name, &calls, sizes);
        described.or_else(|| class.frees(sizes.only()?).then(|| self.types.of_class(&class.name)))
    }

    /// Where the symbols of a loaded file are.
    pub(crate) fn find_file(&mut self, record: &Record, module: &Module<Vec<u8>>) -> Option<Rc<Path>> {
        self.file(record, module).path.clone()
    }

    /// What a person should know about the files that were asked since the last call.
    pub(crate) fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }

    fn file(&mut self, record: &Record, module: &Module<Vec<u8>>) -> &mut File {
        let key = (module.path.clone(), module.build_id.clone());
        let problems = &mut self.problems;
        self.files.entry(key).or_insert_with(|| {
            let path = String::from_utf8_lossy(&module.path).into_owned();
            let found = debug_file::find(Path::new(&path), &module.build_id, record.begin.start_time_ns);
            problems.extend(found.problem);
            let path: Option<Rc<Path>> = found.path.map(Rc::from);
            let loader = path.as_ref().and_then(|path| Loader::new_with_sup(path, found.supplement).ok());
            File { path, loader, frames: HashMap::new() }
        })
    }
}

fn line_of(frame: &Frame) -> Line<'_> {
    Line {
        function: &frame.function,
        linkage: frame.linkage.as_deref(),
        file: frame.file.as_deref(),
        line: frame.line,
        column: frame.column,
        is_allocator: frame.is_allocator,
    }
}

impl File {
    fn find(&mut self, address: u64, path: &[u8]) -> Rc<[Frame]> {
        let loader = &self.loader;
        let found = self.frames.entry(address).or_insert_with(|| {
            let module = String::from_utf8_lossy(path).into_owned();
            match loader {
                Some(loader) => find_frames(loader, &module, address).into(),
                None => [unknown(address, &module)].into(),
            }
        });
        Rc::clone(found)
    }
}

/// The functions at an address: by debug information, else by the symbol table, else none.
fn find_frames(loader: &Loader, module: &str, address: u64) -> Vec<Frame> {
    let mut frames = find_inlined(loader, module, address);
    if frames.is_empty() {
        frames.push(match loader.find_symbol(address) {
            Some(symbol) => Frame {
                function: demangled(symbol).into(),
                is_named: true,
                linkage: Some(symbol.into()),
                ..unknown(address, module)
            },
            None => unknown(address, module),
        });
    }
    frames
}

fn find_inlined(loader: &Loader, module: &str, address: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    let Ok(mut found) = loader.find_frames(address) else { return frames };
    while let Ok(Some(frame)) = found.next() {
        let linkage = frame.function.as_ref().and_then(|f| Some(Arc::from(f.raw_name().ok()?)));
        let language = frame.function.as_ref().and_then(|function| function.language);
        // The symbol table names what debug information without names does not.
        let by_symbol = || loader.find_symbol(address).map(Arc::from);
        let linkage: Option<Arc<str>> = linkage.or_else(by_symbol);
        let name = linkage.as_deref().map(|name| readable(name, language));
        let location = frame.location;
        frames.push(Frame {
            is_named: name.is_some(),
            function: name.map_or_else(|| unknown(address, module).function, Arc::from),
            file: location.as_ref().and_then(|location| location.file).map(Arc::from),
            line: location.as_ref().and_then(|location| location.line).filter(|&line| line > 0),
            column: location.as_ref().and_then(|location| location.column).filter(|&column| column > 0),
            is_inlined: true,
            linkage,
            ..unknown(address, module)
        });
    }
    if let Some(last) = frames.last_mut() {
        last.is_inlined = false;
    }
    frames
}

fn demangled(symbol: &str) -> String {
    // The version of a dynamic symbol is the linker's affair.
    let symbol = symbol.split('@').next().unwrap_or(symbol);
    readable(symbol, None)
}

/// The name of a function for people. Of a C++ name that is too involved for the demangler at least the path is told.
fn readable(symbol: &str, language: Option<gimli::DwLang>) -> String {
    let name = demangle_auto(Cow::Borrowed(symbol), language);
    if name == symbol
        && symbol.starts_with("_Z")
        && let Some(path) = heapcheck_rt::demangle::demangle(symbol.as_bytes())
    {
        return String::from_utf8_lossy(path.as_bytes()).into_owned();
    }
    name.into_owned()
}

/// A frame of which only the address is known: `libfoo.so+0x1234`.
fn unknown(address: u64, path: &str) -> Frame {
    let name = path.rsplit('/').next().unwrap_or(path);
    let function = format!("{name}+{address:#x}").into();
    Frame { function, module: path.into(), address, ..Frame::default() }
}
