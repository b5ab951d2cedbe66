#![forbid(unsafe_code)]
//! What holds for the texts of the repository: the page that names every file, leftovers of the work, odd shapes, and the
//! one lint table.

use std::collections::BTreeSet;

use crate::tree::Tree;

const LINES_MAX: usize = 600;
/// Of a page for people. A row of a table can't be broken.
const WIDTH_MAX: usize = 140;

/// ARCHITECTURE.md names every source file, and every path it names exists. A heading that names a folder is the place
/// of the names below it.
pub(crate) fn architecture(tree: &Tree) -> Vec<String> {
    let page = tree.text("ARCHITECTURE.md").unwrap_or_default();
    let mut named = BTreeSet::new();
    let mut complaints = Vec::new();
    let mut folder = String::new();
    for line in page.lines() {
        let quoted = line.split('`').skip(1).step_by(2);
        if line.starts_with('#') {
            folder = quoted.last().filter(|name| name.ends_with('/')).unwrap_or_default().to_string();
            if !folder.is_empty() && !tree.0.keys().any(|path| path.starts_with(&folder)) {
                complaints.push(format!("ARCHITECTURE.md: there is no folder `{folder}`"));
            }
            continue;
        }
        let is_file = |name: &&str| [".rs", ".h", ".md", ".toml"].iter().any(|end| name.ends_with(end));
        for name in quoted.filter(|name| !name.contains([' ', '*'])).filter(is_file) {
            let here = format!("{folder}{name}");
            match [here.as_str(), name].into_iter().find(|path| tree.text(path).is_some()) {
                Some(path) => drop(named.insert(path.to_string())),
                None => complaints.push(format!("ARCHITECTURE.md: there is no file `{here}`")),
            }
        }
    }
    let sources = tree.sources().filter(|(path, _)| !named.contains(*path));
    complaints.extend(sources.map(|(path, _)| format!("ARCHITECTURE.md: does not name `{path}`")));
    complaints
}

/// Texts hold no path of somebody's machine and no leftovers of the work.
pub(crate) fn leftovers(tree: &Tree) -> Vec<String> {
    // Split, so that this file passes.
    let machine =
        [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/", "hc/"), concat!("/tmp/", "target")];
    let unfinished = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("db", "g!("),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("<<<<", "<<< "),
    ];
    let mut complaints = Vec::new();
    for (path, text) in &tree.0 {
        for (at, line) in text.lines().enumerate() {
            let foreign = machine.iter().any(|part| {
                let before = line.split(part).next().and_then(|before| before.chars().next_back());
                line.contains(part) && !before.is_some_and(|c| c.is_alphanumeric() || "._-".contains(c))
            });
            if foreign {
                complaints.push(format!("{path}:{}: names a path of one machine", at + 1));
            }
            if let Some(word) = unfinished.iter().find(|word| line.contains(*word)) {
                complaints.push(format!("{path}:{}: leftover `{word}`", at + 1));
            }
        }
    }
    complaints
}

/// Lines end where their text ends, files end with a newline, and a long file is probably two.
pub(crate) fn shape(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in &tree.0 {
        // Snapshots and licences are kept as they come.
        if [".snap", ".stderr", "LICENSE-APACHE"].iter().any(|end| path.ends_with(end)) {
            continue;
        }
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.ends_with([' ', '\t'])) {
            complaints.push(format!("{path}:{}: trailing space after `{}`", at + 1, line.trim()));
        }
        let is_wide = |line: &str| line.chars().count() > WIDTH_MAX && !line.starts_with('|');
        for (at, line) in text.lines().enumerate().filter(|_| path.ends_with(".md")) {
            if is_wide(line) {
                complaints.push(format!("{path}:{}: is longer than {WIDTH_MAX} characters", at + 1));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            complaints.push(format!("{path}: does not end with a newline"));
        }
        let lines = text.lines().count();
        if path.ends_with(".rs") && lines > LINES_MAX {
            complaints.push(format!("{path}: has {lines} lines; past {LINES_MAX} it is two files"));
        }
    }
    complaints
}

/// Every package takes its lints from the one table of the workspace.
pub(crate) fn lint_table(tree: &Tree) -> Vec<String> {
    let manifest = tree.text("Cargo.toml").unwrap_or_default();
    let members = manifest.lines().find(|line| line.starts_with("members")).unwrap_or_default();
    members
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|member| format!("{member}/Cargo.toml"))
        .filter(|path| !tree.text(path).unwrap_or_default().contains("[lints]\nworkspace = true"))
        .map(|path| format!("{path}: does not take the lints of the workspace"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::assert_complaints;

    #[test]
    fn the_page_and_the_files_agree() {
        let page = "# X\n\n`README.md`\n\n### `macros/src/`\n\n- `lib.rs`, `gone.rs`\n\n### `nowhere/`\n";
        let tree = Tree::of(&[
            ("ARCHITECTURE.md", page),
            ("README.md", ""),
            ("macros/src/lib.rs", ""),
            ("macros/src/new.rs", ""),
        ]);
        assert_complaints(
            architecture(&tree),
            &["no file `macros/src/gone.rs`", "name `macros/src/new.rs`", "`nowhere/`"],
        );
    }

    #[test]
    fn leftovers_are_found() {
        let text = concat!("a /wo", "rk/x\nb TO", "DO\nc db", "g!(x)\nd src/wo", "rk/x\ne /tmp\n");
        assert_complaints(
            leftovers(&Tree::of(&[("a.md", text)])),
            &["a.md:1: names a path", "a.md:2", "a.md:3"],
        );
    }

    #[test]
    fn odd_shapes_are_found() {
        let long = "x\n".repeat(LINES_MAX + 1);
        let (row, line) = (format!("|{long:?}\n"), format!("{}\n", "x".repeat(WIDTH_MAX + 1)));
        let tree = Tree::of(&[
            ("a.rs", long.as_str()),
            ("b.md", "x \ny"),
            ("c.rs", "x\n"),
            ("d.md", row.as_str()),
            ("e.md", line.as_str()),
            ("e.rs", line.as_str()),
        ]);
        let expected = ["a.rs: has 601", "b.md:1: trailing", "b.md: does not end", "e.md:1: is longer"];
        assert_complaints(shape(&tree), &expected);
    }

    #[test]
    fn a_package_with_lints_of_its_own_is_found() {
        let tree = Tree::of(&[
            ("Cargo.toml", "members = [\"a\", \"b\"]\n"),
            ("a/Cargo.toml", "[lints]\nworkspace = true\n"),
        ]);
        assert_complaints(lint_table(&tree), &["b/Cargo.toml"]);
    }
}
