#![forbid(unsafe_code)]
//! What pprof prints on a terminal, by the names that it has there.

use regex::Regex;

use super::select::Selection;
use super::{list, tables, traces};
use crate::explain::Explained;

/// A way to look at a profile without a viewer.
#[derive(Debug)]
pub(crate) enum View {
    /// A line for each function.
    Top,
    /// The same, with who called it and what it called.
    Tree,
    /// The stacks.
    Traces,
    /// The source of functions whose name matches.
    List(Regex),
}

impl View {
    /// Writes what is selected.
    pub(crate) fn render(&self, units: &[Explained], selection: &Selection) -> String {
        let profile = selection.take(units);
        match self {
            Self::Top => tables::render_top(&profile, selection),
            Self::Tree => tables::render_tree(&profile, selection),
            Self::Traces => traces::render(&profile, selection),
            Self::List(wanted) => list::render(&profile, selection, wanted),
        }
    }
}
