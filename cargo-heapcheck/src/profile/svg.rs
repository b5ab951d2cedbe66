#![forbid(unsafe_code)]
//! The flame graph as a picture: nothing in it moves, and what is too narrow for its name says it when it is pointed at.

use std::fmt::Write;

use super::measure::{amount, percent};
use super::sample::Which;
use super::select::{Profile, Selection};
use super::tree::{Branch, Tree};
use crate::plumbing::{Whose, whose};
use crate::symbols::place;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 19.0;
const HEAD: f64 = 44.0;
/// Narrower boxes are not drawn.
const NARROWEST: f64 = 0.3;
/// The mean width of a character of the font below.
const LETTER: f64 = 6.7;

const STYLE: &str = "\
svg { font: 11px ui-monospace, Menlo, Consolas, monospace; background: #fff; fill: #1c1e21 }
rect { stroke: #fff; stroke-width: .6 }
.test { fill: #d9cdf0 } .own { fill: #f7b267 } .library { fill: #b8d8a0 } .plumbing { fill: #d3d9e2 }
.title { font-size: 16px } .note { fill: #667 }
@media (prefers-color-scheme: dark) {
svg { background: #16181c; fill: #e6e6e6 } rect { stroke: #16181c } .note { fill: #99a }
.test { fill: #4b3f66 } .own { fill: #a4621b } .library { fill: #466b2c } .plumbing { fill: #3a414d }
}
";

/// Draws it.
pub(crate) fn render(profile: &Profile<'_>, selection: &Selection) -> String {
    let tree = Tree::of(profile, selection.metric);
    let (boxes, depth) = lay_out(&tree, selection);
    let height = HEAD + (depth as f64 + 1.0) * ROW + 8.0;
    let total = tree.branches[0].amount;
    let shown = |branch: &Branch<'_>| {
        amount(branch.amount.of(selection.metric), selection.metric, selection.is_exact)
    };
    let what = match profile.which {
        Which::Leaked => "What leaked",
        Which::InUse => "What was in use at the end",
    };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\">\n\
         <style>{STYLE}</style>\n\
         <text class=\"title\" x=\"8\" y=\"20\">{what}, by the stacks that allocated it</text>\n\
         <text class=\"note\" x=\"8\" y=\"37\">{} in {} blocks; outermost functions above, what they called below</text>\n",
        amount(total.bytes, super::sample::Metric::Space, false),
        total.blocks,
    );
    for Box { number, x, width, row } in boxes {
        let branch = &tree.branches[number];
        let y = HEAD + row as f64 * ROW;
        let share = percent(branch.amount.of(selection.metric), total.of(selection.metric));
        let place = branch.frame.and_then(place).map_or(String::new(), |place| format!("\n{place}"));
        let tip = format!("{}\n{} ({}){place}", branch.name, shown(branch), share.trim_start());
        let _ = write!(
            text,
            "<g><title>{}</title><rect class=\"{}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\"/>",
            escaped(&tip),
            class(branch),
            ROW - 1.0
        );
        let name = shortened(branch.name, ((width - 6.0) / LETTER) as usize);
        if !name.is_empty() {
            let _ = write!(text, "<text x=\"{:.1}\" y=\"{}\">{}</text>", x + 3.0, y + 13.0, escaped(&name));
        }
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

/// Where a branch is drawn.
struct Box {
    number: usize,
    x: f64,
    width: f64,
    row: usize,
}

fn lay_out(tree: &Tree<'_>, selection: &Selection) -> (Vec<Box>, usize) {
    let total = tree.branches[0].amount.of(selection.metric).max(1) as f64;
    let (mut boxes, mut depth) = (Vec::new(), 0);
    let mut left = vec![(0, 0.0, 0)];
    while let Some((number, x, row)) = left.pop() {
        let branch = &tree.branches[number];
        let width = branch.amount.of(selection.metric).max(0) as f64 / total * WIDTH;
        if width < NARROWEST {
            continue;
        }
        depth = depth.max(row);
        boxes.push(Box { number, x, width, row });
        let mut x = x;
        for &below in &branch.below {
            left.push((below, x, row + 1));
            x += tree.branches[below].amount.of(selection.metric).max(0) as f64 / total * WIDTH;
        }
    }
    (boxes, depth)
}

fn class(branch: &Branch<'_>) -> &'static str {
    match branch.frame.map(whose) {
        None => "test",
        Some(Whose::Own) => "own",
        Some(Whose::Library) => "library",
        Some(Whose::Plumbing) => "plumbing",
    }
}

/// A name cut to at most so many characters; nothing when next to nothing would be left.
fn shortened(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        return name.to_string();
    }
    if letters < 4 {
        return String::new();
    }
    name.chars().take(letters - 1).chain(['…']).collect()
}

/// Text of XML. Control characters, which it can't hold, become spaces.
pub(crate) fn escaped(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => kept.push_str("&amp;"),
            '<' => kept.push_str("&lt;"),
            '>' => kept.push_str("&gt;"),
            '"' => kept.push_str("&quot;"),
            '\'' => kept.push_str("&#39;"),
            '\n' => kept.push('\n'),
            c if c.is_control() => kept.push(' '),
            c => kept.push(c),
        }
    }
    kept
}
