#![forbid(unsafe_code)]
//! The call graph of a profile: for each function (or line, or address) what was allocated in it, and below it.

use std::collections::{BTreeMap, HashMap};

use super::layout::Layout;
use super::sample::{Amount, Metric};
use super::select::{Granularity, Profile};
use crate::symbols::Frame;
use crate::symbols::shown;

/// A function, line or address.
#[derive(Debug)]
pub(crate) struct Node<'e> {
    /// A frame that stands for all of them.
    pub(crate) frame: &'e Frame,
    /// How it is called.
    pub(crate) name: String,
    /// What it allocated itself.
    pub(crate) flat: Amount,
    /// What it and everything that it called allocated.
    pub(crate) cum: Amount,
}

/// What makes frames one node: the function, and as far as it is asked for the file, the line and the address.
type Key<'e> = (&'e str, Option<&'e str>, Option<u32>, u64);

/// The calls between them.
#[derive(Debug)]
pub(crate) struct Graph<'e> {
    /// The functions, in the order in which they are met.
    pub(crate) nodes: Vec<Node<'e>>,
    /// What went from a caller to what it called.
    pub(crate) edges: BTreeMap<(usize, usize), Amount>,
}

impl<'e> Graph<'e> {
    /// Draws it.
    pub(crate) fn of(profile: &Profile<'e>, granularity: Granularity) -> Self {
        let layout = Layout::of(profile.units);
        let mut graph = Self { nodes: Vec::new(), edges: BTreeMap::new() };
        let mut numbers: HashMap<Key<'_>, usize> = HashMap::new();
        let mut path: Vec<usize> = Vec::new();
        for sample in &profile.samples {
            path.clear();
            for frame in sample.frames {
                let key = match granularity {
                    Granularity::Functions => (&*frame.function, None, None, 0),
                    Granularity::Lines => (&*frame.function, frame.file.as_deref(), frame.line, 0),
                    Granularity::Addresses => {
                        let call = layout.spot(sample.unit, frame).pc.saturating_sub(1);
                        (&*frame.function, frame.file.as_deref(), frame.line, call)
                    }
                };
                let next = graph.nodes.len();
                let number = *numbers.entry(key).or_insert(next);
                if number == next {
                    let name = name_of(frame, granularity, key.3);
                    let (flat, cum) = Default::default();
                    graph.nodes.push(Node { frame, name, flat, cum });
                }
                path.push(number);
            }
            graph.add(&path, sample.amount);
        }
        graph
    }

    fn add(&mut self, path: &[usize], amount: Amount) {
        if let Some(leaf) = path.first() {
            self.nodes[*leaf].flat.add(amount);
        }
        for (at, node) in path.iter().enumerate() {
            // A function that calls itself is counted once.
            if !path[..at].contains(node) {
                self.nodes[*node].cum.add(amount);
            }
        }
        let calls: Vec<(usize, usize)> = path.windows(2).map(|pair| (pair[1], pair[0])).collect();
        for (at, call) in calls.iter().enumerate() {
            if !calls[..at].contains(call) {
                self.edges.entry(*call).or_default().add(amount);
            }
        }
    }

    /// The numbers of the nodes, those with the most of their own first.
    pub(crate) fn by_flat(&self, metric: Metric) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|&number| {
            let node = &self.nodes[number];
            let (flat, cum) = (node.flat.of(metric).abs(), node.cum.of(metric).abs());
            (std::cmp::Reverse(flat), std::cmp::Reverse(cum), number)
        });
        order
    }
}

fn name_of(frame: &Frame, granularity: Granularity, call: u64) -> String {
    if granularity == Granularity::Functions {
        return frame.function.to_string();
    }
    let file = frame.file.as_deref().map_or(String::new(), |file| {
        let line = frame.line.map_or(String::new(), |line| format!(":{line}"));
        format!(" {}{line}", shown(file))
    });
    let inlined = if frame.is_inlined { " (inline)" } else { "" };
    match granularity {
        Granularity::Addresses => format!("{call:016x} {}{file}{inlined}", frame.function),
        _ => format!("{}{file}", frame.function),
    }
}
