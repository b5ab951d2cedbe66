#![forbid(unsafe_code)]
//! Samples: what was lost, or is in use, with the stack that allocated it, the same for every format.
//!
//! A profile holds what counts as leaked. Doubtful blocks do not, so the sum of a profile is the sum of the report.
//!
//! A stack is cut at both ends: inwards it stops at the function of std that somebody's code called (`<Rc<Node>>::new`),
//! because what lies deeper is the same for all; outwards at the last function that is not libtest's or libc's. Of what these
//! have in use for themselves the outermost function is left.

use std::collections::HashMap;

use heapcheck_rt::record::LeakKind;

use crate::explain::{Explained, Explanation, Stack};
use crate::plumbing::{Whose, whose};
use crate::symbols::Frame;

/// Two sums that always go together. Differences to an older run may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Blocks.
    pub(crate) blocks: i64,
    /// Their bytes.
    pub(crate) bytes: i64,
}

/// Whose sums are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Which {
    /// Of blocks that were lost.
    #[default]
    Leaked,
    /// Of all blocks that were alive at the check, lost ones among them.
    InUse,
}

/// Which of the two is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Blocks.
    Objects,
    /// Bytes.
    #[default]
    Space,
}

impl Metric {
    /// Its name, as in a profile.
    pub(crate) fn name(self, which: Which) -> &'static str {
        match (which, self) {
            (Which::Leaked, Self::Objects) => "leaked_objects",
            (Which::Leaked, Self::Space) => "leaked_space",
            (Which::InUse, Self::Objects) => "inuse_objects",
            (Which::InUse, Self::Space) => "inuse_space",
        }
    }
}

impl Amount {
    /// The sum that is looked at.
    pub(crate) fn of(self, metric: Metric) -> i64 {
        match metric {
            Metric::Objects => self.blocks,
            Metric::Space => self.bytes,
        }
    }

    /// Adds another.
    pub(crate) fn add(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.bytes += other.bytes;
    }

    fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// Blocks of one kind that were lost from one stack, or are in use from there.
#[derive(Clone, Debug)]
pub(crate) struct Sample<'e> {
    /// The stack, innermost first.
    pub(crate) frames: &'e [Frame],
    /// How much.
    pub(crate) amount: Amount,
    /// How the blocks hang together, when they were lost.
    pub(crate) kind: Option<LeakKind>,
    /// Their type; empty when it is unknown.
    pub(crate) allocated: &'e str,
    /// The test, or the program when it has none.
    pub(crate) test: &'e str,
    /// The thread; empty when it is unknown.
    pub(crate) thread: &'e str,
    /// Where it comes from, for the addresses of its files.
    pub(crate) unit: Option<&'e Explained>,
}

/// What a sample is told by when two runs are compared: addresses and threads differ from run to run.
type Same<'e> = (&'e str, Option<LeakKind>, &'e str, Vec<(&'e str, Option<&'e str>, Option<u32>)>);

impl<'e> Sample<'e> {
    fn same(&self) -> Same<'e> {
        let frames = self.frames.iter().map(|frame| (&*frame.function, frame.file.as_deref(), frame.line));
        (self.test, self.kind, self.allocated, frames.collect())
    }

    /// How the blocks hang together, in a word; none when they are in use.
    pub(crate) fn kind_name(&self) -> &'static str {
        self.kind.map_or("", LeakKind::name)
    }

    /// Whether it is in the sum that the report names.
    pub(crate) fn counts(&self) -> bool {
        self.kind.is_none_or(counts)
    }
}

/// What counts as leaked in these units, by stacks.
pub(crate) fn samples(units: &[Explained]) -> Vec<Sample<'_>> {
    let entries = units.iter().flat_map(|unit| unit.leaks.iter().map(move |leak| (unit, leak)));
    let all = entries
        .flat_map(|(unit, leak)| leak.stacks.iter().map(move |stack| of_stack(unit, Some(leak.kind), stack)));
    all.filter(Sample::counts).collect()
}

/// Whether any of these units has recorded what is in use.
pub(crate) fn has_in_use(units: &[Explained]) -> bool {
    units.iter().any(|unit| unit.in_use.as_ref().is_some_and(|in_use| in_use.stacks.is_some()))
}

/// What is in use in these units, by stacks; `None` when none of them has recorded it.
pub(crate) fn in_use(units: &[Explained]) -> Option<Vec<Sample<'_>>> {
    let recorded = units.iter().filter_map(|unit| Some((unit, unit.in_use.as_ref()?.stacks.as_ref()?)));
    let all = recorded.flat_map(|(unit, stacks)| stacks.iter().map(move |stack| of_stack(unit, None, stack)));
    has_in_use(units).then(|| all.collect())
}

fn of_stack<'e>(unit: &'e Explained, kind: Option<LeakKind>, stack: &'e Stack) -> Sample<'e> {
    Sample {
        frames: &stack.trace,
        amount: Amount { blocks: signed(stack.blocks), bytes: signed(stack.bytes) },
        kind,
        allocated: stack.allocated.as_deref().unwrap_or_default(),
        test: unit.name(),
        thread: &stack.thread,
        unit: Some(unit),
    }
}

/// The same by entries of the report, each with the stack that stands for it.
pub(crate) fn entries(units: &[Explained]) -> Vec<Sample<'_>> {
    let all = units.iter().flat_map(|unit| unit.leaks.iter().map(move |leak| of_entry(unit, leak)));
    all.filter(Sample::counts).collect()
}

fn of_entry<'e>(unit: &'e Explained, leak: &'e Explanation) -> Sample<'e> {
    Sample {
        frames: &leak.trace,
        amount: Amount { blocks: signed(leak.blocks), bytes: signed(leak.bytes) },
        kind: Some(leak.kind),
        allocated: leak.allocated.as_deref().unwrap_or_default(),
        test: unit.name(),
        thread: &leak.thread,
        unit: Some(unit),
    }
}

/// Takes those of an older run away: what is left is what has come or gone.
pub(crate) fn subtract<'e>(samples: Vec<Sample<'e>>, base: Vec<Sample<'e>>) -> Vec<Sample<'e>> {
    let mut places = HashMap::new();
    let mut left: Vec<Sample<'e>> = Vec::new();
    let negative = base.into_iter().map(|sample| Sample {
        amount: Amount { blocks: -sample.amount.blocks, bytes: -sample.amount.bytes },
        ..sample
    });
    for sample in samples.into_iter().chain(negative) {
        let place = *places.entry(sample.same()).or_insert(left.len());
        match left.get_mut(place) {
            Some(known) => known.amount.add(sample.amount),
            None => left.push(sample),
        }
    }
    left.retain(|sample| !sample.amount.is_zero());
    left
}

/// Whether blocks of this kind are in the sum that the report names.
pub(crate) fn counts(kind: LeakKind) -> bool {
    kind != LeakKind::Doubtful
}

/// The part of a stack that tells one leak from another.
pub(crate) fn telling<'e>(sample: &Sample<'e>) -> &'e [Frame] {
    let frames = sample.frames;
    let is_told = |frame: &Frame| whose(frame) != Whose::Plumbing;
    match (frames.iter().position(is_told), frames.iter().rposition(is_told)) {
        (Some(first), Some(last)) => &frames[first.saturating_sub(1)..=last],
        // What std and libc have in use for themselves can't be helped: that they have it is enough.
        _ if sample.kind.is_none() => &frames[frames.len().saturating_sub(1)..],
        _ => frames,
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
