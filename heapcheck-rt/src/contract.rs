#![forbid(unsafe_code)]
//! What the facade and the runtime say to each other about scopes: plain C types, the same on both sides.
//!
//! A test is compiled with one version of the facade and may meet another version of the runtime. So structures begin
//! with their size, grow only at their end, and are read no further than the other side wrote.

use core::ffi::c_void;

/// The scope keeps sums of bytes, which slows its allocations a little.
pub const METERED: u32 = 1;
/// What other threads allocate is not the scope's, though they are started in it.
pub const OWN_THREAD: u32 = 2;

/// What was lost by threads that outlive the scope does not count: they may have worked for somebody else.
pub const WITHOUT_GUESTS: u32 = 1;
/// When nothing is found, blocks that are still alive are excused from later checks as well.
pub const EXCUSE_LIVE: u32 = 2;

/// The sums of a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Sums {
    /// Bytes of this structure.
    pub size: u64,
    /// Blocks alive.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// The most bytes that were alive at one time.
    pub peak_bytes: u64,
    /// Bytes of all allocations.
    pub total_bytes: u64,
    /// The number of all allocations.
    pub allocations: u64,
}

/// Takes a piece of text.
pub type Print = extern "C" fn(context: *mut c_void, text: *const u8, bytes: usize);

/// A question to [`heapcheck_scope_judge`](crate), and room for the answer.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Question {
    /// Bytes of this structure.
    pub size: u64,
    /// [`WITHOUT_GUESTS`], [`EXCUSE_LIVE`].
    pub flags: u32,
    /// The number of a mode; 0: that of the process.
    pub mode: u32,
    /// Up to this many leaked bytes are excused.
    pub max_leaked: u64,
    /// Patterns of functions whose leaks are excused, one a line.
    pub allow: *const u8,
    /// Their bytes.
    pub allow_bytes: usize,
    /// Takes the plain report, when the runtime is the one to print.
    pub print: Option<Print>,
    /// The first argument of that.
    pub context: *mut c_void,
    /// Answer: leaked bytes.
    pub leaked_bytes: u64,
    /// Answer: leaked blocks.
    pub leaked_blocks: u64,
    /// Answer: bytes that were excused.
    pub excused_bytes: u64,
}

/// [`Question`]: the answer is there.
pub const ANSWERED: i32 = 0;
/// No check was possible.
pub const IMPOSSIBLE: i32 = -1;
/// The two sides do not understand each other.
pub const UNKNOWN: i32 = -2;
