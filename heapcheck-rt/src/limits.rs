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

/// Frames of a part of a trace that is stored once for all traces which have it at their outer end. Fewer frames would
/// find more in common, and take more look-ups and more parts.
pub const OUTER_FRAMES: usize = 8;

/// Frames that a thread remembers of its last walk. Twice the depth, so that a deep recursion moves the window only
/// once in [`DEPTH_MAX`] frames.
pub const SHADOW_FRAMES: usize = 2 * DEPTH_MAX;

/// Frames of a short trace at most.
pub const SHORT_MAX: usize = 8;

/// Frames of a quick walk at most: stepping through more of them costs more than keeping the shadow up to date.
pub const QUICK_FRAMES: usize = 24;

/// Frames that quick walks may step through until the shadow follows, where no place allocates twice in a row: places that
/// take turns do not make it change all the time.
pub const RENEW_FRAMES: u32 = 64;

/// The same for the memos, in traces that were found by their program counters. One for which each frame was looked up is as
/// many more.
pub const RENEW_TRACES: u32 = 256;
pub const QUICK_TRACE_DEBT: u32 = 3;

/// Call sites that a thread remembers for short traces; direct mapped.
pub const MEMO_SLOTS: usize = 64;

/// Traces that a thread remembers by their program counters.
pub const FRAMED_SLOTS: usize = 128;

/// Bytes of free blocks of one size class that a thread keeps before it gives half of them back.
pub const CACHE_BYTES: usize = 64 << 10;

/// How often a thread asks for a block of a class before it gets blocks of that class, and not larger ones that it has anyway.
pub const SOMETIMES: u8 = 8;

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

/// Libraries that are remembered after they were closed: more than a program with plug-ins has of them, and few enough to be
/// searched one by one. One that comes back to its place counts once.
pub const CLOSED_MAX: usize = 256;

/// Large blocks that are remembered after they were freed, for a second free: that mostly follows soon.
pub const LATELY_MAX: usize = 64;

/// Blocks kept of the way from a root to a block. Real ones have a few; of a long list both ends say what it is.
pub const WAY_BLOCKS: usize = 64;

/// Sums of what is in use that are written one by one, the largest; the rest is told as one. With stacks of full depth they
/// come to some fifty megabytes, with those that programs have to a few.
pub const IN_USE_MAX: usize = 50_000;

/// Chunks of 64 words kept of what leaked blocks contain. Two hundred thousand blocks of a few words have one each; the
/// file grows by at most 150 MiB, about as much as a million pointers and as many blocks take.
pub const CONTENTS_CHUNKS: usize = 1 << 18;

/// The same of one block: 32 KiB, a thousand elements of a buffer.
pub const CONTENTS_BLOCK_CHUNKS: usize = 64;

/// How long the stopper waits for threads that neither answer nor make progress before it asks again why.
pub const STOP_SILENCE_NS: u64 = 50_000_000;

/// How long a thread that blocks the stop signal is looked at again: libc blocks signals for some microseconds while
/// threads begin and end, and a thread that does so for good is left to ptrace.
pub const STOP_BLOCKED_NS: u64 = 2_000_000;

/// How long a thread that could run, and so must answer, is waited for on a crowded machine when no other has answered
/// since. Its registers are not seen if it is given up, and what only they hold looks lost.
pub const STOP_RUNNABLE_NS: u64 = 10_000_000_000;

/// Looks at the list of threads before the stopper gives up to find it unchanged. A program that makes threads faster
/// than they can be stopped loses one maker with each look.
pub const STOP_PASSES_MAX: u32 = 10_000;

/// Bytes of the stack of the task that uses ptrace; its deepest call needs about one page.
pub const TRACER_STACK_BYTES: usize = 64 << 10;

/// Bytes kept of a traced thread's vector registers. x87, SSE, AVX and AVX-512 end at 2696 (Intel SDM 1, 13.4); the
/// tiles behind hold no pointers.
pub const VECTOR_BYTES: usize = 4096;

/// Bytes from the thread pointer upwards that may belong to libc's thread descriptor and the thread-specific values:
/// glibc's `struct pthread` is 0x900 bytes, musl's is smaller and has its values (1 KiB) behind it.
pub const DESCRIPTOR_SPAN: usize = 0xa00;

/// Static thread-local storage lies at most this far below the thread pointer; what is farther was allocated.
pub const STATIC_TLS_MAX: usize = 16 << 20;

/// Requests below this size are cleared by inline stores; a call to `memset` costs more than that.
pub const CLEAR_INLINE: usize = 256;

/// While the heap has not been larger than this, threads in scopes get blocks that were never used before; above it, the
/// ones that were freed first. A test takes a few kilobytes of each size that it uses.
pub const FRESH_BYTES: usize = 64 << 20;

/// Bytes of the stack that are overwritten after a check: its frames take 24 KiB.
pub const CHECK_STACK_BYTES: usize = 32 << 10;

/// Bytes of its stack that a thread overwrites when it begins and when it ends: glibc gives back to the kernel what lies
/// deeper than 16 KiB on the stack of a thread that has ended (`advise_stack_range`). A stack below twice this is left alone.
pub const USED_STACK_BYTES: usize = 24 << 10;

/// Bytes of the stack that are overwritten after free blocks were fetched or the heap has grown: the frames of that take
/// less.
pub const REFILL_STACK_BYTES: usize = 1 << 10;
