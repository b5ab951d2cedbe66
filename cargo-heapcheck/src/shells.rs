#![forbid(unsafe_code)]
//! `show-env`: what a driver of cargo other than this tool needs in its environment, in the words of a shell.
//!
//! It is the environment that `cargo heapcheck test` gives to cargo. Only the runner comes by a variable here, because
//! `--config` is not ours to give; a variable wins over every file, too.

use std::io::Write;

use clap::ValueEnum;

use crate::cargo::{Prepared, Testing};
use crate::chain::runner_variable;
use crate::complaint::Complaint;
use crate::ending::Ending;
use crate::runner;

/// A family of shells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// What POSIX describes: dash, bash, zsh and others
    #[value(alias = "bash", alias = "zsh", alias = "dash")]
    Sh,
    /// The friendly one
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
}

impl Shell {
    /// Prints the environment of cargo as it would be for `testing`.
    pub(crate) fn show(self, testing: &Testing) -> Result<u8, Complaint> {
        let Prepared { command, targets, own, .. } = testing.prepare()?;
        let mut text = String::new();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                text += &self.line(&name.to_string_lossy(), &value.to_string_lossy());
            }
        }
        for target in &targets {
            text += &self.line(&runner_variable(target), &runner::as_words(&runner::of_tool(&own), target)?);
        }
        // A reader that closes the pipe early has seen enough.
        let _ = std::io::stdout().write_all(text.as_bytes());
        Ok(Ending::Clean.code())
    }

    fn line(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
            Self::Fish => {
                format!("set -gx {name} '{}'\n", value.replace('\\', r"\\").replace('\'', r"\'"))
            }
            Self::Powershell => format!("$env:{name} = '{}'\n", value.replace('\'', "''")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_through_the_shell_as_it_was() {
        let value = r#"{"a": "it's \ here"} $HOME `x` !"#;
        let script = Shell::Sh.line("VALUE", value) + "printf %s \"$VALUE\"";
        let seen = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&seen.stdout), value);
        assert_eq!(Shell::Fish.line("A", r"it's \"), "set -gx A 'it\\'s \\\\'\n");
        assert_eq!(Shell::Powershell.line("A", "it's"), "$env:A = 'it''s'\n");
    }
}
