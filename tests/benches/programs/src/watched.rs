//! dhat-rs around a program (feature `dhat`): it counts what was not freed, and leaves the verdict to the program.
//!
//! What a static still holds counts as well (8 bytes of the regex crate), so the verdict here is a bound, as it is in
//! the tests of those who use dhat-rs.

use std::sync::Mutex;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

static PROFILER: Mutex<Option<dhat::Profiler>> = Mutex::new(None);

/// The status for leaks, as the bench expects it of every peer.
const LEAKED: i32 = 23;

pub(crate) fn begin() {
    // The profile is made and written, as a user's would be; nobody reads it here.
    let profiler = dhat::Profiler::builder().file_name("/dev/null").build();
    *PROFILER.lock().expect("no thread panics while it holds the lock") = Some(profiler);
}

/// Ends the profile; the status to leave with.
pub(crate) fn end() -> i32 {
    let Some(profiler) = PROFILER.lock().expect("no thread panics while it holds the lock").take() else {
        return 0;
    };
    let leaked = dhat::HeapStats::get().curr_bytes >= crate::PLANTED;
    drop(profiler);
    if leaked { LEAKED } else { 0 }
}
