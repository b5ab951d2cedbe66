#![forbid(unsafe_code)]
//! The command line of libtest, as a runner gets it, and the tests that it selects.
//!
//! libtest-mimic prints like libtest but knows fewer flags and only one filter. So the line is read here, the selection
//! made here, and mimic is given the outcome.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, ColorSetting, FormatSetting};

use crate::complaint::Complaint;

const COLOURS: &[&str] = &["auto", "always", "never"];
const FORMATS: &[&str] = &["pretty", "terse", "json"];
const NO_ORDER: &str = "each test runs in a process of its own, and their order changes nothing";
const NO_TIMES: &str = "`--format junit --output FILE` before `--` tells the time of each test";

/// A flag of libtest that can't be obeyed, and must not be ignored.
fn refused(name: &str) -> Complaint {
    Complaint::usage(format!(
        "the test flag `{name}` has no meaning where each test runs in a process of its own"
    ))
}

/// A value that is a word of a list.
fn one_of(name: &str, value: String, words: &[&str]) -> Result<String, Complaint> {
    match words.contains(&value.as_str()) {
        true => Ok(value),
        false if value == "junit" => Err(Complaint::usage("the test flag `--format junit` is not known")
            .hint("say `--format junit --output FILE` before `--`, for heapcheck")),
        false => Err(Complaint::usage(format!(
            "the test flag `{name}` must be one of {}, not `{value}`",
            words.join(", ")
        ))),
    }
}

/// What was asked of a harness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Names or parts of names.
    pub(crate) filters: Vec<String>,
    /// Names or parts of names that are left out.
    pub(crate) skips: Vec<String>,
    /// Both are whole names.
    pub(crate) is_exact: bool,
    /// Ignored tests are run, too.
    pub(crate) includes_ignored: bool,
    /// Only ignored tests are run.
    pub(crate) only_ignored: bool,
    /// Only a list, or the help, is wanted: nothing to check.
    pub(crate) is_for_harness: bool,
    /// Benchmarks are wanted, which the harness runs one after the other.
    pub(crate) is_bench: bool,
    /// The output of tests that pass is shown.
    pub(crate) shows_output: bool,
    /// Whatever a test prints is shown at once.
    pub(crate) is_live: bool,
    /// One letter a test.
    pub(crate) is_quiet: bool,
    /// How results are written.
    pub(crate) format: Option<String>,
    /// When they are coloured.
    pub(crate) color: Option<String>,
    /// How many run at once.
    pub(crate) threads: Option<usize>,
    /// Where results are written, too.
    pub(crate) logfile: Option<String>,
    /// Flags that change nothing here, each with the reason.
    pub(crate) ignored_flags: Vec<(String, &'static str)>,
    /// What the harness of each test is told besides.
    pub(crate) passed_on: Vec<String>,
}

