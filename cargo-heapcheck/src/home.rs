#![forbid(unsafe_code)]
//! Where the tool keeps its files: `<target>/heapcheck` of the package around, or a cache folder outside of packages.
//!
//! ```text
//! rt-<hash>/libheapcheck_rt.so   the runtime, by what it was built from
//! build-<hash>/                  cargo's target folder for instrumented builds
//! runs/<when>-<pid>/             the records of one run, and the profiles of what leaked in it
//! last                           a link to the last of them
//! ```

use std::ffi::OsString;
use std::path::PathBuf;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::complaint::Complaint;

/// The folder of the tool.
#[derive(Debug)]
pub(crate) struct Home {
    /// Its path.
    pub(crate) path: PathBuf,
    /// The package or workspace around, if there is one.
    pub(crate) metadata: Option<Metadata>,
}

impl Home {
    /// Finds the folder for the package of `manifest`, or of the current folder. Outside of packages it is a cache.
    pub(crate) fn find(manifest: Option<&OsString>) -> Result<Self, Complaint> {
        match ask_cargo(manifest) {
            Ok(metadata) => Ok(Self::of(metadata)),
            Err(complaint) if manifest.is_some() => Err(complaint),
            Err(_) => Ok(Self { path: cache(), metadata: None }),
        }
    }

    /// Finds the folder for a package that must be there.
    pub(crate) fn of_package(manifest: Option<&OsString>) -> Result<Self, Complaint> {
        ask_cargo(manifest).map(Self::of)
    }

    /// Everything that the tool keeps: its folder, and where cargo builds elsewhere, its part of that.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let elsewhere = self.metadata.as_ref().and_then(|metadata| {
            let folder = metadata.build_directory.as_ref().filter(|f| **f != metadata.target_directory)?;
            Some(folder.join("heapcheck").into())
        });
        std::iter::once(self.path.clone()).chain(elsewhere).collect()
    }

    /// Where the workspace lies, or the folder that stands in for one.
    pub(crate) fn root(&self) -> PathBuf {
        match &self.metadata {
            Some(metadata) => metadata.workspace_root.clone().into(),
            None => std::env::current_dir().unwrap_or_default(),
        }
    }

    /// Whether the workspace has no second package.
    pub(crate) fn has_one_package(&self) -> bool {
        self.metadata.as_ref().is_some_and(|metadata| metadata.workspace_members.len() == 1)
    }

    fn of(metadata: Metadata) -> Self {
        Self { path: metadata.target_directory.join("heapcheck").into(), metadata: Some(metadata) }
    }
}

fn ask_cargo(manifest: Option<&OsString>) -> Result<Metadata, Complaint> {
    let mut command = MetadataCommand::new();
    command.no_deps();
    if let Some(manifest) = manifest {
        command.manifest_path(PathBuf::from(manifest));
    }
    command.exec().map_err(|error| refused_by_cargo(&error))
}

fn refused_by_cargo(error: &cargo_metadata::Error) -> Complaint {
    let text = match error {
        cargo_metadata::Error::CargoMetadata { stderr } => {
            stderr.trim().trim_start_matches("error: ").to_string()
        }
        other => other.to_string(),
    };
    let is_elsewhere =
        ["could not find `Cargo.toml`", "does not exist"].iter().any(|part| text.contains(part));
    match is_elsewhere {
        true => Complaint::usage(text).hint("name a package with `--manifest-path`, or go into its folder"),
        false => Complaint::usage(text),
    }
}

/// The folder that stands in for that of a package.
pub(crate) fn cache() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("XDG_CACHE_HOME")
        .or_else(|| Some(named("HOME")?.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("heapcheck")
}
