#![forbid(unsafe_code)]
//! The kinds of profiles, each written for somebody's viewer.

use super::select::Selection;
use super::{callgrind, collapsed, dot, heap, html, pprof, svg};
use crate::explain::Explained;

/// A kind of profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One page.
    Html,
    /// A flame graph.
    Svg,
    /// Collapsed stacks.
    Collapsed,
    /// Callgrind's.
    Callgrind,
    /// Graphviz's.
    Dot,
    /// `profile.proto`.
    Pprof,
    /// The text of gperftools.
    Heap,
    /// The same with the names in it.
    HeapNames,
}

impl Kind {
    /// Writes what is selected.
    pub(crate) fn render(self, units: &[Explained], selection: &Selection) -> Vec<u8> {
        let profile = selection.take(units);
        match self {
            Self::Html => html::render(&profile).into_bytes(),
            Self::Svg => svg::render(&profile, selection).into_bytes(),
            Self::Collapsed => collapsed::render(&profile, selection.metric).into_bytes(),
            Self::Callgrind => callgrind::render(&profile).into_bytes(),
            Self::Dot => dot::render(&profile, selection).into_bytes(),
            Self::Pprof => pprof::render(&profile),
            Self::Heap => heap::render(&profile).into_bytes(),
            Self::HeapNames => heap::render_with_names(&profile).into_bytes(),
        }
    }

    /// How its files end.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Collapsed => "collapsed",
            Self::Callgrind => "callgrind",
            Self::Dot => "dot",
            Self::Pprof => "pb.gz",
            Self::Heap => "heap",
            Self::HeapNames => "names.heap",
        }
    }
}
