#![forbid(unsafe_code)]
//! The plan of a run: all sources of settings, read once and checked, in the order of their strength.
//!
//! ```text
//! flag > environment > override of the profile > override of `default` > profile > `default` > built in
//! ```
//!
//! What holds for a test depends on its name, which only the runner knows. So the plan is left in the folder of the run,
//! where runners and reports find it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;
use crate::config::baseline::{self, Known};
use crate::config::document::{Document, nearest, quoted, shown};
use crate::config::file::{File, Override, Profile};
use crate::config::filter::Subject;
use crate::config::settings::{Said, Settings};
use crate::config::suppression::Suppression;

/// Where the file lies below the root of the workspace.
const FILE: &str = ".config/heapcheck.toml";
const BASELINE: &str = ".config/heapcheck-baseline.toml";
const DEFAULT: &str = "default";
/// The file in the folder of a run.
const SAVED: &str = "plan.json";

/// What was set by flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// The settings.
    pub(crate) said: Said,
    /// The file.
    pub(crate) config: Option<PathBuf>,
    /// The profile.
    pub(crate) profile: Option<String>,
    /// Files of suppressions.
    pub(crate) suppressions: Vec<PathBuf>,
    /// What is asked for: why blocks of this kind are alive.
    pub(crate) why: Option<String>,
}

/// All sources together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Flags, and where they are silent, the environment.
    said: Said,
    /// Strong ones first.
    overrides: Vec<Override>,
    /// The profile, and where it is silent, the default one.
    profile: Said,
    /// `leak:` files, which the runtime reads.
    pub(crate) leak_files: Vec<PathBuf>,
    /// What is excused.
    pub(crate) suppressions: Vec<Suppression>,
    /// What was accepted.
    pub(crate) known: Vec<Known>,
    /// Where that is written.
    pub(crate) baseline: PathBuf,
    /// What is asked for: why blocks of this kind are alive.
    pub(crate) why: Option<String>,
}

