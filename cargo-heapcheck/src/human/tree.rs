#![forbid(unsafe_code)]
//! What a leak keeps alive, as an indented tree that is bounded in depth and width.

use std::fmt::Write;

use crate::explain::Branch;
use crate::figures::{bytes, counted, grouped};
use crate::look::{FAINT, Look};

const DEPTH_MAX: usize = 6;
const WIDTH_MAX: usize = 6;
const LINES_MAX: usize = 24;

/// Writes the tree.
pub(super) fn render(text: &mut String, branches: &[Branch], look: Look) {
    let mut lines = LINES_MAX;
    render_level(text, branches, 0, &mut lines, look);
}

/// Cycles that hang on a leak: those cannot be told by one type.
fn cycles(cycles: u64, name: Option<&str>, blocks: u64) -> String {
    let what = if cycles == 1 { "a cycle".to_string() } else { format!("{} cycles", grouped(cycles)) };
    let through = name.map_or(String::new(), |name| format!(" through {name}"));
    format!("{what}{through}, {}", counted(blocks, "block"))
}

fn render_level(text: &mut String, branches: &[Branch], depth: usize, lines: &mut usize, look: Look) {
    let indent = " ".repeat(7 + 2 * depth);
    for (at, branch) in branches.iter().enumerate() {
        if at == WIDTH_MAX || depth == DEPTH_MAX || *lines == 0 {
            let rest = branches[at..].iter().map(Branch::all);
            let (blocks, sum) = rest.fold((0, 0), |sum, all| (sum.0 + all.0, sum.1 + all.1));
            let _ = writeln!(text, "{indent}... and {} of {} more", counted(blocks, "block"), bytes(sum));
            return;
        }
        *lines -= 1;
        let way = match (&branch.field, branch.offset) {
            (Some(field), _) => format!("{field}: "),
            (None, Some(offset)) => format!("at offset {offset}: "),
            (None, None) => String::new(),
        };
        let name = branch.allocated.as_deref();
        let what = match (name, branch.blocks) {
            (_, count) if branch.cycles > 0 => cycles(branch.cycles, name, count),
            (Some(name), 1) => name.to_string(),
            (Some(name), count) => format!("{} × {name}", grouped(count)),
            (None, count) => counted(count, "block"),
        };
        let place = branch.place.as_ref().map_or(String::new(), |place| format!("  {place}"));
        let _ = writeln!(text, "{indent}{way}{what}, {}{}", bytes(branch.bytes), look.paint(FAINT, &place));
        render_level(text, &branch.below, depth + 1, lines, look);
    }
}
