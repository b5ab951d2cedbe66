#![forbid(unsafe_code)]
//! What a source file owes: a head that says what it owns, unsafe code only in its rooms and with proofs, and no state
//! outside its home.

use crate::staircase::{mod_lines, test_files};
use crate::tree::{Tree, product_code};

/// The files that may hold a `static`, with what they hold: a state has one home.
const STATICS_ALLOWED: &[(&str, &str)] = &[
    ("heapcheck-rt/src/state.rs", "the state of the runtime"),
    ("heapcheck-rt/src/arch/x86_64.rs", "what the processor has, which never changes"),
    ("heapcheck-rt/src/lock.rs", "the signals that come while a lock is held"),
    ("heapcheck-rt/src/park.rs", "the meeting place of stopped threads, which a signal handler must find"),
    (
        "heapcheck-rt/src/capture/shadow.rs",
        "a table of powers, and a word whose address is a proof; neither changes",
    ),
    ("heapcheck-rt/src/construct.rs", "entries of the linker's tables, which never change"),
    ("heapcheck-rt/src/options/table.rs", "the table of options, which never changes"),
];

/// The crates without any unsafe code; their roots forbid it for all their files.
const SAFE_CRATE_ROOTS: &[&str] = &["cargo-heapcheck/src/main.rs", "macros/src/lib.rs", "tests/src/lib.rs"];

/// A source file opens with `//!`; only inner attributes may stand above.
pub(crate) fn file_heads(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.sources() {
        let mut in_attribute = false;
        let first = text.lines().find(|line| {
            let attribute = in_attribute || line.starts_with("#![");
            in_attribute = attribute && !line.trim_end().ends_with(']');
            !attribute && !line.trim().is_empty()
        });
        if !first.is_some_and(|line| line.starts_with("//!")) {
            complaints.push(format!("{path}: does not open with `//!`"));
        }
    }
    complaints
}

/// Whether a line of code begins something unsafe: a block, a function, an implementation, an attribute.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["unsafe {", "unsafe fn ", "unsafe impl", "unsafe extern ", "unsafe trait ", "#[unsafe("]
        .iter()
        .any(|start| code.contains(start))
}

/// In the runtime a file either forbids unsafe code or says why it needs it, and each use has its proof. Clippy looks at
/// the library only; the injected object is no target of cargo. Files of unit tests are clippy's alone.
pub(crate) fn unsafe_rooms(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for root in SAFE_CRATE_ROOTS {
        if tree.text(root).is_some_and(|text| !text.contains("#![forbid(unsafe_code)]")) {
            complaints.push(format!("{root}: does not forbid unsafe code for its crate"));
        }
    }
    let tests = test_files(tree);
    let product = |path: &str| path.starts_with("heapcheck-rt/src/") && !tests.contains(path);
    for (path, text) in tree.sources().filter(|(path, _)| product(path)) {
        let lines: Vec<&str> = text.lines().collect();
        let code = |line: &&str| !line.trim_start().starts_with("//");
        if !lines.iter().filter(|line| code(line)).any(|line| is_unsafe(line)) {
            // A module that lists others can't forbid: it would forbid for them as well.
            if !text.starts_with("#![forbid(unsafe_code)]") && mod_lines(text).is_empty() {
                complaints
                    .push(format!("{path}: is pure, but does not start with `#![forbid(unsafe_code)]`"));
            }
            continue;
        }
        if !text.contains("#![expect(unsafe_code") || !text.contains("reason = ") {
            complaints
                .push(format!("{path}: has unsafe code without `#![expect(unsafe_code, reason = ..)]`"));
        }
        for (at, line) in lines.iter().enumerate() {
            let needs_proof =
                code(line) && ["unsafe {", "unsafe impl"].iter().any(|start| line.contains(start));
            if needs_proof && !has_proof(&lines[..=at]) {
                complaints.push(format!("{path}:{}: unsafe without `// SAFETY:`", at + 1));
            }
        }
    }
    complaints
}

/// Whether the last of `lines` has a SAFETY comment: on it, or above it with neither a blank line nor another unsafe
/// block between.
fn has_proof(lines: &[&str]) -> bool {
    let (last, above) = lines.split_last().expect("the line itself is there");
    let mut near =
        above.iter().rev().take_while(|line| !line.trim().is_empty() && !line.contains("unsafe {"));
    last.contains("SAFETY:") || near.any(|line| line.contains("SAFETY:"))
}

