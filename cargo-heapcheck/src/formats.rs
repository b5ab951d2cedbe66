#![forbid(unsafe_code)]
//! The formats of a report, by name. How each is written is somebody else's.

use clap::ValueEnum;

use crate::explain::Explained;
use crate::look::Look;
use crate::profile::{Kind, Selection};
use crate::sinks::root::Root;
use crate::{excuse, human, json, sinks};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For machines: one object
    Json,
    /// JUnit's XML: each test with what became of it
    Junit,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub's workflows
    Github,
    /// A summary for a CI job or a comment
    Markdown,
    /// One page with tables, a flame graph and the leak graphs; needs nothing but a browser
    Html,
    /// A flame graph as a picture
    Svg,
    /// Collapsed stacks, for speedscope, inferno and flamegraph.pl
    Collapsed,
    /// For kcachegrind, qcachegrind and callgrind_annotate
    Callgrind,
    /// The call graph, for graphviz
    Dot,
    /// For `go tool pprof`, Perfetto and speedscope: profile.proto, gzipped
    Pprof,
    /// For the pprof of gperftools and `go tool pprof`: its text, with the addresses
    Heap,
    /// For the pprof of gperftools without the program at hand: its text, with the names
    HeapNames,
}

impl Format {
    /// Writes what was found in this format; of those that are made of stacks, what is selected. Only people care how it
    /// looks.
    pub(crate) fn render(self, units: &[Explained], selection: &Selection, look: Look) -> Vec<u8> {
        let text = match self {
            Self::Human => {
                let told: Vec<String> = units.iter().map(|unit| human::render(unit, look)).collect();
                told.join("\n") + &excuse::suggestion(units)
            }
            Self::Json => json::render(units),
            Self::Junit => sinks::junit::render(units),
            Self::Sarif => sinks::sarif::render(units, &Root::find()),
            Self::Github => sinks::github::render(units, &Root::find()),
            Self::Markdown => sinks::markdown::render(units, &Root::find()),
            _ => return self.kind().map_or(Vec::new(), |kind| kind.render(units, selection)),
        };
        text.into_bytes()
    }

    /// Whether a terminal can show it.
    pub(crate) fn is_text(self) -> bool {
        self != Self::Pprof
    }

    /// Whether a part can be chosen: it is made of stacks, and has no search of its own.
    pub(crate) fn can_choose(self) -> bool {
        self.kind().is_some() && self != Self::Html
    }

    /// How its files end.
    pub(crate) fn end(self) -> &'static str {
        match (self, self.kind()) {
            (_, Some(kind)) => kind.end(),
            (Self::Json, None) => "json",
            (Self::Junit, None) => "xml",
            (Self::Sarif, None) => "sarif",
            (Self::Markdown, None) => "md",
            (_, None) => "txt",
        }
    }

    fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::Human | Self::Json | Self::Junit | Self::Sarif | Self::Github | Self::Markdown => {
                return None;
            }
            Self::Html => Kind::Html,
            Self::Svg => Kind::Svg,
            Self::Collapsed => Kind::Collapsed,
            Self::Callgrind => Kind::Callgrind,
            Self::Dot => Kind::Dot,
            Self::Pprof => Kind::Pprof,
            Self::Heap => Kind::Heap,
            Self::HeapNames => Kind::HeapNames,
        })
    }
}
