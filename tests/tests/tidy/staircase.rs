#![forbid(unsafe_code)]
//! No knots: inside a crate the `mod` lines stand bottom-up, and a module names only modules above it.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Tree, product_code};

/// The roots from which `mod` lines are followed.
const CRATE_ROOTS: &[&str] = &[
    "heapcheck-rt/src/lib.rs",
    "heapcheck-rt/src/rt.rs",
    "heapcheck-rt/src/usher.rs",
    "cargo-heapcheck/src/main.rs",
    "linked/src/lib.rs",
    "macros/src/lib.rs",
    "tests/src/lib.rs",
    "tests/tests/tidy/main.rs",
];

/// A module of a crate: its path (`["mark", "queue"]`), its file, and its children in the order of their `mod` lines.
struct Module {
    path: Vec<String>,
    file: String,
    children: Vec<String>,
    /// Whether only unit tests have it.
    test: bool,
}

/// A `mod x;` line with the attributes above it.
pub(crate) struct ModLine {
    name: String,
    attributes: String,
}

impl ModLine {
    /// The file that a `#[path]` gives it.
    fn path(&self) -> Option<&str> {
        Some(self.attributes.split_once("#[path = \"")?.1.split_once('"')?.0)
    }
}

/// The `mod` lines of a file, in order.
pub(crate) fn mod_lines(text: &str) -> Vec<ModLine> {
    let mut attributes = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let declared = ["", "pub ", "pub(crate) ", "pub(super) "]
            .iter()
            .find_map(|public| line.strip_prefix(public)?.strip_prefix("mod ")?.strip_suffix(';'));
        if let Some(name) = declared {
            found.push(ModLine { name: name.to_string(), attributes: std::mem::take(&mut attributes) });
        } else if line.starts_with('#') {
            attributes.push_str(line);
        } else {
            attributes.clear();
        }
    }
    found
}

/// Follows the `mod` lines from the crate root `root`. A root that does not exist has no modules.
fn modules_of(tree: &Tree, root: &str) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut open = vec![(Vec::new(), root.to_string(), false)];
    while let Some((path, file, test)) = open.pop() {
        let Some(text) = tree.text(&file) else { continue };
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", &file));
        let below = match name {
            "lib.rs" | "main.rs" | "rt.rs" | "usher.rs" | "mod.rs" => folder.to_string(),
            other => format!("{folder}/{}", other.trim_end_matches(".rs")),
        };
        let lines = mod_lines(text);
        for line in &lines {
            let candidates = match line.path() {
                Some(given) => vec![format!("{folder}/{given}")],
                None => vec![format!("{below}/{}.rs", line.name), format!("{below}/{}/mod.rs", line.name)],
            };
            let line_test = test || line.attributes.contains("#[cfg(test)]");
            if let Some(found) = candidates.into_iter().find(|c| tree.text(c).is_some()) {
                open.push(([path.clone(), vec![line.name.clone()]].concat(), found, line_test));
            }
        }
        modules.push(Module {
            path,
            file,
            children: lines.into_iter().map(|line| line.name).collect(),
            test,
        });
    }
    modules
}

/// The files that only unit tests have, in every crate that has them.
pub(crate) fn test_files(tree: &Tree) -> BTreeSet<String> {
    let modules: Vec<Module> = CRATE_ROOTS.iter().flat_map(|root| modules_of(tree, root)).collect();
    let product: BTreeSet<&String> =
        modules.iter().filter(|module| !module.test).map(|module| &module.file).collect();
    modules.iter().map(|module| &module.file).filter(|file| !product.contains(file)).cloned().collect()
}

/// The absolute module paths that `code` of the module `own` names with `crate::` and `super::`, also in braces.
fn named_paths(code: &str, own: &[String]) -> Vec<Vec<String>> {
    let mut named = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            // A later `super::` of a chain belongs to its first one; `$crate` in a macro is the same crate.
            if before == ':' || before.is_alphanumeric() || before == '_' {
                continue;
            }
            let mut rest = &code[at..];
            let mut base = Vec::new();
            if start == "super::" {
                base = own.to_vec();
                while let Some(after) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = after;
                }
            } else {
                rest = &rest[start.len()..];
            }
            expand(rest, base, &mut named);
        }
    }
    named
}

/// Adds every path that begins with `base` and goes on as `rest` says: `a::b`, `{a, b::{c, d}}`.
fn expand(rest: &str, mut base: Vec<String>, named: &mut Vec<Vec<String>>) {
    let mut rest = rest;
    loop {
        if let Some(inside) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut from = 0;
            for (at, c) in inside.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        expand(inside[from..at].trim(), base, named);
                        return;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        expand(inside[from..at].trim(), base.clone(), named);
                        from = at + 1;
                    }
                    _ => {}
                }
            }
            return;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        base.push(rest[..end].to_string());
        match rest[end..].strip_prefix("::") {
            Some(after) => rest = after,
            None => break,
        }
    }
    named.push(base);
}

