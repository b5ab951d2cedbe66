#![forbid(unsafe_code)]
//! Reads `/proc/self/task`: which threads there are, what each blocks, where one that sleeps has its stack pointer.
//!
//! System calls only, so it works while the world is being stopped. A file costs about ten microseconds, most of them for
//! the walk along its path.

use crate::arena::Buf;
use crate::space::{Grow, OutOfMemory};
use crate::sys;
use crate::taskstat::{self, TaskStatus};

/// Bytes of directory entries asked for at once: those of a hundred threads. Most processes have fewer, and each page more
/// is touched in every check.
const ENTRY_BYTES: usize = 4 << 10;

/// Calls `visit` with the id of every thread, in the order of their birth, and says whether the list could be read to
/// its end. `bytes` is scratch memory.
pub(crate) fn each_thread(
    bytes: &mut Buf<u8>,
    mut visit: impl FnMut(i32) -> Result<(), OutOfMemory>,
) -> Result<bool, OutOfMemory> {
    bytes.resize(ENTRY_BYTES, 0)?;
    let Ok(directory) = sys::open(b"/proc/self/task\0", sys::O_DIRECTORY | sys::O_CLOEXEC, 0) else {
        return Ok(false);
    };
    let mut outcome = Ok(());
    let is_whole = loop {
        match sys::read_directory(directory, bytes.as_mut_slice()) {
            Ok(0) => break true,
            Ok(filled) => taskstat::each_task(&bytes.as_slice()[..filled], |tid| {
                outcome = outcome.and_then(|()| visit(tid));
            }),
            Err(_) => break false,
        }
    };
    sys::close(directory);
    outcome.map(|()| is_whole)
}

/// Reads what a thread does and blocks.
pub(crate) fn status_of(tid: i32) -> Option<TaskStatus> {
    let mut text = [0u8; 2048];
    let bytes = read_task_file(tid, b"status\0", &mut text)?;
    taskstat::parse_status(&text[..bytes])
}

/// Whether a thread with this status goes on by itself, sooner or later: it runs or wants to, or the kernel has it wait for
/// memory, a lock or a disk, but not for a child that has its memory (vfork(2)).
pub(crate) fn is_under_way(tid: i32, status: TaskStatus) -> bool {
    match status.state {
        b'R' => true,
        b'D' => {
            let mut text = [0u8; 256];
            let bytes = read_task_file(tid, b"syscall\0", &mut text);
            bytes.is_some_and(|bytes| !taskstat::makes_task(&text[..bytes]))
        }
        _ => false,
    }
}

/// Reads where a sleeping thread's stack pointer is.
pub(crate) fn last_sp(tid: i32) -> Option<usize> {
    let mut text = [0u8; 256];
    let bytes = read_task_file(tid, b"syscall\0", &mut text)?;
    taskstat::parse_syscall_sp(&text[..bytes])
}

fn read_task_file(tid: i32, file: &[u8], text: &mut [u8]) -> Option<usize> {
    let mut path = [0u8; 64];
    let mut at = 0;
    let mut add = |bytes: &[u8]| {
        path[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    add(b"/proc/self/task/");
    let mut digits = [0u8; 10];
    let mut first = digits.len();
    let mut rest = tid.unsigned_abs();
    while rest > 0 || first == digits.len() {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    add(&digits[first..]);
    add(b"/");
    add(file);
    let fd = sys::open(&path[..at], sys::O_CLOEXEC, 0).ok()?;
    let outcome = sys::read(fd, text);
    sys::close(fd);
    outcome.ok()
}
