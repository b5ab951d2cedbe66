#![forbid(unsafe_code)]
//! How a report for people looks: in colours or not, with the plumbing of stacks or without.

use std::ffi::OsString;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `CARGO_TERM_COLOR` or `NO_COLOR` say otherwise
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

impl Colour {
    /// Its word on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// The one of this name; `Auto` for any other word.
    pub(crate) fn named(name: &str) -> Self {
        let all = [Self::Auto, Self::Always, Self::Never];
        all.into_iter().find(|colour| colour.name() == name).unwrap_or_default()
    }

    /// Decides it for a stream: what was typed counts most, then cargo's setting, then <https://no-color.org>.
    fn decide(self, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let cargos = set("CARGO_TERM_COLOR").and_then(|value| value.into_string().ok());
        match (self, Self::named(cargos.as_deref().unwrap_or_default())) {
            (Self::Always, _) | (Self::Auto, Self::Always) => true,
            (Self::Never, _) | (Self::Auto, Self::Never) => false,
            (Self::Auto, Self::Auto) => {
                is_terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Colours.
    pub(crate) colour: Colour,
    /// All frames.
    pub(crate) is_verbose: bool,
}

impl Asked {
    /// Reads it off flags that are cargo's as well: `--color WHEN`, `-v`, `--verbose`.
    pub(crate) fn of_cargo(flags: &[OsString]) -> Self {
        let mut asked = Self::default();
        let texts: Vec<&str> = flags.iter().filter_map(|flag| flag.to_str()).collect();
        for (at, text) in texts.iter().enumerate() {
            match text.split_once('=') {
                Some(("--color", value)) => asked.colour = Colour::named(value),
                _ if *text == "--color" => {
                    asked.colour = Colour::named(texts.get(at + 1).copied().unwrap_or_default());
                }
                _ => asked.is_verbose |= ["-v", "-vv", "--verbose"].contains(text),
            }
        }
        asked
    }

    /// For what is written to stdout.
    pub(crate) fn on_stdout(self) -> Look {
        self.on(std::io::stdout().is_terminal())
    }

    /// For what is written to stderr.
    pub(crate) fn on_stderr(self) -> Look {
        self.on(std::io::stderr().is_terminal())
    }

    fn on(self, is_terminal: bool) -> Look {
        let has_colours = self.colour.decide(is_terminal, |name| std::env::var_os(name));
        Look { has_colours, is_verbose: self.is_verbose }
    }
}

/// How the report for people looks. Under `test` and `run` these are cargo's flags, which count for both.
#[derive(Args, Debug)]
pub(crate) struct LookFlags {
    /// Show the frames of the standard library, too
    #[arg(short, long)]
    verbose: bool,
    /// When colours are used
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Colour,
}

impl LookFlags {
    /// What they ask for.
    pub(crate) fn asked(&self) -> Asked {
        Asked { colour: self.color, is_verbose: self.verbose }
    }
}

/// What was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether words are coloured.
    pub(crate) has_colours: bool,
    /// Whether frames of the standard library are shown.
    pub(crate) is_verbose: bool,
}

/// The word that begins an entry, and what else is to be seen first.
pub(crate) const ERROR: Style = AnsiColor::BrightRed.on_default().bold();
/// The word that begins an entry of less weight.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Margins and line numbers.
pub(crate) const MARGIN: Style = AnsiColor::BrightBlue.on_default().bold();
/// What can be done.
pub(crate) const HELP: Style = AnsiColor::BrightCyan.on_default().bold();
/// What else is to be known.
pub(crate) const NOTE: Style = AnsiColor::BrightGreen.on_default().bold();
/// The sentence of an entry.
pub(crate) const TITLE: Style = Style::new().bold();
/// What is there for completeness.
pub(crate) const FAINT: Style = Style::new().dimmed();

impl Look {
    /// `text` in a style, where there are colours.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if self.has_colours && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_counts_more_than_what_was_set() {
        let check = |colour: Colour, is_terminal: bool, set: &[(&str, &str)], expected: bool| {
            let variable =
                |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            assert_eq!(colour.decide(is_terminal, variable), expected, "{colour:?} {is_terminal} {set:?}");
        };
        check(Colour::Auto, true, &[], true);
        check(Colour::Auto, false, &[], false);
        check(Colour::Auto, true, &[("NO_COLOR", "1")], false);
        check(Colour::Auto, true, &[("NO_COLOR", "")], true);
        check(Colour::Auto, true, &[("TERM", "dumb")], false);
        check(Colour::Auto, false, &[("CARGO_TERM_COLOR", "always"), ("NO_COLOR", "1")], true);
        check(Colour::Auto, true, &[("CARGO_TERM_COLOR", "never")], false);
        check(Colour::Never, true, &[("CARGO_TERM_COLOR", "always")], false);
        check(Colour::Always, false, &[("NO_COLOR", "1")], true);
    }

    #[test]
    fn cargos_flags_are_ours_as_well() {
        let check = |flags: &[&str], colour: Colour, is_verbose: bool| {
            let flags: Vec<OsString> = flags.iter().map(OsString::from).collect();
            assert_eq!(Asked::of_cargo(&flags), Asked { colour, is_verbose }, "{flags:?}");
        };
        check(&["--lib", "-v"], Colour::Auto, true);
        check(&["--color=always"], Colour::Always, false);
        check(&["--color", "never", "--verbose"], Colour::Never, true);
    }
}