/// A source file that no crate root reaches is compiled by nobody.
pub(crate) fn stray_files(tree: &Tree) -> Vec<String> {
    let reached: BTreeSet<String> =
        CRATE_ROOTS.iter().flat_map(|root| modules_of(tree, root)).map(|module| module.file).collect();
    let folders: BTreeSet<&str> =
        CRATE_ROOTS.iter().filter_map(|root| Some(root.rsplit_once('/')?.0)).collect();
    tree.sources()
        .map(|(path, _)| path)
        .filter(|path| {
            folders.iter().any(|folder| path.starts_with(&format!("{folder}/"))) && !reached.contains(*path)
        })
        .map(|path| format!("{path}: no `mod` line leads to it"))
        .collect()
}

/// A module may only name siblings, its own or its ancestors', whose `mod` line stands above.
pub(crate) fn staircase(tree: &Tree) -> Vec<String> {
    let mut complaints = BTreeSet::new();
    for root in CRATE_ROOTS {
        let modules = modules_of(tree, root);
        let steps: BTreeMap<&[String], &[String]> =
            modules.iter().map(|module| (module.path.as_slice(), module.children.as_slice())).collect();
        for module in modules.iter().filter(|module| !module.test) {
            let code = product_code(tree.text(&module.file).unwrap_or_default());
            for named in named_paths(&code, &module.path) {
                // Where the two paths part, both steps are children of the same module.
                let parted = named.iter().zip(&module.path).take_while(|(a, b)| a == b).count();
                let (Some(theirs), Some(ours)) = (named.get(parted), module.path.get(parted)) else {
                    continue;
                };
                let order = steps.get(&module.path[..parted]).copied().unwrap_or_default();
                let place = |name: &String| order.iter().position(|step| step == name);
                if let (Some(theirs_at), Some(ours_at)) = (place(theirs), place(ours))
                    && theirs_at > ours_at
                {
                    complaints.insert(format!(
                        "{}: names `{}`, whose mod line stands below that of `{ours}` in the crate of {root}",
                        module.file,
                        named[..=parted].join("::"),
                    ));
                }
            }
        }
    }
    complaints.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::assert_complaints;

    #[test]
    fn a_module_that_names_one_below_it_is_a_knot() {
        let tree = |low: &str| {
            let root = "pub mod low;\nmod high;\n";
            Tree::of(&[
                ("heapcheck-rt/src/lib.rs", root),
                ("heapcheck-rt/src/low.rs", low),
                ("heapcheck-rt/src/high.rs", ""),
            ])
        };
        for bad in ["use crate::high;", "use super::{high::X, other};", "fn f() { crate::high::go() }"] {
            assert_complaints(staircase(&tree(bad)), &["names `high`"]);
        }
        for good in [
            "use crate::low::X;",
            "// crate::high",
            "#[cfg(test)]\nmod tests { use crate::high; }",
            "use crate::X;",
        ] {
            assert_complaints(staircase(&tree(good)), &[]);
        }
    }

    #[test]
    fn a_nested_module_climbs_the_stairs_of_all_its_ancestors() {
        let tree = |leaf: &str| {
            Tree::of(&[
                ("macros/src/lib.rs", "mod inner;\nmod above;\n"),
                ("macros/src/inner/mod.rs", "mod leaf;\nmod twig;\n"),
                ("macros/src/inner/leaf.rs", leaf),
                ("macros/src/inner/twig.rs", "use super::leaf;\n"),
                ("macros/src/above.rs", "use crate::inner::{leaf, twig};\n"),
            ])
        };
        assert_complaints(staircase(&tree("use super::twig;")), &["names `inner::twig`"]);
        assert_complaints(staircase(&tree("use super::super::above::X;")), &["names `above`"]);
        assert_complaints(
            staircase(&tree("use crate::{inner::{twig}, above};")),
            &["inner::twig", "`above`"],
        );
        assert_complaints(staircase(&tree("use super::Own;")), &[]);
    }

    #[test]
    fn a_file_that_nobody_compiles_is_found() {
        let tree =
            Tree::of(&[("macros/src/lib.rs", "mod a;\n"), ("macros/src/a.rs", ""), ("macros/src/b.rs", "")]);
        assert_complaints(stray_files(&tree), &["macros/src/b.rs"]);
    }
}
