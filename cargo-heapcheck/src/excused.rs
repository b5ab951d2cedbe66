#![forbid(unsafe_code)]
//! A leak that does not count, and what excuses it.

use heapcheck_rt::record::LeakKind;
use serde::{Deserialize, Serialize};

use crate::figures::{bytes, counted};

/// The leak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excused {
    /// What excuses it.
    pub(crate) by: By,
    /// Its kind.
    pub(crate) kind: LeakKind,
    /// Bytes of its blocks.
    pub(crate) bytes: u64,
    /// Its blocks.
    pub(crate) blocks: u64,
    /// The type of its blocks.
    pub(crate) allocated: Option<String>,
    /// The function that a person knows it by.
    pub(crate) function: Option<String>,
    /// The line in it.
    pub(crate) place: Option<String>,
    /// What it is recognised by, where it is a leak of its own.
    pub(crate) signature: Option<String>,
}

/// What excuses a leak.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(crate) enum By {
    /// A suppression, known by where it is written.
    Suppression {
        /// The file and line.
        source: String,
        /// What the person wrote there.
        reason: String,
    },
    /// The baseline has it.
    Baseline,
    /// Tests may leak a little.
    Limit {
        /// As much.
        max_leaked_bytes: u64,
    },
}

impl Excused {
    /// It and its excuse, in one line for people.
    pub(crate) fn told(&self) -> String {
        let from = self.place.as_ref().map(|place| format!(" from {place}")).unwrap_or_default();
        let why = match &self.by {
            By::Suppression { source, reason } => format!("suppressed at {source}: {reason}"),
            By::Baseline => "known to the baseline".to_string(),
            By::Limit { max_leaked_bytes } => format!("a test may leak up to {}", bytes(*max_leaked_bytes)),
        };
        format!("{} in {}{from}, {why}", bytes(self.bytes), counted(self.blocks, "block"))
    }
}

/// The sums of what is excused, to be put behind a verdict.
pub(crate) fn sums(suppressed_bytes: u64, excused: &[Excused]) -> String {
    let of = |wanted: fn(&By) -> bool| {
        excused.iter().filter(|excused| wanted(&excused.by)).map(|excused| excused.bytes).sum::<u64>()
    };
    let all = [
        (suppressed_bytes, "suppressed"),
        (of(|by| *by == By::Baseline), "in the baseline"),
        (of(|by| matches!(by, By::Limit { .. })), "allowed by `max-leaked-bytes`"),
    ];
    all.iter().filter(|(sum, _)| *sum > 0).map(|(sum, how)| format!("; {} {how}", bytes(*sum))).collect()
}
