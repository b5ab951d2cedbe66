#![forbid(unsafe_code)]
//! A few words to the runtime: what is meant to stay, what keeps blocks alive, and "look now".

use crate::facade::leaks::{Leaks, Stats};
use crate::facade::runtime;

/// Whether this process is being checked.
///
/// ```
/// // This documentation runs under plain `cargo test`, and under `cargo heapcheck` as well.
/// println!("checked: {}", heapcheck_rt::is_active());
/// ```
#[inline]
pub fn is_active() -> bool {
    runtime::is_active()
}

/// Runs `body`; what this thread allocates meanwhile is never a leak.
///
/// ```
/// let name: &'static str = heapcheck_rt::disabled(|| String::from("kept for ever").leak());
/// # let _ = name;
/// ```
pub fn disabled<R>(body: impl FnOnce() -> R) -> R {
    struct Enabled;
    impl Drop for Enabled {
        fn drop(&mut self) {
            runtime::enable();
        }
    }
    runtime::disable();
    let _enabled = Enabled;
    body()
}

/// Says that what `value` holds is meant to stay: the block that it lies in, or those that it points to, and everything
/// that they reach, are no leak.
///
/// ```
/// let table = Box::new([0u64; 512]);
/// heapcheck_rt::ignore(&table);
/// std::mem::forget(table);
/// ```
pub fn ignore<T: ?Sized>(value: &T) {
    runtime::ignore((&raw const *value).cast::<u8>() as usize, size_of_val(value));
}

/// Memory whose words keep blocks alive, as long as this value lives.
#[derive(Debug)]
#[must_use = "the region is taken back when this value is dropped"]
pub struct RootRegion {
    address: usize,
    bytes: usize,
}

/// Says that the words of this memory keep blocks alive. For memory that heapcheck does not see by itself, such as a
/// mapping shared with another process.
///
/// ```
/// let mapping = [0usize; 64];
/// let _region = heapcheck_rt::root_region(mapping.as_ptr().cast(), size_of_val(&mapping));
/// ```
#[inline]
pub fn root_region(start: *const u8, bytes: usize) -> RootRegion {
    runtime::add_region(start as usize, bytes);
    RootRegion { address: start as usize, bytes }
}

impl Drop for RootRegion {
    #[inline]
    fn drop(&mut self) {
        runtime::remove_region(self.address, self.bytes);
    }
}

/// Checks the whole process now, and lets it run on.
///
/// ```
/// heapcheck_rt::check_now().unwrap();
/// ```
#[inline(always)]
pub fn check_now() -> Result<(), Leaks> {
    clear_stack_below();
    check_from_here()
}

#[inline(never)]
fn check_from_here() -> Result<(), Leaks> {
    match runtime::check_now() {
        0 => Ok(()),
        bytes => {
            Err(u64::try_from(bytes).map_or_else(|_| Leaks::unchecked("the process"), Leaks::of_process))
        }
    }
}

/// Panics when the process has lost anything.
#[track_caller]
#[inline(always)]
pub fn assert_clean() {
    clear_stack_below();
    assert_from_here();
}

#[inline(always)]
fn clear_stack_below() {
    if runtime::is_active() {
        runtime::clear_stack_below();
    }
}

#[track_caller]
#[inline(never)]
fn assert_from_here() {
    if let Err(leaks) = check_from_here() {
        let name = std::thread::current().name().unwrap_or_default().to_string();
        runtime::note_failure(&name, &leaks.to_string());
        panic!("{leaks}");
    }
}

/// What the innermost scope of this thread has allocated so far; all 0 outside of scopes.
///
/// ```
/// let scope = heapcheck_rt::Scope::new("parsing");
/// let words: Vec<String> = "a b c".split(' ').map(String::from).collect();
/// println!("{} words in {} allocations", words.len(), heapcheck_rt::stats().allocations);
/// # drop(scope);
/// ```
#[inline]
pub fn stats() -> Stats {
    runtime::sums(runtime::current()).map_or_else(Stats::default, Stats::from)
}
