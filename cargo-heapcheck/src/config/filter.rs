#![forbid(unsafe_code)]
//! Which tests an override is for.

use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::config::document::Table;
use crate::config::pattern::is_whole;

/// A test, or a program without tests, as filters see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The package, where cargo has said so.
    pub(crate) package: String,
    /// The program, without the hash that cargo gives it.
    pub(crate) binary: String,
    /// The test; empty for a program without tests.
    pub(crate) test: String,
}

/// Patterns for the names of a test; one of each list has to fit, and an empty list fits always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    package: Vec<String>,
    binary: Vec<String>,
    test: Vec<String>,
}

impl Filter {
    /// Takes the keys of a filter out of a table.
    pub(crate) fn take(table: &mut Table<'_>) -> Result<Self, Complaint> {
        Ok(Self {
            package: table.take("package", |value| value.strings())?.unwrap_or_default(),
            binary: table.take("binary", |value| value.strings())?.unwrap_or_default(),
            test: table.take("test", |value| value.strings())?.unwrap_or_default(),
        })
    }

    /// Whether nothing is asked for, which fits everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.package.is_empty() && self.binary.is_empty() && self.test.is_empty()
    }

    /// Whether it is for this test.
    pub(crate) fn fits(&self, subject: &Subject) -> bool {
        let fits = |patterns: &[String], name: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| is_whole(pattern, name))
        };
        fits(&self.package, &subject.package)
            && fits(&self.binary, &subject.binary)
            && fits(&self.test, &subject.test)
    }
}
