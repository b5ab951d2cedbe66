#![expect(unsafe_code, reason = "edits the environment in place")]
//! What children inherit: by default nothing of us.
//!
//! The constructor takes the runtime out of `LD_PRELOAD`, and `HEAPCHECK` out of the environment, unless children are
//! to be followed. The file for the record of this process (`HEAPCHECK_RECORD`) is nobody else's in any case, nor is the
//! word that it is the one behind a runner. Nothing is allocated: strings only get shorter and pointers only move down.
//!
//! # Safety
//! `environ` ends with null and its strings with zero; no other thread exists yet.

use crate::executable::is_runtime;
use crate::options::{Children, Options};
use crate::start::{self, BEHIND, CHILD_OF, environment};
use core::ffi::CStr;

/// Prepares the environment for children.
pub(crate) fn prepare(options: &Options<'_>) {
    let mut entry = environment();
    if entry.is_null() {
        return;
    }
    let follows_all = options.children == Children::All || start::variable(CHILD_OF).is_some();
    let follows = follows_all || options.children != Children::None;
    // SAFETY: see the head of this file.
    unsafe {
        while !(*entry).is_null() {
            let text = CStr::from_ptr((*entry).cast()).to_bytes();
            if text.starts_with(b"HEAPCHECK_RECORD=") || text.strip_prefix(BEHIND).is_some_and(|rest| rest.first() == Some(&b'=')) {
                remove(entry);
            } else if follows {
                if !follows_all && text.starts_with(b"HEAPCHECK_CHILDREN=") {
                    core::ptr::copy_nonoverlapping(CHILD_OF.as_ptr(), *entry as *mut u8, CHILD_OF.len());
                }
                entry = entry.add(1);
            } else if text.starts_with(b"HEAPCHECK=") || (text.starts_with(b"LD_PRELOAD=") && !strip(*entry as *mut u8, text.len())) {
                remove(entry);
            } else {
                entry = entry.add(1);
            }
        }
    }
}

/// Takes one entry out of the array.
///
/// # Safety
/// The array ends with null.
unsafe fn remove(mut entry: *mut *const i8) {
    // SAFETY: as the caller promises.
    unsafe {
        while !(*entry).is_null() {
            *entry = *entry.add(1);
            entry = entry.add(1);
        }
    }
}

/// Takes our object out of an `LD_PRELOAD=` entry, and says whether anything is left of it.
///
/// # Safety
/// The string is writable and `len` bytes long before its zero.
unsafe fn strip(text: *mut u8, len: usize) -> bool {
    const NAME: usize = b"LD_PRELOAD=".len();
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts_mut(text, len + 1) };
    let (mut read, mut write) = (NAME, NAME);
    while read < len {
        let end = bytes[read..len].iter().position(|byte| matches!(byte, b':' | b' ')).map_or(len, |at| read + at);
        let is_ours = is_runtime(&bytes[read..end]);
        if !is_ours && end > read {
            if write > NAME {
                bytes[write] = b':';
                write += 1;
            }
            bytes.copy_within(read..end, write);
            write += end - read;
        }
        read = end + 1;
    }
    bytes[write] = 0;
    write > NAME
}
