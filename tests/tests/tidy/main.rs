#![forbid(unsafe_code)]
//! The house rules that a machine can hold. Each is a plain function over the texts of the repository that returns its
//! complaints, with a test beside it that feeds it a bad text: a check that can't fail is no check.
//!
//! It reads lines, not syntax: a rule that needs a parser is left to rustc, clippy and reviewers. Of a source file only
//! the part above its `mod tests` is held to the staircase and to the list of statics.

mod tree;
mod staircase;
mod rooms;
mod texts;

#[test]
fn the_repository_is_tidy() {
    let tree = tree::Tree::read();
    let checks = [
        staircase::staircase,
        staircase::stray_files,
        rooms::file_heads,
        rooms::unsafe_rooms,
        rooms::statics,
        texts::architecture,
        texts::leftovers,
        texts::shape,
        texts::lint_table,
    ];
    let complaints: Vec<String> = checks.iter().flat_map(|check| check(&tree)).collect();
    assert!(complaints.is_empty(), "{} complaints:\n{}\n", complaints.len(), complaints.join("\n"));
}
