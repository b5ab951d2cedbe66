#![forbid(unsafe_code)]
//! Files in memory, for what nearly always is of no interest a moment later: a test's output, and the record of a test
//! that is clean. On a disk, making a folder and files for these and removing them again costs more than a small test.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

/// Makes one; where the kernel has none, it is a file without a name.
pub(crate) fn file() -> io::Result<File> {
    match memfd_create("heapcheck", MemfdFlags::CLOEXEC) {
        Ok(file) => Ok(file.into()),
        Err(_) => tempfile::tempfile(),
    }
}

/// The file of this process with the descriptor `number`, opened once more.
pub(crate) fn inherited(number: u32) -> io::Result<File> {
    File::options().read(true).write(true).open(format!("/proc/self/fd/{number}"))
}

/// The path by which another process opens `file`, as long as this process has it open (proc(5)).
pub(crate) fn path_of(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into()
}

/// Everything in a file.
pub(crate) fn read(mut file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes everything in a file to a place on the disk.
pub(crate) fn keep(file: &File, path: &Path) -> io::Result<()> {
    fs::write(path, read(file)?)
}
