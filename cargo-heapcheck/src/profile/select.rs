#![forbid(unsafe_code)]
//! Which samples are looked at, and what makes two frames the same: pprof's options of these names.

use regex::Regex;

use super::old::{Base, told};
use super::sample::{Amount, Metric, Sample, Which, entries, in_use, samples, subtract, telling};
use crate::complaint::Complaint;
use crate::explain::Explained;

/// What makes two frames one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Granularity {
    /// The function.
    #[default]
    Functions,
    /// The line of it.
    Lines,
    /// The address.
    Addresses,
}

/// What of a profile is looked at, and how.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Only stacks with a frame that matches.
    pub(crate) focus: Option<Regex>,
    /// Only stacks without one.
    pub(crate) ignore: Option<Regex>,
    /// What is taken away.
    pub(crate) base: Option<Base>,
    /// Stacks are not cut.
    pub(crate) is_whole: bool,
    /// What was lost, or what is in use.
    pub(crate) which: Which,
    /// Bytes or blocks.
    pub(crate) metric: Metric,
    /// What makes two frames one node.
    pub(crate) granularity: Granularity,
    /// Bytes are written as such, not in the unit that suits them.
    pub(crate) is_exact: bool,
}

impl Selection {
    /// The name of what is looked at, as in a profile.
    pub(crate) fn name(&self) -> &'static str {
        self.metric.name(self.which)
    }

    /// Takes what is selected out of these units.
    pub(crate) fn take<'e>(&'e self, units: &'e [Explained]) -> Profile<'e> {
        let leaked = self.refine(match &self.base {
            None => samples(units),
            Some(Base::Units(old)) => subtract(samples(units), samples(old)),
            // A report has the stacks of its entries, in which equal leaks are laid together.
            Some(Base::Report(old)) => subtract(entries(units), told(old)),
        });
        let in_use = in_use(units).and_then(|found| match &self.base {
            None => Some(found),
            Some(Base::Units(old)) => Some(subtract(found, in_use(old)?)),
            Some(Base::Report(_)) => None,
        });
        let in_use = in_use.map(|found| self.refine(found));
        match self.which {
            Which::Leaked => Profile { samples: leaked, others: in_use, which: self.which, units },
            Which::InUse => Profile {
                samples: in_use.unwrap_or_default(),
                others: Some(leaked),
                which: self.which,
                units,
            },
        }
    }

    fn refine<'e>(&self, mut found: Vec<Sample<'e>>) -> Vec<Sample<'e>> {
        if !self.is_whole {
            found.iter_mut().for_each(|sample| sample.frames = telling(sample));
        }
        found.retain(|sample| {
            let has = |regex: &Regex| sample.frames.iter().any(|frame| matches(regex, frame));
            self.focus.as_ref().is_none_or(has) && !self.ignore.as_ref().is_some_and(has)
        });
        found.sort_by_key(|sample| std::cmp::Reverse(sample.amount.of(self.metric).abs()));
        found
    }
}

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Profile<'e> {
    /// The samples, the largest first.
    pub(crate) samples: Vec<Sample<'e>>,
    /// Those of what is not looked at, for formats that have both: what is in use is not always known.
    others: Option<Vec<Sample<'e>>>,
    /// What is looked at.
    pub(crate) which: Which,
    /// Where they come from.
    pub(crate) units: &'e [Explained],
}

impl<'e> Profile<'e> {
    /// What was lost.
    pub(crate) fn leaked(&self) -> &[Sample<'e>] {
        match self.which {
            Which::Leaked => &self.samples,
            Which::InUse => self.others.as_deref().unwrap_or_default(),
        }
    }

    /// What is in use, where that was recorded.
    pub(crate) fn in_use(&self) -> Option<&[Sample<'e>]> {
        match self.which {
            Which::Leaked => self.others.as_deref(),
            Which::InUse => Some(&self.samples),
        }
    }

    /// The sum of all samples.
    pub(crate) fn sum(&self) -> Amount {
        let mut sum = Amount::default();
        self.samples.iter().for_each(|sample| sum.add(sample.amount));
        sum
    }

    /// The samples for formats that know no negative numbers: what is gone since an older run can't be told in them.
    pub(crate) fn grown(&self) -> impl Iterator<Item = &Sample<'e>> {
        self.samples.iter().filter(|sample| sample.amount.bytes >= 0 && sample.amount.blocks >= 0)
    }

    /// What shares are shares of: what has gone since an older run counts as well.
    pub(crate) fn total(&self, metric: Metric) -> i64 {
        self.samples.iter().map(|sample| sample.amount.of(metric).abs()).sum()
    }
}

/// Whether a frame's function or file matches, as in pprof.
pub(crate) fn matches(regex: &Regex, frame: &crate::symbols::Frame) -> bool {
    regex.is_match(&frame.function)
        || frame.file.as_deref().is_some_and(|file| regex.is_match(file))
        || regex.is_match(&frame.module)
}

/// Reads what was typed for `flag` as a regular expression.
pub(crate) fn regex(flag: &str, typed: &str) -> Result<Regex, Complaint> {
    Regex::new(typed).map_err(|error| {
        // The message of the crate draws the place of the fault on lines of its own.
        let text = error.to_string();
        let why = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let why = why.trim().trim_start_matches("error: ");
        Complaint::usage(format!("`{typed}` of `{flag}` is no regular expression: {why}"))
            .hint("to match a character that has a meaning in them, write `\\` before it")
    })
}
