#![forbid(unsafe_code)]
//! `clean`: removes what the tool keeps, and nothing of plain cargo's.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::complaint::Complaint;
use crate::ending::Ending;
use crate::home::Home;

/// Removes the folders of the package of `manifest`, or those below a named target folder.
pub(crate) fn act(manifest: Option<&OsString>, target: Option<&Path>) -> Result<u8, Complaint> {
    let folders = match target {
        Some(target) => vec![target.join("heapcheck")],
        None => Home::find(manifest)?.folders(),
    };
    let mut sum = Removed::default();
    for folder in &folders {
        sum.count(folder);
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Complaint::file("remove", folder, &error));
            }
            _ => {}
        }
    }
    eprintln!("     Removed {} files, {:.1}MiB total", sum.files, sum.bytes as f64 / f64::from(1 << 20));
    Ok(Ending::Clean.code())
}

/// What is in the folders.
#[derive(Debug, Default)]
struct Removed {
    files: u64,
    bytes: u64,
}

impl Removed {
    fn count(&mut self, folder: &Path) {
        let mut folders: Vec<PathBuf> = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => {
                        self.files += 1;
                        self.bytes += metadata.len();
                    }
                    Err(_) => {}
                }
            }
        }
    }
}
