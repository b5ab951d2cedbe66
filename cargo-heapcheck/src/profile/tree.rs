#![forbid(unsafe_code)]
//! The stacks as a tree with the outermost functions at its root: what a flame graph draws.

use std::collections::HashMap;

use super::sample::{Amount, Metric};
use super::select::Profile;
use crate::symbols::Frame;

/// A function as it was reached by one way.
#[derive(Debug)]
pub(crate) struct Branch<'e> {
    /// The frame; `None` for the root and the tests.
    pub(crate) frame: Option<&'e Frame>,
    /// How it is called.
    pub(crate) name: &'e str,
    /// What it and everything below it lost.
    pub(crate) amount: Amount,
    /// What it called, by their numbers.
    pub(crate) below: Vec<usize>,
}

/// The tree. Number 0 is its root; those right below are the tests.
#[derive(Debug)]
pub(crate) struct Tree<'e> {
    /// All branches; each lies behind the one that it grows from.
    pub(crate) branches: Vec<Branch<'e>>,
}

impl<'e> Tree<'e> {
    /// Grows it.
    pub(crate) fn of(profile: &Profile<'e>, metric: Metric) -> Self {
        let root = Branch { frame: None, name: "all", amount: Amount::default(), below: Vec::new() };
        let mut tree = Self { branches: vec![root] };
        let mut numbers: HashMap<(usize, &str), usize> = HashMap::new();
        for sample in profile.grown() {
            tree.branches[0].amount.add(sample.amount);
            let frames = sample.frames.iter().rev().map(|frame| (Some(frame), &*frame.function));
            let mut at = 0;
            for (frame, name) in std::iter::once((None, sample.test)).chain(frames) {
                let next = tree.branches.len();
                let number = *numbers.entry((at, name)).or_insert(next);
                if number == next {
                    tree.branches.push(Branch { frame, name, amount: Amount::default(), below: Vec::new() });
                    tree.branches[at].below.push(number);
                }
                tree.branches[number].amount.add(sample.amount);
                at = number;
            }
        }
        for at in 0..tree.branches.len() {
            let mut below = std::mem::take(&mut tree.branches[at].below);
            below.sort_by_key(|&number| {
                let branch = &tree.branches[number];
                (std::cmp::Reverse(branch.amount.of(metric)), branch.name)
            });
            tree.branches[at].below = below;
        }
        tree
    }
}
