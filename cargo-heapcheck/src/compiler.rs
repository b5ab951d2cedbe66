#![forbid(unsafe_code)]
//! The compiler that cargo will use, and what it says of itself.

use std::ffi::OsString;
use std::process::Command;

use crate::cargoconfig::{CargoConfig, resolved};
use crate::complaint::Complaint;

/// The compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// How it is called.
    pub(crate) rustc: OsString,
    /// What it answers to `-vV`.
    pub(crate) version: String,
}

/// The name of the compiler, as far as variables tell it.
pub(crate) fn named() -> Option<OsString> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let configured =
        || variable("CARGO_BUILD_RUSTC").map(|rustc| resolved(&rustc.to_string_lossy(), None).into());
    variable("RUSTC").or_else(configured)
}

impl Compiler {
    /// Asks the compiler of this name who it is.
    pub(crate) fn ask(rustc: OsString) -> Result<Self, Complaint> {
        let failed = |why: String| {
            Complaint::no_verdict(format!("cannot run `{} -vV`: {why}", rustc.display()))
                .hint("heapcheck asks your Rust compiler what it builds for; install one, or set RUSTC")
        };
        let output = Command::new(&rustc).arg("-vV").output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_string()));
        }
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Self { rustc, version })
    }

    /// What it builds for unless it is told otherwise.
    pub(crate) fn host(&self) -> &str {
        self.version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default()
    }
}

/// The compiler that files of cargo's configuration name.
pub(crate) fn configured(config: &CargoConfig) -> Option<OsString> {
    let entry = config.get(&["build", "rustc"])?;
    Some(entry.program(entry.value.as_str()?).into())
}
