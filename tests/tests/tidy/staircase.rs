#![forbid(unsafe_code)]
//! No knots: inside a crate the `mod` lines stand bottom-up, and a module names only modules above it. Following the same
//! lines also tells what the injected object is compiled from, so the list of embedded sources is held to it here.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Tree, product_code};

/// The roots from which `mod` lines are followed.
const CRATE_ROOTS: &[&str] = &[
    "heapcheck-rt/src/lib.rs",
    "heapcheck-rt/src/rt.rs",
    "cargo-heapcheck/src/main.rs",
    "macros/src/lib.rs",
    "tests/src/lib.rs",
    "tests/tests/tidy/main.rs",
];

/// A module of a crate: its path (`["mark", "queue"]`), its file, and its children in the order of their `mod` lines.
struct Module {
    path: Vec<String>,
    file: String,
    children: Vec<String>,
}

/// The names declared by `mod x;` lines with the file that a `#[path]` above gives them, in order.
pub(crate) fn mod_lines(text: &str) -> Vec<(String, Option<String>)> {
    let mut given_path = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            given_path = rest.strip_suffix("\"]").map(str::to_string);
        }
        let declared = ["", "pub ", "pub(crate) ", "pub(super) "]
            .iter()
            .find_map(|public| line.strip_prefix(public)?.strip_prefix("mod ")?.strip_suffix(';'));
        if let Some(name) = declared {
            found.push((name.to_string(), given_path.take()));
        } else if !line.starts_with('#') {
            given_path = None;
        }
    }
    found
}

/// Follows the `mod` lines from the crate root `root`. A root that does not exist has no modules.
fn modules_of(tree: &Tree, root: &str) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut open = vec![(Vec::new(), root.to_string())];
    while let Some((path, file)) = open.pop() {
        let Some(text) = tree.text(&file) else { continue };
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", &file));
        let below = match name {
            "lib.rs" | "main.rs" | "rt.rs" | "mod.rs" => folder.to_string(),
            other => format!("{folder}/{}", other.trim_end_matches(".rs")),
        };
        let lines = mod_lines(text);
        for (child, given) in &lines {
            let candidates = match given {
                Some(given) => vec![format!("{folder}/{given}")],
                None => vec![format!("{below}/{child}.rs"), format!("{below}/{child}/mod.rs")],
            };
            if let Some(found) = candidates.into_iter().find(|c| tree.text(c).is_some()) {
                open.push(([path.clone(), vec![child.clone()]].concat(), found));
            }
        }
        modules.push(Module { path, file, children: lines.into_iter().map(|(name, _)| name).collect() });
    }
    modules
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

/// A module may only name siblings, its own or its ancestors', whose `mod` line stands above.
pub(crate) fn staircase(tree: &Tree) -> Vec<String> {
    let mut complaints = BTreeSet::new();
    for root in CRATE_ROOTS {
        let modules = modules_of(tree, root);
        let steps: BTreeMap<&[String], &[String]> =
            modules.iter().map(|module| (module.path.as_slice(), module.children.as_slice())).collect();
        for module in &modules {
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

/// `sources.rs` embeds exactly what the injected object is compiled from.
pub(crate) fn embedded_sources(tree: &Tree) -> Vec<String> {
    let list = "heapcheck-rt/src/sources.rs";
    let Some(text) = tree.text(list) else { return Vec::new() };
    let mut needed = BTreeSet::new();
    for module in modules_of(tree, "heapcheck-rt/src/rt.rs") {
        let folder = module.file.rsplit_once('/').map_or("", |(folder, _)| folder).to_string();
        let code = product_code(tree.text(&module.file).unwrap_or_default());
        needed.extend(included(&code).into_iter().map(|name| format!("{folder}/{name}")));
        needed.insert(module.file);
    }
    let embedded: BTreeSet<String> =
        included(text).into_iter().map(|name| format!("heapcheck-rt/src/{name}")).collect();
    let missing = needed.difference(&embedded).map(|file| format!("{list}: {file} is missing"));
    let surplus =
        embedded.difference(&needed).map(|file| format!("{list}: {file} is not part of the object"));
    missing.chain(surplus).collect()
}

fn included(code: &str) -> Vec<String> {
    let after = code.split("include_str!(\"").skip(1).chain(code.split("include!(\"").skip(1));
    after.filter_map(|rest| Some(rest.split_once('"')?.0.to_string())).collect()
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
    fn the_list_of_embedded_sources_is_exact() {
        let tree = Tree::of(&[
            ("heapcheck-rt/src/rt.rs", "mod a;\nmod b;\n"),
            ("heapcheck-rt/src/a.rs", "global_asm!(include_str!(\"a.s\"));\n"),
            ("heapcheck-rt/src/b/mod.rs", ""),
            (
                "heapcheck-rt/src/sources.rs",
                "include_str!(\"rt.rs\") include_str!(\"a.rs\") include_str!(\"c.rs\")",
            ),
        ]);
        assert_complaints(
            embedded_sources(&tree),
            &["b/mod.rs is missing", "a.s is missing", "c.rs is not part"],
        );
    }
}
