#![forbid(unsafe_code)]
//! The runtime as the tool carries it: made when the tool was built, and written to where programs find it.
//!
//! It lies in a folder named by a hash of its bytes, and each file comes there by a rename, so whoever finds it finds it
//! whole, however many tools write it at once.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::complaint::Complaint;
use crate::home;

/// A name for what is carried, that changes with it.
pub(crate) const KEY: &str = env!("HEAPCHECK_MADE_KEY");

/// The variable that names a runtime to be used instead.
const OVERRIDE: &str = "HEAPCHECK_RT";
/// The name of the shared object.
pub(crate) const FILE: &str = "libheapcheck_rt.so";

/// Finds the shared object in the folder of the tool, or puts it there. Where that has a path which can't be preloaded,
/// it goes into the cache.
pub(crate) fn find_or_write(home: &Path) -> Result<PathBuf, Complaint> {
    if let Some(path) = std::env::var_os(OVERRIDE).filter(|path| !path.is_empty()).map(PathBuf::from) {
        return match path.canonicalize() {
            Ok(path) if can_be_preloaded(&path) => Ok(path),
            Ok(path) => Err(not_preloaded(&path).hint(format!("put it elsewhere, or unset {OVERRIDE}"))),
            Err(error) => Err(Complaint::file("use the runtime", &path, &error)
                .hint(format!("unset {OVERRIDE}, and heapcheck uses its own"))),
        };
    }
    let folders = [home.to_path_buf(), home::cache()];
    let Some(folder) = folders.iter().find(|folder| can_be_preloaded(folder)) else {
        return Err(not_preloaded(&folders[1])
            .hint("let XDG_CACHE_HOME name a folder for the runtime whose path has neither"));
    };
    place(folder, FILE, include_bytes!(env!("HEAPCHECK_MADE_SHARED")))
}

/// Whether the loader takes a path as one: it parts the list at blanks and colons (ld.so(8)).
fn can_be_preloaded(path: &Path) -> bool {
    !path.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b' ' | b':'))
}

fn not_preloaded(path: &Path) -> Complaint {
    Complaint::no_verdict(format!(
        "cannot preload a runtime from `{}`: the loader parts paths at blanks and colons",
        path.display()
    ))
}

/// Finds the object for static programs, or puts it there.
pub(crate) fn find_or_write_object(home: &Path) -> Result<PathBuf, Complaint> {
    place(home, "heapcheck.o", include_bytes!(env!("HEAPCHECK_MADE_OBJECT")))
}

/// Finds the usher, or puts it there.
pub(crate) fn find_or_write_usher(home: &Path) -> Result<PathBuf, Complaint> {
    place(home, "usher", include_bytes!(env!("HEAPCHECK_MADE_USHER")))
}

fn place(home: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Complaint> {
    let folder = home.join(format!("rt-{KEY}"));
    let path = folder.join(name);
    if !path.is_file() {
        let write = || {
            fs::create_dir_all(&folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(bytes)?;
            file.as_file().set_permissions(Permissions::from_mode(0o755))?;
            // A file that is open for writing can't be executed.
            file.into_temp_path().persist(&path)?;
            Ok(())
        };
        write().map_err(|error: std::io::Error| Complaint::file("write", &path, &error))?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use object::{Object, ObjectSymbol};

    use super::*;

    #[test]
    fn what_is_carried_needs_nothing_of_anybodys_compiler() {
        let shared = object::File::parse(&include_bytes!(env!("HEAPCHECK_MADE_SHARED"))[..]).unwrap();
        assert!(shared.section_by_name(".gnu.version_r").is_none(), "any version of libc will do");
        let file = object::File::parse(&include_bytes!(env!("HEAPCHECK_MADE_OBJECT"))[..]).unwrap();
        let wanted = file.symbols().filter(|symbol| symbol.is_undefined());
        let of_rust: Vec<&str> = wanted
            .map(|symbol| symbol.name().unwrap())
            .filter(|n| n.starts_with("_R") || n.starts_with("_ZN"))
            .collect();
        assert_eq!(of_rust, Vec::<&str>::new());
    }

    #[test]
    fn what_is_there_is_not_written_again() {
        let home = tempfile::tempdir().unwrap();
        let path = place(home.path(), "thing", b"one").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(place(home.path(), "thing", b"two").unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    }
}
