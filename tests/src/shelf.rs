#![forbid(unsafe_code)]
//! A folder of things that are built once and shared by test binaries that run at the same time.
//!
//! A thing is named by a hash of all that it is made of. Whoever needs it takes the lock file of its name, looks whether
//! it is there, and otherwise builds it in a folder of its own and moves it into place: a build that was cut off leaves
//! nothing that looks finished.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder.
#[derive(Debug, Clone)]
pub struct Shelf(PathBuf);

impl Shelf {
    /// Opens the shelf beside `target_tmpdir`, which cargo gives its test binaries.
    pub fn open(target_tmpdir: &Path) -> io::Result<Shelf> {
        let folder = target_tmpdir.parent().unwrap_or(target_tmpdir).join("heapcheck-tests");
        fs::create_dir_all(&folder)?;
        Ok(Shelf(folder))
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Finds the file `name` made of `ingredients`, or has `build` make it at the path it is given.
    pub fn find_or_build(
        &self,
        name: &str,
        ingredients: impl Hash,
        build: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Result<PathBuf, String> {
        let mut hasher = DefaultHasher::new();
        ingredients.hash(&mut hasher);
        let stem = format!("{name}-{:016x}", hasher.finish());
        let place = self.0.join(&stem).join(name);
        let failed = |what: &str, error: io::Error| format!("{what} {}: {error}", place.display());
        let lock =
            File::create(self.0.join(format!("{stem}.lock"))).map_err(|error| failed("lock", error))?;
        lock.lock().map_err(|error| failed("lock", error))?;
        if !place.exists() {
            let workshop = self.0.join(format!("{stem}.part"));
            let _ = fs::remove_dir_all(&workshop);
            fs::create_dir_all(&workshop).map_err(|error| failed("make a folder for", error))?;
            build(&workshop.join(name))?;
            fs::rename(&workshop, self.0.join(&stem)).map_err(|error| failed("move into place", error))?;
        }
        Ok(place)
    }
}

/// Runs a compiler to its end. Its words are the error when it fails.
pub fn run_compiler(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("start {program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {} failed:\n{said}", arguments.join(" ")))
}

/// Finds an executable of this name on the search path.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let search = std::env::var_os("PATH")?;
    std::env::split_paths(&search).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_thing_is_built_once_and_again_when_its_ingredients_change() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&folder.path().join("tmp")).unwrap();
        let built = AtomicUsize::new(0);
        let make = |ingredient: &str| {
            shelf.find_or_build("thing", ingredient, |place| {
                built.fetch_add(1, Ordering::Relaxed);
                fs::write(place, ingredient).map_err(|error| error.to_string())
            })
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| make("flour").unwrap());
            }
        });
        assert_eq!(built.load(Ordering::Relaxed), 1);
        assert!(shelf.find_or_build("thing", "salt", |_| Err("too salty".to_string())).is_err());
        assert_eq!(fs::read_to_string(make("salt").unwrap()).unwrap(), "salt");
        assert_eq!(built.load(Ordering::Relaxed), 2);
    }
}