impl Asked {
    /// Reads the line.
    pub(crate) fn read(arguments: &[String]) -> Result<Self, Complaint> {
        let mut asked = Self::default();
        let mut rest = arguments.iter();
        let mut is_after_dashes = false;
        while let Some(argument) = rest.next() {
            if is_after_dashes || !argument.starts_with('-') {
                asked.filters.push(argument.clone());
                continue;
            }
            let (name, mut given) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (argument.as_str(), None),
            };
            let mut value = || {
                let missing = || Complaint::usage(format!("the test flag `{name}` needs a value"));
                given.take().or_else(|| rest.next().cloned()).ok_or_else(missing)
            };
            match name {
                "--" => is_after_dashes = true,
                "--exact" => asked.is_exact = true,
                "--include-ignored" => asked.includes_ignored = true,
                "--ignored" => asked.only_ignored = true,
                "--bench" => asked.is_bench = true,
                "--list" | "--help" | "-h" => asked.is_for_harness = true,
                "--nocapture" | "--no-capture" => asked.is_live = true,
                "--show-output" => asked.shows_output = true,
                "--quiet" | "-q" => asked.is_quiet = true,
                "--test" | "--force-run-in-process" => {}
                "--shuffle" => asked.ignored_flags.push((name.to_string(), NO_ORDER)),
                "--shuffle-seed" => {
                    value()?;
                    asked.ignored_flags.push((name.to_string(), NO_ORDER));
                }
                "--report-time" => asked.ignored_flags.push((name.to_string(), NO_TIMES)),
                "--ensure-time" => {
                    return Err(refused(name).hint("say `--timeout TIME` before `--`, for heapcheck"));
                }
                "--fail-fast" => {
                    return Err(refused(name).hint("`cargo heapcheck nextest run --fail-fast` has it"));
                }
                "--exclude-should-panic" => asked.passed_on.push(name.to_string()),
                "--skip" => asked.skips.push(value()?),
                "--color" => asked.color = Some(one_of(name, value()?, COLOURS)?),
                "--format" => asked.format = Some(one_of(name, value()?, FORMATS)?),
                "--logfile" => asked.logfile = Some(value()?),
                "-Z" => asked.passed_on.extend(["-Z".to_string(), value()?]),
                "--test-threads" => {
                    let count = value()?;
                    let number = count.parse().ok().filter(|count| *count > 0);
                    let wrong = || {
                        Complaint::usage(format!("`--test-threads` must be a number above 0, not `{count}`"))
                    };
                    asked.threads = Some(number.ok_or_else(wrong)?);
                }
                _ => {
                    return Err(Complaint::usage(format!("the test flag `{argument}` is unknown"))
                        .hint("`cargo test -- --help` lists them"));
                }
            }
        }
        if asked.threads.is_none() {
            asked.threads = std::env::var("RUST_TEST_THREADS").ok().and_then(|count| count.parse().ok());
        }
        Ok(asked)
    }

    /// Whether a test is selected by its name.
    pub(crate) fn selects(&self, name: &str) -> bool {
        let fits =
            |pattern: &String| if self.is_exact { name == pattern } else { name.contains(pattern.as_str()) };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skips.iter().any(fits)
    }

    /// What libtest-mimic is told, so that it runs what is selected among `names`.
    pub(crate) fn for_mimic(&self, names: &[String]) -> Arguments {
        Arguments {
            include_ignored: self.includes_ignored,
            ignored: self.only_ignored,
            quiet: self.is_quiet && self.format.is_none(),
            exact: true,
            skip: names.iter().filter(|name| !self.selects(name)).cloned().collect(),
            test_threads: self.threads,
            format: self.format.as_ref().map(|format| match format.as_str() {
                "json" => FormatSetting::Json,
                "terse" => FormatSetting::Terse,
                _ => FormatSetting::Pretty,
            }),
            color: self.color.as_ref().map(|color| match color.as_str() {
                "always" => ColorSetting::Always,
                "never" => ColorSetting::Never,
                _ => ColorSetting::Auto,
            }),
            ..Arguments::default()
        }
    }
}

/// The tests of a harness, each with whether it is ignored.
pub(crate) fn list(
    mut harness: impl FnMut() -> Command,
    program: &Path,
) -> Result<Vec<(String, bool)>, Complaint> {
    let mut ask = |more: &[&str]| {
        let failed = |why: String| {
            Complaint::no_verdict(format!("cannot list the tests of `{}`: {why}", program.display()))
        };
        let output = harness().args(["--list", "--format", "terse"]).args(more).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_string();
            return Err(failed(format!("{}\n{stderr}", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = text.lines().filter_map(|line| {
            line.strip_suffix(": test").or_else(|| line.strip_suffix(": benchmark")).map(str::to_string)
        });
        Ok(names.collect::<Vec<_>>())
    };
    let ignored = ask(&["--ignored"])?;
    let names = ask(&[])?;
    let with_flag = |name: String| {
        let is_ignored = ignored.contains(&name);
        (name, is_ignored)
    };
    Ok(names.into_iter().map(with_flag).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Asked {
        Asked::read(&line.split_whitespace().map(str::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn filters_and_skips_select_as_in_libtest() {
        let check = |line: &str, expected: &[&str]| {
            let names = ["a::one", "a::two", "b::one"];
            let asked = read(line);
            let selected: Vec<&str> = names.into_iter().filter(|name| asked.selects(name)).collect();
            assert_eq!(selected, expected, "{line}");
        };
        check("", &["a::one", "a::two", "b::one"]);
        check("one", &["a::one", "b::one"]);
        check("two b::", &["a::two", "b::one"]);
        check("--skip one", &["a::two"]);
        check("--skip=one a", &["a::two"]);
        check("--exact a", &[]);
        check("--exact a::one --test-threads 1", &["a::one"]);
    }

    #[test]
    fn a_flag_that_is_wrong_is_refused() {
        for line in ["--test-threads 0", "--test-threads", "--frobnicate"] {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_string).collect();
            assert!(Asked::read(&arguments).is_err(), "{line}");
        }
    }
}
