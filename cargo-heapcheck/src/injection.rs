#![forbid(unsafe_code)]
//! How a program is started so that the runtime is in it: the variables it gets, and those it must not see.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use heapcheck_rt::options::{Mode, Stacks};

/// What a checked program gets.
#[derive(Debug, Clone)]
pub(crate) struct Injection {
    /// The shared object.
    pub(crate) runtime: PathBuf,
    /// The mode, as it is spelled.
    pub(crate) mode: String,
    /// How much of each stack is kept.
    pub(crate) stacks: Stacks,
    /// What `HEAPCHECK_CHILDREN` says: which programs started by it are checked too.
    pub(crate) children: String,
    /// The program that is meant, where others stand in front of it.
    pub(crate) behind: Option<PathBuf>,
    /// Files of suppressions, as the runtime reads them.
    pub(crate) suppressions: Vec<PathBuf>,
    /// Whether the record says what holds the live blocks.
    pub(crate) asks_why: bool,
    /// Whether it says what is in use.
    pub(crate) has_in_use: bool,
}

impl Injection {
    /// Makes `command` run with the runtime, which records into `folder` and leaves the program's exit code alone.
    pub(crate) fn apply(&self, command: &mut Command, folder: &Path) {
        command
            .env("LD_PRELOAD", joined(&self.runtime, std::env::var_os("LD_PRELOAD")))
            .env("HEAPCHECK", &self.mode)
            .env("HEAPCHECK_STACKS", self.stacks.name())
            .env("HEAPCHECK_CHILDREN", &self.children)
            .env("HEAPCHECK_OUT", folder)
            .env("HEAPCHECK_REPORT", "none")
            .env("HEAPCHECK_EXITCODE", "0")
            .env_remove("HEAPCHECK_RECORD");
        match &self.behind {
            Some(program) => command.env("HEAPCHECK_BEHIND", program),
            None => command.env_remove("HEAPCHECK_BEHIND"),
        };
        // The tool has read what the person set; it may name files that only the tool understands.
        command.env_remove("HEAPCHECK_SUPPRESSIONS");
        // What draconian reports is mostly alive, and the question is who keeps it.
        if self.asks_why || self.mode == Mode::Draconian.name() {
            command.env("HEAPCHECK_WHY", "1");
        }
        match self.has_in_use {
            true => command.env("HEAPCHECK_IN_USE", "1"),
            false => command.env_remove("HEAPCHECK_IN_USE"),
        };
        if let Some((first, rest)) = self.suppressions.split_first() {
            let list = rest.iter().fold(first.clone().into_os_string(), |mut list, path| {
                list.push(":");
                list.push(path);
                list
            });
            command.env("HEAPCHECK_SUPPRESSIONS", list);
        }
    }
}

/// The preload list: ours first, because the first `malloc` wins.
fn joined(runtime: &Path, present: Option<OsString>) -> OsString {
    let mut list = runtime.as_os_str().to_os_string();
    if let Some(present) = present.filter(|present| !present.is_empty()) {
        list.push(":");
        list.push(present);
    }
    list
}
