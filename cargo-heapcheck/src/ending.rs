#![forbid(unsafe_code)]
//! How the tool ends: one exit code for each kind of outcome.

/// The kinds of outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everything was checked, nothing leaked.
    Clean,
    /// What was asked for cannot be understood or found.
    Usage,
    /// Something leaked; all else went well.
    Leaked,
    /// Something was not checked, so nobody knows.
    NoVerdict,
    /// Tests or their build failed.
    Failed,
}

impl Ending {
    /// The exit code, the same for a person and for CI.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Usage => 2,
            Self::Leaked => 23,
            Self::NoVerdict => 70,
            Self::Failed => 101,
        }
    }
}

/// The text of `--help` on them.
pub(crate) const ABOUT_CODES: &str = "\
Exit codes:
  0    clean
  2    what was typed cannot be understood or found
  23   leaks, and all else passed
  70   no verdict possible: something was not checked
  101  tests or their build failed
  130  interrupted (Ctrl-C); what is known is told
`exec` keeps the program's own exit code unless that is 0.";
