#![forbid(unsafe_code)]
//! Explains leaks in the process that lost them, for plain `cargo test`: functions, files and lines come from the crate
//! `backtrace`, and only when there is something to explain. It looks like the tool's report, as far as it goes: types,
//! cycles and what hangs on them need more debug information than `backtrace` reads.

use std::ffi::c_void;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::contract::{CYCLE, GROWING, INDIRECT, Lost, UNFREED};
use crate::facade::leaks::counted;

/// What the runtime knows of a leak.
#[derive(Debug)]
pub(crate) struct Leak {
    facts: Lost,
    thread: String,
    stack: Vec<usize>,
}

impl Leak {
    /// Keeps what is only valid now.
    pub(crate) fn new(facts: &Lost, thread: &[u8], stack: &[usize]) -> Self {
        Self { facts: *facts, thread: String::from_utf8_lossy(thread).into_owned(), stack: stack.to_vec() }
    }
}

/// A function of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Frame {
    function: String,
    file: Option<PathBuf>,
    line: u32,
    column: Option<u32>,
}

/// Std begins here to call the program's code, in main and in threads: what is outside of it is the same everywhere.
const RUST_BEGINS: &str = "__rust_begin_short_backtrace";
/// Crates whose functions are plumbing where no file says so.
const STD_CRATES: [&str; 7] = ["core::", "alloc::", "std::", "test::", "__rust", "__rdl", "hashbrown::"];
/// Longer lines are cut: they were not written by hand.
const COLUMNS_MAX: usize = 160;

impl Frame {
    /// Whether it says nothing about the program: std, libtest, an allocator, and what the attribute puts around a test.
    fn is_plumbing(&self) -> bool {
        let path = self.file.as_deref().and_then(Path::to_str).unwrap_or_default();
        let bare = self.function.trim_start_matches(['<', '&', '[', '(']);
        path.starts_with("/rustc/")
            || path.contains("/rustlib/src/rust/")
            || path.starts_with("/rust/deps/")
            || bare.starts_with("heapcheck_rt::")
            || bare.starts_with("__rustc::")
            || bare.contains("::GlobalAlloc>::")
            || (path.is_empty() && STD_CRATES.iter().any(|name| bare.starts_with(name)))
    }

    /// Whether it lies in a crate from a registry.
    fn is_library(&self) -> bool {
        let path = self.file.as_deref().and_then(Path::to_str).unwrap_or_default();
        path.contains("/registry/src/") || path.contains("/git/checkouts/")
    }

    /// The file and line, as seen from where the test runs.
    fn place(&self, here: &Path) -> Option<String> {
        let file = self.file.as_deref()?;
        Some(format!("{}:{}", file.strip_prefix(here).unwrap_or(file).display(), self.line))
    }
}

/// Writes the report.
pub(crate) fn text_of(leaks: &[Leak]) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let mut text = String::new();
    let mut has_lines = false;
    for leak in leaks {
        let frames = frames_of(&leak.stack);
        has_lines |= frames.iter().any(|frame| !frame.is_plumbing() && frame.file.is_some());
        write_leak(&mut text, leak, &frames, &here);
    }
    if !has_lines {
        text += "heapcheck: hint: this build has no debug information, so there are no files and lines; ";
        text += "`debug = 1` in its profile brings them\n";
    }
    text
}

/// Finds the functions of a stack, inlined ones too, up to where the program begins.
fn frames_of(stack: &[usize]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for address in stack {
        let mut is_known = false;
        // It takes return addresses, and looks before them.
        backtrace::resolve(*address as *mut c_void, |symbol| {
            is_known = true;
            frames.push(Frame {
                function: symbol.name().map_or("?".to_string(), |name| format!("{name:#}")),
                file: symbol.filename().map(Path::to_path_buf),
                line: symbol.lineno().unwrap_or(0),
                column: symbol.colno(),
            });
        });
        if !is_known {
            frames.push(Frame { function: format!("{address:#x}"), ..Frame::default() });
        }
        if let Some(end) = frames.iter().position(|frame| frame.function.contains(RUST_BEGINS)) {
            frames.truncate(end);
            break;
        }
    }
    frames
}