impl Plan {
    /// Reads all sources. `root` is where the workspace lies, or the folder that stands in for one.
    pub(crate) fn make(
        flags: Flags,
        root: &Path,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Complaint> {
        let text = |name: &str| variable(name).filter(|value| !value.is_empty());
        let said = flags.said.or(&Said::of_environment(&variable)?);
        let named = flags.config.or_else(|| text("HEAPCHECK_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| root.join(FILE));
        let file = match named.is_some() || path.exists() {
            true => File::read(&Document::read(&path)?)?,
            false => File::default(),
        };
        let name = flags.profile.or_else(|| text("HEAPCHECK_PROFILE")).unwrap_or_else(|| DEFAULT.to_string());
        let (chosen, default) = profiles(&file, &name, &path)?;
        let baseline = root.join(file.baseline.as_deref().unwrap_or(BASELINE));
        let mut plan = Self {
            said,
            overrides: [&chosen.overrides[..], &default.overrides[..]].concat(),
            profile: chosen.said.or(&default.said),
            leak_files: Vec::new(),
            suppressions: file.suppressions,
            known: Vec::new(),
            baseline,
            why: flags.why,
        };
        plan.known = plan.read_baseline()?;
        let of_file = chosen.suppression_files.iter().chain(&default.suppression_files);
        let of_environment = text("HEAPCHECK_SUPPRESSIONS").unwrap_or_default();
        let all = flags.suppressions.into_iter();
        let all = all.chain(of_environment.split(':').filter(|path| !path.is_empty()).map(PathBuf::from));
        for path in all.chain(of_file.map(|path| root.join(path))) {
            plan.add_suppressions(&path)?;
        }
        Ok(plan)
    }

    /// Adds a file, which must be there: a list that is not read would report what is known.
    fn add_suppressions(&mut self, path: &Path) -> Result<(), Complaint> {
        if path.extension().is_some_and(|end| end == "toml") {
            self.suppressions.extend(Suppression::read_file(&Document::read(path)?)?);
            return Ok(());
        }
        let file = path.canonicalize().map_err(|error| {
            Complaint::usage(format!("cannot read the suppressions `{}`: {error}", shown(path)))
        })?;
        if !self.leak_files.contains(&file) {
            self.leak_files.push(file);
        }
        Ok(())
    }

    /// Reads the baseline as it is now. None is an empty one.
    pub(crate) fn read_baseline(&self) -> Result<Vec<Known>, Complaint> {
        match self.baseline.exists() {
            true => baseline::read(&Document::read(&self.baseline)?),
            false => Ok(Vec::new()),
        }
    }

    /// What holds for a test.
    pub(crate) fn settings(&self, subject: &Subject) -> Settings {
        let fitting = self.overrides.iter().filter(|each| each.filter.fits(subject));
        let said = fitting.fold(self.said.clone(), |said, each| said.or(&each.said));
        said.or(&self.profile).settle()
    }

    /// What holds for every test, where there is no override.
    pub(crate) fn of_all(&self) -> Option<Settings> {
        self.overrides.is_empty().then(|| self.general())
    }

    /// What holds where no override does.
    pub(crate) fn general(&self) -> Settings {
        self.said.clone().or(&self.profile).settle()
    }

    /// Leaves it in the folder of a run.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), Complaint> {
        let path = folder.join(SAVED);
        let text = serde_json::to_string(self).unwrap_or_default();
        fs::write(&path, text).map_err(|error| Complaint::file("write", &path, &error))
    }

    /// Finds it there.
    pub(crate) fn load(folder: &Path) -> Result<Self, Complaint> {
        let path = folder.join(SAVED);
        let text = fs::read_to_string(&path).map_err(|error| Complaint::file("read", &path, &error))?;
        serde_json::from_str(&text).map_err(|error| Complaint::file("read", &path, &error))
    }
}

/// The profile of this name, and the default one.
fn profiles(file: &File, name: &str, path: &Path) -> Result<(Profile, Profile), Complaint> {
    let default = file.profiles.get(DEFAULT).cloned().unwrap_or_default();
    if name == DEFAULT {
        return Ok((Profile::default(), default));
    }
    if let Some(chosen) = file.profiles.get(name) {
        return Ok((chosen.clone(), default));
    }
    let names: Vec<&str> = file.profiles.keys().map(String::as_str).collect();
    let complaint = Complaint::usage(format!("there is no profile `{name}` in `{}`", shown(path)));
    Err(complaint.hint(match nearest(name, &names) {
        Some(known) => format!("did you mean `{known}`?"),
        None if names.is_empty() => format!("write `[profile.{name}]` with its settings into it"),
        None => format!("there are {}", quoted(&names)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[profile.default]
max-leaked-bytes = 10
timeout = '10s'
[[profile.default.overrides]]
test = 'slow::*'
max-leaked-bytes = 20
timeout = '20s'
[profile.ci]
max-leaked-bytes = 30
[[profile.ci.overrides]]
test = '*::deep'
max-leaked-bytes = 40
";

    fn plan(variables: &[(&str, &str)], flag: Option<u64>, file: bool) -> Plan {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".config")).unwrap();
        if file {
            fs::write(folder.path().join(FILE), TEXT).unwrap();
        }
        let said = Said { max_leaked_bytes: flag, ..Said::default() };
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| v.to_string());
        Plan::make(Flags { said, ..Flags::default() }, folder.path(), get).unwrap()
    }

    #[test]
    fn stronger_sources_win() {
        const CI: (&str, &str) = ("HEAPCHECK_PROFILE", "ci");
        const SET: (&str, &str) = ("HEAPCHECK_MAX_LEAKED_BYTES", "50");
        let check = |variables: &[(&str, &str)], flag, file, test: &str, expected: u64| {
            let subject = Subject { test: test.into(), ..Subject::default() };
            let found = plan(variables, flag, file).settings(&subject).max_leaked_bytes;
            assert_eq!(found, expected, "{variables:?} {flag:?} {file} {test}");
        };
        check(&[], None, false, "a", 0);
        check(&[], None, true, "a", 10);
        check(&[], None, true, "slow::a", 20);
        check(&[CI], None, true, "a", 30);
        check(&[CI], None, true, "slow::a", 20);
        check(&[CI], None, true, "slow::deep", 40);
        check(&[], None, true, "a::deep", 10);
        check(&[CI, SET], None, true, "slow::deep", 50);
        check(&[SET], None, true, "a", 50);
        check(&[CI, SET], Some(60), true, "slow::deep", 60);
        check(&[], Some(0), true, "a", 0);
        check(&[("HEAPCHECK_MAX_LEAKED_BYTES", "")], None, true, "a", 10);
    }

    #[test]
    fn each_setting_comes_from_the_strongest_source_that_has_it() {
        let subject = Subject { test: "slow::deep".into(), ..Subject::default() };
        let settings = plan(&[("HEAPCHECK_PROFILE", "ci")], None, true).settings(&subject);
        assert_eq!(settings.max_leaked_bytes, 40);
        assert_eq!(settings.timeout.0, Some(std::time::Duration::from_secs(20)));
    }

    #[test]
    fn a_plan_is_found_as_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(&[("HEAPCHECK", "strict"), ("HEAPCHECK_TIMEOUT", "1s")], Some(7), true);
        plan.save(folder.path()).unwrap();
        assert_eq!(Plan::load(folder.path()).unwrap(), plan);
    }
}
