#![forbid(unsafe_code)]
//! The formats of a report, by name. How each is written is somebody else's.

use clap::ValueEnum;

use crate::explain::Explained;
use crate::look::Look;
use crate::{human, json};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For machines: one object.
    Json,
}

impl Format {
    /// Writes what was found in this format. Only people care how it looks.
    pub(crate) fn render(self, units: &[Explained], look: Look) -> Vec<u8> {
        match self {
            Self::Human => units.iter().map(|unit| human::render(unit, look)).collect::<Vec<_>>().join("\n"),
            Self::Json => json::render(units),
        }
        .into_bytes()
    }
}