/// State has a home. Foreign statics are declarations without a value, and are no state of ours.
pub(crate) fn statics(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let tests = test_files(tree);
    let product = ["heapcheck-rt/src/", "cargo-heapcheck/src/", "macros/src/"];
    for (path, text) in tree.sources().filter(|(path, _)| product.iter().any(|p| path.starts_with(p))) {
        if STATICS_ALLOWED.iter().any(|(allowed, _)| *allowed == path) || tests.contains(path) {
            continue;
        }
        for line in product_code(text).lines().map(str::trim) {
            let ours = ["static ", "pub static ", "pub(crate) static ", "pub(super) static "]
                .iter()
                .any(|start| line.starts_with(start));
            let has_value = !line.ends_with(';') || line.contains('=');
            if (ours && has_value) || line.contains("thread_local!") {
                complaints.push(format!("{path}: holds state: {line}"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::assert_complaints;

    #[test]
    fn a_file_without_a_head_is_found() {
        let attribute = "#![expect(\n    unsafe_code,\n    reason = \"x\"\n)]\n//! Owns x.\n";
        let tree = Tree::of(&[
            ("macros/src/a.rs", "use x;\n"),
            ("macros/src/b.rs", attribute),
            ("tests/corpus/c.rs", ""),
        ]);
        assert_complaints(file_heads(&tree), &["macros/src/a.rs"]);
    }

    #[test]
    fn unsafe_code_stays_in_its_rooms() {
        let check = |text: &str, expected: &[&str]| {
            assert_complaints(unsafe_rooms(&Tree::of(&[("heapcheck-rt/src/x.rs", text)])), expected);
        };
        check("//! Pure.\n", &["does not start with"]);
        check("#![forbid(unsafe_code)]\n//! Pure: no unsafe { at all.\n", &[]);
        check("//! A list.\npub mod a;\n", &[]);
        check("//! X.\n// SAFETY: x.\nunsafe { f() }\n", &["without `#![expect"]);
        let head = "#![expect(unsafe_code, reason = \"x\")]\n//! X.\n\n";
        check(
            &format!("{head}// SAFETY: the head says so,\n// at length.\nlet x =\n    unsafe {{ f() }};\n"),
            &[],
        );
        check(&format!("{head}// SAFETY: x.\nunsafe {{ f() }}\nunsafe {{ g() }}\n"), &["x.rs:6"]);
        check(&format!("{head}// SAFETY: x.\n\nunsafe impl Sync for X {{}}\n"), &["x.rs:6"]);
        let tool = Tree::of(&[("cargo-heapcheck/src/main.rs", "//! X.\n")]);
        assert_complaints(unsafe_rooms(&tool), &["does not forbid"]);
    }

    #[test]
    fn files_of_unit_tests_are_left_to_clippy() {
        let tree = |root: &str| {
            let file = "//! X.\nstatic X: u8 = 0;\nfn f() { unsafe { g() } }\n";
            Tree::of(&[("heapcheck-rt/src/lib.rs", root), ("heapcheck-rt/src/x.rs", file)])
        };
        for check in [unsafe_rooms, statics] {
            assert!(check(&tree("//! X.\n#[cfg(test)]\nmod x;\n")).is_empty());
            assert!(!check(&tree("//! X.\nmod x;\n")).is_empty());
        }
    }

    #[test]
    fn a_static_outside_its_home_is_found() {
        let check = |text: &str, expected: &[&str]| {
            assert_complaints(statics(&Tree::of(&[("heapcheck-rt/src/x.rs", text)])), expected);
        };
        check("pub static mut X: u8 = 0;\n", &["holds state"]);
        check("static TABLE: [u8; 2] =\n    [0, 1];\n", &["holds state"]);
        check("thread_local! { static X: u8 = 0 }\n", &["holds state"]);
        check(
            "    pub static environ: *const u8;\nfn f(x: &'static str) {}\n#[cfg(test)]\nmod tests { static X: u8 = 0; }",
            &[],
        );
        assert_complaints(statics(&Tree::of(&[(STATICS_ALLOWED[0].0, "static X: u8 = 0;\n")])), &[]);
    }
}
