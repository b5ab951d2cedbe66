#![forbid(unsafe_code)]
//! The flags of `report` that have pprof's names, and what they mean.

use std::path::PathBuf;

use clap::Args;

use super::sample::{Metric, Which};
use super::select::{Granularity, Selection, regex};
use super::view::View;
use crate::complaint::Complaint;

/// pprof's options, on the terminal.
#[derive(Args, Debug)]
pub(crate) struct ViewFlags {
    /// Print the functions that leaked most
    #[arg(long, group = "view", help_heading = "As pprof")]
    text: bool,
    /// The same
    #[arg(long, group = "view", help_heading = "As pprof")]
    top: bool,
    /// Print the functions with their callers and what they called
    #[arg(long, group = "view", help_heading = "As pprof")]
    tree: bool,
    /// Print the stacks
    #[arg(long, group = "view", help_heading = "As pprof")]
    traces: bool,
    /// Print the source of the functions that match
    #[arg(long, value_name = "REGEX", group = "view", help_heading = "As pprof")]
    list: Option<String>,
    /// An older run to subtract: its folder, a record, or a report as JSON
    #[arg(long, value_name = "OLD", help_heading = "As pprof")]
    pub(crate) base: Option<PathBuf>,
    /// Only stacks with a function or file that matches
    #[arg(long, value_name = "REGEX", help_heading = "As pprof")]
    focus: Option<String>,
    /// Only stacks without one
    #[arg(long, value_name = "REGEX", help_heading = "As pprof")]
    ignore: Option<String>,
    /// Tell apart functions (the default)
    #[arg(long, group = "granularity", help_heading = "As pprof")]
    functions: bool,
    /// Tell apart lines of source
    #[arg(long, group = "granularity", help_heading = "As pprof")]
    lines: bool,
    /// Tell apart addresses
    #[arg(long, group = "granularity", help_heading = "As pprof")]
    addresses: bool,
    /// Show bytes as they are, not in larger units
    #[arg(long = "show_bytes", alias = "show-bytes", help_heading = "As pprof")]
    show_bytes: bool,
    /// Show the bytes that leaked (the default)
    #[arg(long = "leaked_space", alias = "leaked-space", group = "metric", help_heading = "As pprof")]
    leaked_space: bool,
    /// Show the number of blocks that leaked
    #[arg(long = "leaked_objects", alias = "leaked-objects", group = "metric", help_heading = "As pprof")]
    leaked_objects: bool,
    /// Show the bytes that were in use at the end, leaked or not; the run must have had `--in-use`
    #[arg(long = "inuse_space", alias = "inuse-space", group = "metric", help_heading = "As pprof")]
    inuse_space: bool,
    /// Show the number of blocks that were in use
    #[arg(long = "inuse_objects", alias = "inuse-objects", group = "metric", help_heading = "As pprof")]
    inuse_objects: bool,
}

impl ViewFlags {
    /// The way to look, if one was asked for.
    pub(crate) fn view(&self) -> Result<Option<View>, Complaint> {
        Ok(match &self.list {
            Some(typed) => Some(View::List(regex("--list", typed)?)),
            None if self.tree => Some(View::Tree),
            None if self.traces => Some(View::Traces),
            None if self.text || self.top => Some(View::Top),
            None => None,
        })
    }

    /// What is looked at, stacks with their plumbing when they are wanted whole; the older run is still to be read.
    pub(crate) fn selection(&self, is_whole: bool) -> Result<Selection, Complaint> {
        let compiled =
            |flag: &str, typed: &Option<String>| typed.as_ref().map(|typed| regex(flag, typed)).transpose();
        Ok(Selection {
            focus: compiled("--focus", &self.focus)?,
            ignore: compiled("--ignore", &self.ignore)?,
            base: None,
            is_whole,
            which: if self.inuse_space || self.inuse_objects { Which::InUse } else { Which::Leaked },
            metric: if self.inuse_objects || self.leaked_objects { Metric::Objects } else { Metric::Space },
            granularity: match (self.lines, self.addresses) {
                (true, _) => Granularity::Lines,
                (_, true) => Granularity::Addresses,
                _ => Granularity::Functions,
            },
            is_exact: self.show_bytes,
        })
    }

    /// Whether what is in use is looked at: the flag for it.
    pub(crate) fn in_use_flag(&self) -> Option<&'static str> {
        match (self.inuse_space, self.inuse_objects) {
            (true, _) => Some("--inuse_space"),
            (_, true) => Some("--inuse_objects"),
            _ => None,
        }
    }

    /// The first of the flags that choose, for formats in which nothing can be chosen.
    pub(crate) fn first_choice(&self) -> Option<&'static str> {
        let all = [
            (self.base.is_some(), "--base"),
            (self.focus.is_some(), "--focus"),
            (self.ignore.is_some(), "--ignore"),
            (self.functions, "--functions"),
            (self.lines, "--lines"),
            (self.addresses, "--addresses"),
            (self.show_bytes, "--show_bytes"),
            (self.leaked_space, "--leaked_space"),
            (self.leaked_objects, "--leaked_objects"),
            (self.inuse_space, "--inuse_space"),
            (self.inuse_objects, "--inuse_objects"),
        ];
        all.into_iter().find_map(|(is_set, flag)| is_set.then_some(flag))
    }
}
