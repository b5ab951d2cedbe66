#![forbid(unsafe_code)]
//! `.config/heapcheck.toml`: what the file says, profile by profile. What follows from it is the plan's matter.
//!
//! ```text
//! baseline = "FILE"                 where accepted leaks are kept
//! [profile.default]                 settings for all tests
//! [[profile.default.overrides]]     settings for some: `test`, `binary`, `package`, and what differs for those
//! [profile.ci]                      the same, chosen by name; what it is silent about the default profile says
//! [[suppression]]                   leaks that are excused
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::config::document::{Document, Table, Value};
use crate::config::filter::Filter;
use crate::config::settings::Said;
use crate::config::suppression::Suppression;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct File {
    /// By their names.
    pub(crate) profiles: BTreeMap<String, Profile>,
    /// In their order.
    pub(crate) suppressions: Vec<Suppression>,
    /// Where the baseline lies.
    pub(crate) baseline: Option<String>,
}

/// A table `[profile.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    /// For all tests.
    pub(crate) said: Said,
    /// Files of suppressions.
    pub(crate) suppression_files: Vec<String>,
    /// For some tests.
    pub(crate) overrides: Vec<Override>,
}

/// A table `[[profile.NAME.overrides]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Override {
    /// For which tests.
    pub(crate) filter: Filter,
    /// What holds for them.
    pub(crate) said: Said,
}

impl File {
    /// Reads the file.
    pub(crate) fn read(document: &Document) -> Result<Self, Complaint> {
        let mut table = document.parse()?;
        let named = table.take("profile", Value::table)?.map_or(Vec::new(), |mut table| table.take_named());
        let profiles = named.into_iter().map(|(name, value)| Ok((name, Profile::read(value.table()?)?)));
        let read = Self {
            profiles: profiles.collect::<Result<_, Complaint>>()?,
            suppressions: Suppression::take_all(&mut table)?,
            baseline: table.take("baseline", Value::string)?,
        };
        table.finish()?;
        Ok(read)
    }
}

impl Profile {
    fn read(mut table: Table<'_>) -> Result<Self, Complaint> {
        let mut said = Said::take(&mut table)?;
        said.no_rebuild = table.take("no-rebuild", Value::boolean)?;
        let suppression_files = table.take("suppression-files", Value::strings)?.unwrap_or_default();
        let overrides = table.take("overrides", Value::tables)?.unwrap_or_default();
        table.finish()?;
        let overrides = overrides.into_iter().map(|(place, table)| Override::read(&place, table));
        Ok(Self { said, suppression_files, overrides: overrides.collect::<Result<_, Complaint>>()? })
    }
}

impl Override {
    fn read(place: &Value<'_>, mut table: Table<'_>) -> Result<Self, Complaint> {
        let filter = Filter::take(&mut table)?;
        let said = Said::take(&mut table)?;
        table.finish()?;
        if filter.is_empty() {
            return Err(place
                .wrong("this override does not say for which tests".to_string())
                .hint("name them with `test`, `binary` or `package`"));
        }
        Ok(Self { filter, said })
    }
}
