#![forbid(unsafe_code)]
//! Where reports go: any number of formats at once, each to a file or to stdout; and on GitHub, annotations and the summary
//! of the job by themselves.
//!
//! `--output` belongs to the `--format` before it, so their order on the command line counts: clap's derive does not know
//! it, and the flags are defined by hand.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::builder::EnumValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::complaint::Complaint;
use crate::explain::Explained;
use crate::formats::Format;
use crate::look::{Asked, Look};
use crate::profile::Selection;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outputs(Vec<Output>);

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    /// `None`: the usual one.
    pub(crate) format: Option<Format>,
    /// The file; `None`: stdout.
    pub(crate) file: Option<PathBuf>,
    /// Whether it is added to what the file has.
    is_added: bool,
}

impl Output {
    /// One format for one place.
    pub(crate) fn new(format: Option<Format>, file: Option<PathBuf>) -> Self {
        Self { format, file, is_added: false }
    }

    /// How it is to look: a file is read later and elsewhere.
    pub(crate) fn look(&self, asked: Asked) -> Look {
        match &self.file {
            Some(_) => Look { has_colours: false, ..asked.on_stdout() },
            None => asked.on_stdout(),
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Complaint> {
        let Some(path) = &self.file else {
            // A reader that closes the pipe early has seen enough.
            let _ = std::io::stdout().write_all(bytes);
            return Ok(());
        };
        let written = match self.is_added {
            true => {
                OpenOptions::new().create(true).append(true).open(path).and_then(|mut f| f.write_all(bytes))
            }
            false => fs::write(path, bytes),
        };
        written.map_err(|error| Complaint::usage(format!("cannot write `{}`: {error}", path.display())))
    }

    /// Looks whether it can be written, before anything takes its time.
    pub(crate) fn check(&self) -> Result<(), Complaint> {
        let Some(file) = &self.file else {
            if self.format.is_some_and(|format| !format.is_text()) && std::io::stdout().is_terminal() {
                let end = self.format.unwrap_or(Format::Human).end();
                return Err(Complaint::usage("this format is not for terminals")
                    .hint(format!("name a file: `--output profile.{end}`")));
            }
            return Ok(());
        };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        match folder.filter(|folder| !folder.is_dir()) {
            Some(folder) => Err(Complaint::usage(format!(
                "cannot write `{}`: there is no folder `{}`",
                file.display(),
                folder.display()
            ))),
            None => Ok(()),
        }
    }
}

impl Args for Outputs {
    fn augment_args(command: Command) -> Command {
        let format = Arg::new("format").long("format").value_name("FORMAT").action(ArgAction::Append);
        let format = format.value_parser(EnumValueParser::<Format>::new());
        let output =
            Arg::new("output").long("output").short('o').value_name("FILE").action(ArgAction::Append);
        let output = output.value_parser(value_parser!(PathBuf));
        command.arg(format.help("A report to write; may be given more than once")).arg(
            output.help(
                "The file for the report of the `--format` before it, `-` for stdout [default: stdout]",
            ),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Outputs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let indices = |name: &str| matches.indices_of(name).into_iter().flatten();
        let formats = matches.get_many::<Format>("format").into_iter().flatten().copied();
        let formats: Vec<(usize, Format)> = indices("format").zip(formats).collect();
        let mut outputs: Vec<Output> =
            formats.iter().map(|(_, format)| Output::new(Some(*format), None)).collect();
        let mut has_file = vec![false; outputs.len()];
        if outputs.is_empty() && matches.contains_id("output") {
            outputs.push(Output::default());
            has_file.push(false);
        }
        let files = matches.get_many::<PathBuf>("output").into_iter().flatten();
        for (index, file) in indices("output").zip(files) {
            let before = match formats.is_empty() {
                true => Some(0),
                false => formats.iter().rposition(|(at, _)| *at < index),
            };
            let Some(at) = before.filter(|at| !has_file[*at]) else {
                let text = format!("`--output {}` needs a `--format` of its own before it\n", file.display());
                return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, text));
            };
            outputs[at].file = Some(file.clone()).filter(|file| file.as_os_str() != "-");
            has_file[at] = true;
        }
        Ok(Self(outputs))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Outputs {
    /// All of them.
    pub(crate) fn all(&self) -> &[Output] {
        &self.0
    }

    /// Adds what GitHub's runners understand, when this is one and nobody has asked for it otherwise.
    pub(crate) fn on_github(mut self, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let is = |name: &str, wanted: &str| variable(name).is_some_and(|value| value == wanted);
        if !is("GITHUB_ACTIONS", "true") || is("HEAPCHECK_GITHUB", "0") {
            return self;
        }
        if !self.0.iter().any(|output| output.format == Some(Format::Github)) {
            self.0.push(Output::new(Some(Format::Github), None));
        }
        if let Some(summary) = variable("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
            let file = Some(summary.into());
            self.0.push(Output { format: Some(Format::Markdown), file, is_added: true });
        }
        self
    }

    /// Looks whether all of them can be written.
    pub(crate) fn check(&self) -> Result<(), Complaint> {
        self.0.iter().try_for_each(Output::check)
    }

    /// Writes all of them.
    pub(crate) fn write(&self, units: &[Explained], asked: Asked) -> Result<(), Complaint> {
        for output in &self.0 {
            let format = output.format.unwrap_or(Format::Human);
            output.write(&format.render(units, &Selection::default(), output.look(asked)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Vec<(Format, Option<String>)>, clap::Error> {
        let command = Outputs::augment_args(Command::new("x"));
        let matches = command.try_get_matches_from(std::iter::once("x").chain(line.split_whitespace()))?;
        let outputs = Outputs::from_arg_matches(&matches)?;
        let shown = |file: &PathBuf| file.display().to_string();
        let all = outputs.0.iter();
        Ok(all
            .map(|output| (output.format.unwrap_or(Format::Human), output.file.as_ref().map(shown)))
            .collect())
    }

    #[test]
    fn a_file_belongs_to_the_format_before_it() {
        let check = |line: &str, expected: &[(Format, Option<&str>)]| {
            let found = read(line).unwrap();
            let found: Vec<_> = found.iter().map(|(format, file)| (*format, file.as_deref())).collect();
            assert_eq!(found, expected, "{line}");
        };
        check("", &[]);
        check("--format json", &[(Format::Json, None)]);
        check(
            "--format json --output a --format junit -o b",
            &[(Format::Json, Some("a")), (Format::Junit, Some("b"))],
        );
        check(
            "--format human --format=sarif --output=b",
            &[(Format::Human, None), (Format::Sarif, Some("b"))],
        );
        check("--output a", &[(Format::Human, Some("a"))]);
        check("--format json -o -", &[(Format::Json, None)]);
        for wrong in ["-o a -o b", "--output a --format json", "--format json -o - -o b", "--format yaml"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn github_is_served_where_it_runs() {
        let outputs = |set: &[(&str, &str)], line: &[Output]| {
            let variable = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, v)| v.into());
            Outputs(line.to_vec()).on_github(variable).0.len()
        };
        let (on, summary) = (("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "/s"));
        assert_eq!(outputs(&[], &[]), 0);
        assert_eq!(outputs(&[summary], &[]), 0);
        assert_eq!(outputs(&[on], &[]), 1);
        assert_eq!(outputs(&[on, summary], &[]), 2);
        assert_eq!(outputs(&[on, summary], &[Output::new(Some(Format::Github), None)]), 2);
        assert_eq!(outputs(&[on, summary, ("HEAPCHECK_GITHUB", "0")], &[]), 0);
    }
}
