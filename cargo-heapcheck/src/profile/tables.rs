#![forbid(unsafe_code)]
//! What pprof's `-text` (or `-top`) and `-tree` print: where the most was allocated, and who called that.

use std::fmt::Write;

use super::graph::Graph;
use super::measure::{amount, percent};
use super::sample::Amount;
use super::select::{Profile, Selection};

const RULE: &str = "----------------------------------------------------------+-------------\n";

/// Writes a line for each function.
pub(crate) fn render_top(profile: &Profile<'_>, selection: &Selection) -> String {
    let graph = Graph::of(profile, selection.granularity);
    let mut text = head(profile, selection);
    let _ = writeln!(text, "      flat  flat%   sum%        cum   cum%");
    let (total, mut sum) = (profile.total(selection.metric), 0);
    for number in graph.by_flat(selection.metric) {
        let node = &graph.nodes[number];
        sum += node.flat.of(selection.metric);
        let numbers = numbers(node.flat, sum, node.cum, total, selection);
        let _ = writeln!(text, "{numbers}  {}", node.name);
    }
    text
}

/// Writes each function with its callers above and what it called below.
pub(crate) fn render_tree(profile: &Profile<'_>, selection: &Selection) -> String {
    let metric = selection.metric;
    let graph = Graph::of(profile, selection.granularity);
    let mut text = head(profile, selection);
    text.push_str(RULE);
    let _ = writeln!(text, "      flat  flat%   sum%        cum   cum%   calls calls% + context");
    text.push_str(RULE);
    let (total, mut sum) = (profile.total(metric), 0);
    for number in graph.by_flat(metric) {
        let node = &graph.nodes[number];
        let context = |text: &mut String, is_wanted: &dyn Fn(usize, usize) -> Option<usize>| {
            let mut calls: Vec<(usize, Amount)> = graph
                .edges
                .iter()
                .filter_map(|(&(from, to), amount)| Some((is_wanted(from, to)?, *amount)))
                .collect();
            calls.sort_by_key(|(other, amount)| (std::cmp::Reverse(amount.of(metric).abs()), *other));
            for (other, weight) in calls {
                let value = weight.of(metric);
                let shown = amount(value, metric, selection.is_exact);
                let share = percent(value, node.cum.of(metric));
                let _ = writeln!(text, "{:40}{shown:>10} {share} |   {}", "", graph.nodes[other].name);
            }
        };
        context(&mut text, &|from, to| (to == number).then_some(from));
        sum += node.flat.of(metric);
        let numbers = numbers(node.flat, sum, node.cum, total, selection);
        let _ = writeln!(text, "{numbers}{:16}| {}", "", node.name);
        context(&mut text, &|from, to| (from == number).then_some(to));
        text.push_str(RULE);
    }
    text
}

/// The lines above a table.
fn head(profile: &Profile<'_>, selection: &Selection) -> String {
    let total = amount(profile.total(selection.metric), selection.metric, selection.is_exact);
    let sum = amount(profile.sum().of(selection.metric), selection.metric, selection.is_exact);
    let net = if selection.base.is_some() { format!(" changed, {sum} net") } else { String::new() };
    format!("Type: {}\nTotal: {total}{net}\n", selection.name())
}

fn numbers(flat: Amount, sum: i64, cum: Amount, total: i64, selection: &Selection) -> String {
    let metric = selection.metric;
    let shown = |value: i64| amount(value, metric, selection.is_exact);
    let (flat, cum) = (flat.of(metric), cum.of(metric));
    let shares = [percent(flat, total), percent(sum, total), percent(cum, total)];
    format!("{:>10} {} {} {:>10} {}", shown(flat), shares[0], shares[1], shown(cum), shares[2])
}
