#![forbid(unsafe_code)]
//! Files as other services know them: relative to the root of the repository.

use std::path::{Path, PathBuf};

use crate::explain::Explanation;
use crate::plumbing::{Whose, whose};
use crate::symbols::Frame;

/// The root of the repository.
#[derive(Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// Finds it: where GitHub has checked it out, else the nearest folder with a `.git`, else the current one.
    pub(crate) fn find() -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        let named = std::env::var_os("GITHUB_WORKSPACE").filter(|path| !path.is_empty()).map(PathBuf::from);
        let repository =
            || here.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_path_buf);
        Self(named.or_else(repository).unwrap_or(here))
    }

    /// The path of a file below it, with `/` between its parts.
    pub(crate) fn relative(&self, file: &str) -> Option<String> {
        let path = Path::new(file);
        let below = path.strip_prefix(&self.0).ok().map(Path::to_path_buf).or_else(|| {
            let real = self.0.canonicalize().ok()?;
            path.strip_prefix(real).ok().map(Path::to_path_buf)
        });
        let below = below.or_else(|| Some(path.to_path_buf()).filter(|path| path.is_relative()))?;
        Some(below.to_string_lossy().into_owned())
    }

    /// The first line of the reader's own code in a stack, if it lies in the repository.
    pub(crate) fn own_line<'f>(&self, trace: &'f [Frame]) -> Option<(String, &'f Frame)> {
        trace.iter().filter(|frame| whose(frame) == Whose::Own).find_map(|frame| {
            let file = self.relative(frame.file.as_deref()?)?;
            Some((file, frame))
        })
    }

    /// Where a leak is to be shown.
    pub(crate) fn line_of<'f>(&self, leak: &'f Explanation) -> Option<(String, &'f Frame)> {
        self.own_line(&leak.trace[leak.own.unwrap_or(0)..])
    }
}
