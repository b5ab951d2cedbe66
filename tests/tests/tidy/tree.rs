#![forbid(unsafe_code)]
//! The texts of the repository, read once: what every check of tidy looks at.
//!
//! A test builds a tree from a few strings, so that a check can be shown a bad one.

use std::collections::BTreeMap;
use std::path::Path;

/// The folders whose every `.rs` file is a source file of the house: it has a head and is named in ARCHITECTURE.md.
const SOURCE_FOLDERS: &[&str] = &[
    "heapcheck-rt/",
    "linked/",
    "cargo-heapcheck/",
    "macros/",
    "tests/src/",
    "tests/tests/",
    "tests/benches/",
];

/// The texts of the repository by their path from its root.
pub(crate) struct Tree(pub(crate) BTreeMap<String, String>);

impl Tree {
    pub(crate) fn read() -> Tree {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
        let mut texts = BTreeMap::new();
        collect_texts(root, root, &mut texts);
        Tree(texts)
    }

    pub(crate) fn of(texts: &[(&str, &str)]) -> Tree {
        Tree(texts.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect())
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(|(path, _)| path.ends_with(".rs") && SOURCE_FOLDERS.iter().any(|f| path.starts_with(f)))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

fn collect_texts(root: &Path, folder: &Path, texts: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository is readable") {
        let path = entry.expect("an entry is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') && name != ".ci" && name != ".gitignore";
        if hidden || name == "target" || name == "Cargo.lock" {
            continue;
        }
        // A link stands for what is read where it lies.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect_texts(root, &path, texts);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let from_root = path.strip_prefix(root).expect("the walk starts at the root");
            texts.insert(from_root.to_string_lossy().into_owned(), text);
        }
    }
}

/// The text above `mod tests`, without comment lines.
pub(crate) fn product_code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Expects one complaint for each of `expected`, which holds its text.
pub(crate) fn assert_complaints(complaints: Vec<String>, expected: &[&str]) {
    let fit = complaints.len() == expected.len()
        && expected.iter().all(|part| complaints.iter().any(|complaint| complaint.contains(part)));
    assert!(fit, "expected {expected:#?}, got {complaints:#?}");
}
