#![forbid(unsafe_code)]
//! The file of a record: one that was given, or one that is made in a folder, under a name that no other process takes.

use crate::record_state::{PATH_MAX, RecordState};
use crate::sink::Fixed;
use crate::sys;
use crate::text::Text;

/// Opens the file that was given for the record.
pub(crate) fn open_given(path: &[u8], state: &mut RecordState) -> Option<i32> {
    state.path_len = 0;
    state.path.get_mut(..path.len())?.copy_from_slice(path);
    *state.path.get_mut(path.len())? = 0;
    let path = &state.path[..path.len() + 1];
    let fd = sys::open(path, sys::O_WRONLY | sys::O_APPEND | sys::O_CLOEXEC, 0).ok()?;
    state.path_len = path.len();
    Some(fd)
}

/// Makes a folder, unless it is there. Where that fails, so does what follows.
pub(crate) fn make_folder(folder: &[u8]) {
    let mut name = Fixed::<PATH_MAX>::new();
    let mut text = Text::new(&mut name);
    text.bytes(folder).str("\0");
    let _ = text.flush();
    drop(text);
    let _ = sys::make_folder(name.as_bytes());
}

/// Makes a file for the record in a folder.
pub(crate) fn create(folder: &[u8], state: &mut RecordState) -> Option<i32> {
    for _ in 0..8 {
        let mut random = [0u8; 4];
        sys::random(&mut random);
        let mut name = Fixed::<PATH_MAX>::new();
        let mut text = Text::new(&mut name);
        text.bytes(folder).str("/heapcheck.").dec(sys::process_id() as u64).str(".");
        text.dec(sys::wall_clock_ns() / 1000).str(".").dec(u64::from(u32::from_le_bytes(random))).str(".hcr\0");
        text.flush().ok()?;
        drop(text);
        if name.is_cut() {
            return None;
        }
        let path = name.as_bytes();
        let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_EXCL | sys::O_APPEND | sys::O_CLOEXEC;
        match sys::open(path, flags, 0o644) {
            Ok(fd) => {
                state.path[..path.len()].copy_from_slice(path);
                state.path_len = path.len();
                return Some(fd);
            }
            Err(sys::Errno(sys::EEXIST)) => {}
            Err(_) => return None,
        }
    }
    None
}
