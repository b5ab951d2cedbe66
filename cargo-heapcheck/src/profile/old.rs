#![forbid(unsafe_code)]
//! An older run to compare with: a run's folder, a record, or a report that was written as JSON.

use std::sync::Arc;

use heapcheck_rt::record::LeakKind;
use serde_json::Value;

use super::sample::{Amount, Sample, has_in_use};
use crate::explain::Explained;
use crate::symbols::Frame;

/// What an older run found.
#[derive(Debug)]
pub(crate) enum Base {
    /// From its records.
    Units(Vec<Explained>),
    /// From a report.
    Report(Vec<Told>),
}

/// A leak as the report for machines tells it.
#[derive(Debug)]
pub(crate) struct Told {
    frames: Vec<Frame>,
    amount: Amount,
    kind: LeakKind,
    allocated: String,
    test: String,
    thread: String,
}

impl Base {
    /// Whether it says what was in use.
    pub(crate) fn has_in_use(&self) -> bool {
        matches!(self, Self::Units(units) if has_in_use(units))
    }

    /// Reads a report; `None` when it is no report of ours.
    pub(crate) fn read_report(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let leaks = value.get("leaks")?.as_array()?;
        leaks.iter().map(Told::read).collect::<Option<_>>().map(Self::Report)
    }
}

/// The samples of a report.
pub(crate) fn told(leaks: &[Told]) -> Vec<Sample<'_>> {
    leaks.iter().map(Told::sample).filter(Sample::counts).collect()
}

impl Told {
    fn read(leak: &Value) -> Option<Self> {
        let text = |name: &str| leak[name].as_str().unwrap_or_default().to_string();
        let kind = leak["kind"].as_str()?;
        let test = leak["test"].as_str().or(leak["program"].as_str())?;
        Some(Self {
            frames: leak["trace"].as_array()?.iter().map(read_frame).collect::<Option<_>>()?,
            amount: Amount { blocks: leak["blocks"].as_i64()?, bytes: leak["bytes"].as_i64()? },
            kind: *LeakKind::ALL.iter().find(|each| each.name() == kind)?,
            allocated: text("type"),
            test: test.to_string(),
            thread: text("thread"),
        })
    }

    fn sample(&self) -> Sample<'_> {
        Sample {
            frames: &self.frames,
            amount: self.amount,
            kind: Some(self.kind),
            allocated: &self.allocated,
            test: &self.test,
            thread: &self.thread,
            unit: None,
        }
    }
}

fn read_frame(frame: &Value) -> Option<Frame> {
    let number = |name: &str| frame[name].as_u64().and_then(|number| u32::try_from(number).ok());
    Some(Frame {
        function: frame["function"].as_str()?.into(),
        file: frame["file"].as_str().map(Arc::from),
        line: number("line"),
        column: number("column"),
        is_inlined: frame["inlined"].as_bool().unwrap_or(false),
        module: frame["module"].as_str().unwrap_or_default().into(),
        ..Frame::default()
    })
}
