#![forbid(unsafe_code)]
//! A command line of rustc or rustdoc as cargo writes it, and the few questions that are asked of it.

use std::ffi::{OsStr, OsString};

/// The arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) arguments: &'a [OsString],
}

impl Line<'_> {
    /// Whether this argument is there.
    pub(crate) fn has(self, wanted: &str) -> bool {
        self.arguments.iter().any(|argument| argument == wanted)
    }

    /// The values of an option, `--name value` or `--name=value`, in their order.
    pub(crate) fn values(self, name: &str) -> Vec<String> {
        let joined = format!("{name}=");
        let mut is_value = false;
        let mut values = Vec::new();
        for argument in self.arguments {
            let text = argument.to_string_lossy();
            if std::mem::take(&mut is_value) {
                values.push(text.into_owned());
            } else if let Some(value) = text.strip_prefix(&joined) {
                values.push(value.to_string());
            } else {
                is_value = argument == OsStr::new(name);
            }
        }
        values
    }

    /// Whether an option has this value.
    pub(crate) fn has_pair(self, name: &str, value: &str) -> bool {
        self.values(name).iter().any(|given| given == value)
    }

    /// What `-C` says, in its order.
    pub(crate) fn codegen(self) -> Vec<String> {
        let mut is_value = false;
        let mut options = Vec::new();
        for argument in self.arguments {
            let text = argument.to_string_lossy();
            if std::mem::take(&mut is_value) {
                options.push(text.into_owned());
            } else if argument == "-C" || argument == "--codegen" {
                is_value = true;
            } else if let Some(option) = text.strip_prefix("-C").or_else(|| text.strip_prefix("--codegen=")) {
                options.push(option.to_string());
            }
        }
        options
    }

    /// Whether a build script is compiled, which runs on the machine that builds.
    pub(crate) fn is_build_script(self) -> bool {
        self.values("--crate-name").iter().any(|name| name.starts_with("build_script_"))
    }
}
