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
/// The answer says what only local variables hold.
pub const TELL_LOCALS: u32 = 4;
/// Local variables hold nothing: what only they lead to is lost.
pub const WITHOUT_LOCALS: u32 = 8;

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

/// Takes one leak of a report.
pub type Tell = extern "C" fn(context: *mut c_void, lost: *const Lost);

/// Nothing points at the blocks any more.
pub const DIRECT: u32 = 1;
/// Only leaked blocks point at them.
pub const INDIRECT: u32 = 2;
/// They keep each other alive.
pub const CYCLE: u32 = 3;
/// They were not freed, in a mode that expects that.
pub const UNFREED: u32 = 4;
/// There are more of them than before.
pub const GROWING: u32 = 5;

/// Blocks that leaked alike, told by their facts: who asked makes a text of them. Valid during the call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Lost {
    /// Bytes of this structure.
    pub size: u64,
    /// [`DIRECT`] and the others.
    pub kind: u32,
    /// 1 when the stack went on beyond what was kept.
    pub is_cut: u32,
    /// Their number.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many other blocks only they keep alive.
    pub retained_blocks: u64,
    /// The bytes of those.
    pub retained_bytes: u64,
    /// The name of the thread that allocated them.
    pub thread: *const u8,
    /// Its bytes.
    pub thread_bytes: usize,
    /// Where they were allocated: return addresses, innermost first.
    pub stack: *const usize,
    /// Their number.
    pub stack_frames: usize,
}

/// A question to [`heapcheck_scope_judge`](crate), and room for the answer.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Question {
    /// Bytes of this structure.
    pub size: u64,
    /// [`WITHOUT_GUESTS`] and the others.
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
    /// The first argument of that, and of `tell`.
    pub context: *mut c_void,
    /// Answer: leaked bytes.
    pub leaked_bytes: u64,
    /// Answer: leaked blocks.
    pub leaked_blocks: u64,
    /// Answer: bytes that were excused.
    pub excused_bytes: u64,
    /// Takes the leaks one by one, when the runtime is the one to print; then `print` gets only what is left to say.
    pub tell: Option<Tell>,
    /// Answer: blocks that only words on stacks and in registers lead to, when [`TELL_LOCALS`] is asked for.
    pub local_blocks: u64,
    /// Answer: their bytes.
    pub local_bytes: u64,
}

impl Question {
    /// What a question has at least: its first version had no `tell`.
    pub const BYTES_MIN: usize = core::mem::offset_of!(Question, tell);
}

/// [`Question`]: the answer is there.
pub const ANSWERED: i32 = 0;
/// No check was possible.
pub const IMPOSSIBLE: i32 = -1;
/// The two sides do not understand each other.
pub const UNKNOWN: i32 = -2;

#[cfg(test)]
mod tests {
    use super::Question;

    #[test]
    fn a_question_only_grows_at_its_end() {
        assert_eq!(Question::BYTES_MIN, 80);
        assert_eq!(core::mem::offset_of!(Question, leaked_bytes), 56);
        assert_eq!(core::mem::offset_of!(Question, excused_bytes), 72);
        assert_eq!(core::mem::offset_of!(Question, tell), 80);
        assert_eq!(core::mem::offset_of!(Question, local_bytes), 96);
    }
}
