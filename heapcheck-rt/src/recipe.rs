#![forbid(unsafe_code)]
//! How the runtime is compiled, in each form that it comes in: one recipe for the tool, which carries it, for the package
//! that links it into test binaries, and for the tests.
//!
//! Plain rustc does it, not cargo, because whatever profile and flags a person builds with, what stands in for `malloc`
//! should be the same code. None of the forms depends on the compiler of the program that it comes into: what they need of
//! core they have in themselves, and what they say to the program goes by C functions and files.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::object_with;

/// How all forms but the usher are compiled. What is hot is inlined by attributes, so LLVM's own zeal, which takes half of
/// the time of a build, buys nothing there.
const RUNTIME: &[&str] = &[
    "--edition=2024",
    "--crate-name=heapcheck",
    "-Copt-level=3",
    "-Cpanic=abort",
    "-Cllvm-args=-inline-threshold=40",
    "--cap-lints=allow",
    "--cfg=heapcheck_injected",
];
const SHARED: &[&str] = &["--crate-type=cdylib", "-Ccodegen-units=3", "-Cstrip=debuginfo"];
/// By LTO the object has all that it needs of core in itself: in a program that is linked by LTO nothing else of core is
/// left to find.
const OBJECT: &[&str] = &["--crate-type=staticlib", "-Clto=fat", "-Ccodegen-units=1"];

/// The usher is a program without a libc, which is small rather than fast.
const USHER: &[&str] = &[
    "--edition=2024",
    "--crate-name=usher",
    "--crate-type=bin",
    "-Copt-level=s",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    "-Cstrip=symbols",
    "-Crelocation-model=static",
    "-Ctarget-feature=+crt-static",
    "-Clink-arg=-nostartfiles",
    "-Clink-arg=-nostdlib",
    "--cap-lints=allow",
    "--cfg=heapcheck_injected",
];

/// What is made of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The shared object that is preloaded.
    Preloaded,
    /// The object that the linker puts into static Rust programs.
    Static,
    /// The same for programs without Rust in them, with a panic handler of its own.
    StaticAlone,
    /// The object for `standalone`, whose names nobody else uses.
    Linked,
    /// The usher.
    Usher,
}

impl Form {
    fn parts(self) -> [&'static [&'static str]; 3] {
        match self {
            Self::Preloaded => [RUNTIME, SHARED, &[]],
            Self::Static => [RUNTIME, OBJECT, &["--cfg=heapcheck_static"]],
            Self::StaticAlone => [RUNTIME, OBJECT, &["--cfg=heapcheck_static", "--cfg=heapcheck_alone"]],
            Self::Linked => [RUNTIME, OBJECT, &["--cfg=heapcheck_linked"]],
            Self::Usher => [USHER, &[], &[]],
        }
    }

    /// The file that comes of it.
    pub fn file(self) -> &'static str {
        match self {
            Self::Preloaded => "libheapcheck.so",
            Self::Static | Self::StaticAlone | Self::Linked => "heapcheck.o",
            Self::Usher => "usher",
        }
    }

    /// The flags, for whoever has to tell one recipe from another.
    pub fn flags(self) -> impl Iterator<Item = &'static str> {
        self.parts().into_iter().flatten().copied()
    }

    /// Compiles it from the folder of the sources into `folder`, and answers where it is. Beside it lies `<crate>.d`, which
    /// says what it was made of. `more` goes to the compiler as well.
    pub fn make(
        self,
        rustc: &OsStr,
        sources: &Path,
        folder: &Path,
        more: &[&OsStr],
    ) -> Result<PathBuf, String> {
        let mut remap = OsString::from("--remap-path-prefix=");
        remap.push(sources);
        remap.push("=/heapcheck-rt");
        let root = if self == Self::Usher { "usher.rs" } else { "rt.rs" };
        let mut command = Command::new(rustc);
        command.args(self.flags()).args(more).arg("--emit=link,dep-info");
        command.arg(remap).arg("--out-dir").arg(folder).arg(sources.join(root));
        let output =
            command.output().map_err(|error| format!("cannot run `{}`: {error}", rustc.display()))?;
        if !output.status.success() {
            return Err(format!(
                "{} says:\n{}",
                rustc.display(),
                String::from_utf8_lossy(&output.stderr).trim_end()
            ));
        }
        let place = folder.join(self.file());
        let symbol = match self {
            Self::Preloaded | Self::Usher => return Ok(place),
            Self::Static | Self::StaticAlone => "__wrap_malloc",
            Self::Linked => "heapcheck_linked_malloc",
        };
        let whole = folder.join("libheapcheck.a");
        let bytes = fs::read(&whole).map_err(|error| format!("{}: {error}", whole.display()))?;
        let object = object_with(&bytes, symbol)
            .ok_or_else(|| format!("{}: no object of ours in it", whole.display()))?;
        fs::write(&place, object).map_err(|error| format!("{}: {error}", place.display()))?;
        Ok(place)
    }
}
