#![forbid(unsafe_code)]
//! What an executable is, told from its symbols. A program that is no test harness would run its whole `main` when it is
//! asked for a list of tests, so nobody asks before this is known.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use heapcheck_rt::elf::Elf;

use crate::complaint::Complaint;

/// What the programs of doctests are called.
pub(crate) const DOCTEST: &str = "doctest";

/// What an executable understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    /// Rust's own harness.
    Libtest,
    /// A harness of libtest-mimic, which has the same command line.
    Mimic,
    /// Merged doctests, or one doctest.
    Doctest,
    /// Anything else.
    Program,
}

impl Binary {
    /// What the executable is, as a runner of the same run may have found out before: nextest calls one for each test,
    /// and the file is large. The answer is left in `folder`.
    pub(crate) fn classify_once(path: &Path, folder: &Path) -> Self {
        const NAMES: [(&str, Binary); 3] =
            [("libtest", Binary::Libtest), ("mimic", Binary::Mimic), ("program", Binary::Program)];
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let note = folder.join(format!("kind-{:016x}", hasher.finish()));
        let noted = fs::read_to_string(&note).unwrap_or_default();
        if let Some((_, binary)) = NAMES.iter().find(|(name, _)| *name == noted) {
            return *binary;
        }
        let found = Self::classify(path);
        if let Some((name, _)) = NAMES.iter().find(|(_, binary)| *binary == found) {
            // Without the note the next runner looks for itself, and so it does when the note is half written.
            let _ = fs::write(note, name);
        }
        found
    }

    /// Looks at the file.
    fn classify(path: &Path) -> Self {
        if is_doctest(path) {
            return Self::Doctest;
        }
        let bytes = fs::read(path).unwrap_or_default();
        let Ok(elf) = Elf::parse(&bytes) else { return Self::Program };
        let mut binary = Self::Program;
        for symbol in elf.symbols().iter().filter(|symbol| symbol.is_function()) {
            // LTO leaves of libtest only what must not be inlined: crate and function, as both manglings write them.
            let is_start =
                contains(symbol.name, b"4test28_") && contains(symbol.name, b"rust_begin_short_backtrace");
            if is_start || contains(symbol.name, b"test_main_static") {
                return Self::Libtest;
            }
            // Length and name of the crate, then of its function, as both manglings write them.
            if contains(symbol.name, b"libtest_mimic") && contains(symbol.name, b"3run") {
                binary = Self::Mimic;
            }
        }
        binary
    }
}

/// Whether rustdoc has made it.
fn is_doctest(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("rustdoctest"))
}

/// The name of a test binary without the hash that cargo gives it. Rustdoc's are all called alike.
pub(crate) fn short_name(path: &Path) -> String {
    if is_doctest(path) {
        return DOCTEST.to_string();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            name.to_string()
        }
        _ => name,
    }
}

/// The executable that a name on the command line means.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// This tool.
pub(crate) fn own() -> Result<PathBuf, Complaint> {
    std::env::current_exe()
        .map_err(|error| Complaint::no_verdict(format!("cannot find the tool itself: {error}")))
}

fn contains(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|window| window == part)
}