fn write_leak(text: &mut String, leak: &Leak, frames: &[Frame], here: &Path) {
    let Lost { kind, blocks, bytes, retained_blocks, retained_bytes, .. } = leak.facts;
    let what = match kind {
        CYCLE => "leaked a cycle",
        INDIRECT => "leaked with what leads to it",
        UNFREED => "never freed",
        GROWING => "growing",
        _ => "leaked",
    };
    let _ = write!(text, "error: {what}: {} in {}", counted(bytes, "byte"), counted(blocks, "block"));
    if retained_blocks > 0 {
        let (bytes, blocks) = (counted(retained_bytes, "byte"), counted(retained_blocks, "block"));
        let _ = write!(text, ", keeping alive {bytes} in {blocks}");
    }
    text.push('\n');
    let first = |wanted: fn(&Frame) -> bool| frames.iter().position(wanted);
    let own = first(|frame| !frame.is_plumbing() && !frame.is_library())
        .or_else(|| first(|frame| !frame.is_plumbing()));
    if let Some(frame) = own.map(|own| &frames[own]) {
        write_source(text, frame, here);
    }
    let thread = std::thread::current();
    if !leak.thread.is_empty() && !thread.name().unwrap_or_default().starts_with(leak.thread.as_str()) {
        let _ = writeln!(text, "   = note: allocated by the thread `{}`", leak.thread);
    }
    text.push_str("   = note: the stack of the allocation:\n");
    write_stack(text, frames, own, here);
    if leak.facts.is_cut != 0 {
        text.push_str("       (the stack goes on; it was recorded up to here)\n");
    }
    if kind == CYCLE
        && let Some(weak) = weak_for(frames)
    {
        let _ = writeln!(text, "   = help: one of the pointers that close the cycle has to be a `{weak}`");
    }
}

/// What may close a cycle without keeping it alive, when the innermost functions say what its pointers are.
fn weak_for(frames: &[Frame]) -> Option<&'static str> {
    let mut inner = frames.iter().take_while(|frame| frame.is_plumbing());
    inner.find_map(|frame| match frame.function.as_str() {
        name if name.contains("alloc::sync::Arc<") => Some("sync::Weak"),
        name if name.contains("alloc::rc::Rc<") => Some("rc::Weak"),
        _ => None,
    })
}

/// Writes where a frame is, and its line when the file is there.
fn write_source(text: &mut String, frame: &Frame, here: &Path) {
    let (Some(place), Some(file)) = (frame.place(here), &frame.file) else { return };
    let margin = " ".repeat(frame.line.to_string().len());
    let column = frame.column.map_or(String::new(), |column| format!(":{column}"));
    let _ = writeln!(text, "{margin}--> {place}{column}");
    let source = std::fs::read_to_string(file).unwrap_or_default();
    let Some(code) = (frame.line as usize).checked_sub(1).and_then(|line| source.lines().nth(line)) else {
        return;
    };
    let code: String = code.chars().take(COLUMNS_MAX).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let indented = code.len() - code.trim_start().len();
    let before = frame.column.map_or(indented, |column| (column as usize).saturating_sub(1)).min(code.len());
    // A column counts bytes, and the file may have changed since.
    let before = (0..=before).rev().find(|at| code.is_char_boundary(*at)).unwrap_or(0);
    let is_word = |c: &char| c.is_alphanumeric() || "_:<>.!".contains(*c);
    let mark = "^".repeat(code[before..].chars().take_while(is_word).count().max(1));
    let indent = " ".repeat(code[..before].chars().count());
    let _ = writeln!(
        text,
        "{margin} |\n{} | {code}\n{margin} | {indent}{mark} allocated here\n{margin} |",
        frame.line
    );
}

/// Writes a stack, innermost first, each run of plumbing as one line.
fn write_stack(text: &mut String, frames: &[Frame], own: Option<usize>, here: &Path) {
    let mut at = 0;
    while at < frames.len() {
        let is_folded = |at: &usize| frames[*at].is_plumbing() || is_harness(frames, *at);
        let folded = (at..frames.len()).take_while(is_folded).count();
        // The function of std that the program called says what was wanted of it.
        let shown = usize::from(folded > 0 && Some(at + folded) == own);
        if folded > shown {
            let _ = writeln!(
                text,
                "       ({} of the standard library)",
                counted((folded - shown) as u64, "frame")
            );
        }
        at += folded - shown;
        if let Some(frame) = frames.get(at) {
            let mark = if Some(at) == own { ">" } else { " " };
            let place = frame.place(here).filter(|_| !frame.is_plumbing());
            let place = place.map_or(String::new(), |place| format!("  {place}"));
            let _ = writeln!(text, "     {mark} {}{place}", frame.function);
            at += 1;
        }
    }
    if frames.is_empty() {
        text.push_str("       (no stack was kept)\n");
    }
}

