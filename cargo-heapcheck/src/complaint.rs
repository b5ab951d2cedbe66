#![forbid(unsafe_code)]
//! What the tool says when it can't do what was asked: what was tried, on which path, and what to do next.

use std::fmt;
use std::path::Path;

use crate::ending::Ending;

/// An error for people, and the exit code that goes with it.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
    /// How the tool ends because of it.
    pub(crate) ending: Ending,
}

impl Complaint {
    /// Something that the person can put right on the command line.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, ending: Ending::Usage }
    }

    /// Something that makes any verdict impossible.
    pub(crate) fn no_verdict(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, ending: Ending::NoVerdict }
    }

    /// A file that could not be used.
    pub(crate) fn file(tried: &str, path: &Path, why: &dyn fmt::Display) -> Self {
        Self::no_verdict(format!("cannot {tried} `{}`: {why}", path.display()))
    }

    /// Adds the next step.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.what)?;
        match &self.hint {
            Some(hint) => writeln!(f, "hint: {hint}"),
            None => Ok(()),
        }
    }
}
