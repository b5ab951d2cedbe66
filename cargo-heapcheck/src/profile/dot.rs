#![forbid(unsafe_code)]
//! The call graph in the language of graphviz.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::graph::Graph;
use super::measure::{amount, percent};
use super::select::{Profile, Selection};
use crate::plumbing::{Whose, whose};

/// More nodes than this nobody can read; those with the least are left out, as pprof does.
const NODES_MAX: usize = 80;

/// Writes the graph.
pub(crate) fn render(profile: &Profile<'_>, selection: &Selection) -> String {
    let metric = selection.metric;
    let graph = Graph::of(profile, selection.granularity);
    let total = profile.total(metric);
    let shown = |value: i64| amount(value, metric, selection.is_exact);
    let mut order: Vec<usize> = (0..graph.nodes.len()).collect();
    order.sort_by_key(|&number| (std::cmp::Reverse(graph.nodes[number].cum.of(metric).abs()), number));
    order.truncate(NODES_MAX);
    // The numbers in the picture, by those of the graph.
    let numbers: BTreeMap<usize, usize> =
        order.iter().enumerate().map(|(at, &node)| (node, at + 1)).collect();
    let mut text = String::from("digraph heapcheck {\n    node [shape=box fontname=\"sans-serif\"];\n");
    text.push_str("    edge [fontname=\"sans-serif\" fontsize=10];\n");
    let left_out = graph.nodes.len() - order.len();
    let rest =
        if left_out > 0 { format!("\\l{left_out} smaller nodes are not shown") } else { String::new() };
    let _ = writeln!(
        text,
        "    legend [shape=note style=filled fillcolor=\"#f8f8f8\" label=\"{}: {}{rest}\\l\"];",
        selection.name(),
        shown(total)
    );
    for (&node, number) in &numbers {
        let node = &graph.nodes[node];
        let (flat, cum) = (node.flat.of(metric), node.cum.of(metric));
        let own = match flat {
            0 => String::new(),
            flat => format!("\\n{} ({})", shown(flat), percent(flat, total).trim_start()),
        };
        let below = match cum {
            cum if cum == flat => String::new(),
            cum => format!("\\nof {} ({})", shown(cum), percent(cum, total).trim_start()),
        };
        let share = if total == 0 { 0.0 } else { (flat as f64 / total as f64).abs() };
        let size = 8.0 + (share.sqrt() * 24.0).round();
        let fill = match whose(node.frame) {
            Whose::Own => "#fbd5a8",
            Whose::Library => "#d6e6c3",
            Whose::Plumbing => "#dfe3ea",
        };
        let _ = writeln!(
            text,
            "    n{number} [label=\"{}{own}{below}\" fontsize={size} style=filled fillcolor=\"{fill}\"];",
            quoted(&node.name)
        );
    }
    for ((from, to), weight) in &graph.edges {
        let (Some(from), Some(to)) = (numbers.get(from), numbers.get(to)) else { continue };
        let value = weight.of(metric);
        let share = if total == 0 { 0.0 } else { (value as f64 / total as f64).abs() };
        let _ = writeln!(
            text,
            "    n{from} -> n{to} [label=\" {}\" penwidth={:.1}];",
            shown(value),
            1.0 + share * 5.0
        );
    }
    text.push_str("}\n");
    text
}

/// Text between quotes: graphviz knows `\"` and `\\`, and breaks lines at `\n`.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ")
}