/// Whether a frame is the closure in which `#[test]` wraps the function inside of it.
fn is_harness(frames: &[Frame], at: usize) -> bool {
    let wraps = |inner: &Frame| frames[at].function.strip_prefix(inner.function.as_str());
    let rest = at.checked_sub(1).and_then(|inner| wraps(&frames[inner]));
    rest.is_some_and(|rest| ["::{closure#0}", "::{{closure}}"].contains(&rest))
        && frames[at + 1..].iter().all(Frame::is_plumbing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str, line: u32) -> Frame {
        let file = Some(PathBuf::from(file)).filter(|file| file.as_os_str() != "");
        Frame { function: function.into(), file, line, column: None }
    }

    fn leak(kind: u32, retained: (u64, u64), thread: &str) -> Leak {
        let facts = Lost {
            size: 0,
            kind,
            is_cut: 0,
            blocks: 2,
            bytes: 1234,
            retained_blocks: retained.0,
            retained_bytes: retained.1,
            thread: std::ptr::null(),
            thread_bytes: 0,
            stack: std::ptr::null(),
            stack_frames: 0,
        };
        Leak::new(&facts, thread.as_bytes(), &[])
    }

    #[test]
    fn plumbing_is_folded_and_the_first_own_frame_is_marked() {
        let frames = [
            frame("alloc::alloc::alloc", "/rustc/0/library/alloc/src/alloc.rs", 1),
            frame("<app::Counting as core::alloc::global::GlobalAlloc>::alloc", "/app/src/lib.rs", 3),
            frame("alloc::vec::from_elem", "", 0),
            frame("app::lose", "/app/src/lib.rs", 7),
            frame("heapcheck_rt::facade::test::run", "/x/test.rs", 9),
            frame("app::tests::leaks", "/app/src/lib.rs", 12),
            frame("app::tests::leaks::{{closure}}", "/app/src/lib.rs", 11),
            frame("core::ops::function::FnOnce::call_once", "", 0),
        ];
        let mut text = String::new();
        write_leak(&mut text, &leak(CYCLE, (3, 99), ""), &frames, Path::new("/app"));
        let expected = "error: leaked a cycle: 1234 bytes in 2 blocks, keeping alive 99 bytes in 3 blocks\n \
--> src/lib.rs:7\n   = note: the stack of the allocation:\n       (2 frames of the standard library)\n       \
alloc::vec::from_elem\n     > app::lose  src/lib.rs:7\n       (1 frame of the standard library)\n       \
app::tests::leaks  src/lib.rs:12\n       (2 frames of the standard library)\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_cycle_is_told_what_would_open_it() {
        let check = |kind: u32, function: &str, expected: &str| {
            let frames = [frame(function, "", 0), frame("app::Page::new", "/app/src/lib.rs", 7)];
            let mut text = String::new();
            write_leak(&mut text, &leak(kind, (0, 0), ""), &frames, Path::new("/app"));
            assert_eq!(text.split_once("   = help: ").map_or("", |(_, help)| help), expected, "{text}");
        };
        let help = |weak: &str| format!("one of the pointers that close the cycle has to be a `{weak}`\n");
        check(CYCLE, "alloc::rc::Rc<T>::new", &help("rc::Weak"));
        check(CYCLE, "<alloc::sync::Arc<app::Page>>::new", &help("sync::Weak"));
        check(CYCLE, "alloc::boxed::Box<T>::new", "");
        check(0, "alloc::rc::Rc<T>::new", "");
    }

    #[test]
    fn a_thread_is_named_that_is_not_the_one_of_the_test() {
        let mut text = String::new();
        write_leak(&mut text, &leak(0, (0, 0), "worker"), &[], Path::new("/"));
        assert!(
            text.contains("allocated by the thread `worker`") && text.contains("(no stack was kept)"),
            "{text}"
        );
    }

    #[test]
    #[cfg_attr(not(debug_assertions), ignore = "an optimised build has no line tables")]
    fn this_function_is_found_with_its_file_and_line() {
        let mut stack = Vec::new();
        backtrace::trace(|frame| {
            stack.push(frame.ip() as usize);
            true
        });
        let frames = frames_of(&stack);
        let own =
            frames.iter().find(|frame| frame.function.contains("this_function_is_found")).expect("own frame");
        assert!(own.file.as_ref().is_some_and(|file| file.ends_with("facade/explain.rs")), "{own:?}");
        assert!(own.line > 0 && frames.iter().all(|frame| !frame.function.contains(RUST_BEGINS)));
    }

    #[test]
    fn a_source_that_has_changed_is_no_harm() {
        let file = tempfile();
        std::fs::write(&file, "short\n").expect("the file is written");
        for (line, column) in [(0, Some(0)), (1, Some(400)), (1, None), (9, Some(1))] {
            let frame = Frame { function: "f".into(), file: Some(file.clone()), line, column };
            write_source(&mut String::new(), &frame, Path::new("/"));
        }
        std::fs::remove_file(file).expect("the file is there");
    }

    fn tempfile() -> PathBuf {
        // A number may have been that of a process of somebody else, who has left a file of this name.
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time").as_nanos();
        std::env::temp_dir().join(format!("heapcheck-explain-{}-{now}.rs", std::process::id()))
    }
}
