#![forbid(unsafe_code)]
//! Every bound of the runtime, with its reason.
//!
//! A table or a loop without a bound is a way to hang or to crash inside somebody's `malloc`. What can be large grows
//! instead (the heap, the depot, the rule cache, the thread list); what stands here is fixed.

/// Bytes of one span, the unit in which the heap hands out addresses. 64 KiB keeps the descriptor table of a 600 MB
/// heap within the second-level cache and makes an offset inside a span fit 16 bits.
pub const SPAN_BYTES: usize = 1 << 16;

/// Bytes of the largest block that shares a span with others; larger ones get spans of their own.
pub const SMALL_MAX: usize = 32 << 10;

/// Bytes of the largest block. Its size must fit the 40 bits that the metadata has for it.
pub const BLOCK_MAX: usize = (1 << 40) - (SPAN_BYTES << 1);

/// Frames kept of a trace: deeper stacks are cut at the outer end, and the trace says so.
pub const DEPTH_MAX: usize = 128;

/// Frames that a thread remembers of its last walk. Twice the depth, so that a deep recursion moves the window only
/// once in [`DEPTH_MAX`] frames.
pub const SHADOW_FRAMES: usize = 2 * DEPTH_MAX;

/// Frames of a short trace at most.
pub const SHORT_MAX: usize = 8;

/// Call sites that a thread remembers for short traces; direct mapped.
pub const MEMO_SLOTS: usize = 64;

/// Bytes of free blocks of one size class that a thread keeps before it gives half of them back.
pub const CACHE_BYTES: usize = 64 << 10;

/// Free blocks of one class that move between a thread and the shared lists at once.
pub const BATCH_MAX: usize = 64;

/// Bytes of address space to reserve for blocks when nothing limits it. More than any machine this runs on has.
pub const HEAP_RESERVE: usize = 512 << 30;

/// Bytes of addresses for block metadata: 2^32 blocks of 16 bytes, as many as a `BlockId` can name.
pub const META_RESERVE: usize = 64 << 30;

/// Bytes of addresses for the runtime's own tables.
pub const ARENA_RESERVE: usize = 64 << 30;

/// The smallest reservation worth trying: below it the runtime says that it cannot work.
pub const RESERVE_MIN: usize = 64 << 20;

/// Free memory in spans that stays resident for reuse before it goes back to the kernel.
pub const RETAIN_BYTES: usize = 64 << 20;

/// A free run of spans above this goes back to the kernel when it is freed: clearing it by hand would cost more than
/// touching fresh pages does.
pub const RETAIN_RUN_BYTES: usize = 1 << 20;
