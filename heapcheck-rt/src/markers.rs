#![expect(unsafe_code, reason = "starts tasks that share our memory")]
//! Marks with as many tasks as the machine has processors for.
//!
//! The helpers are bare tasks (clone(2)), made after the world has stopped: libc does not know them, and they touch no
//! thread-local storage. A helper that cannot be started is not missed; the marking ends without it.
//!
//! # Safety
//! A helper's stack and argument live until the kernel has cleared its word, which happens when the task is gone. The
//! mark bytes are only touched through atomics while helpers run.

use crate::arch;
use crate::arena::{Arena, Buf};
use crate::mark::{Census, Marking, Marks, Roots};
use crate::space::{Grow, OutOfMemory, Slot, Space};
use crate::stopped_heap::StoppedHeap;
use crate::sys;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Acquire};

/// More markers than this gain nothing: memory is the limit.
const MARKERS_MAX: usize = 4;
/// A heap with fewer slots is marked before a helper has started.
const ALONE_SLOTS: usize = 100_000;
/// Blocks that a marker keeps waiting; above it sweeps.
const WAITING: usize = 4096;
/// Bytes of a helper's own stack.
const STACK_BYTES: usize = 256 << 10;
/// CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, CHILD_SETTID, CHILD_CLEARTID.
const CLONE_FLAGS: usize = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000 | 0x100_0000 | 0x20_0000;

struct Help<'a> {
    marking: &'a Marking<'a, StoppedHeap>,
    stack: &'a mut [Slot],
    /// Not zero while the task exists.
    running: AtomicU32,
}

extern "C" fn help(argument: usize) {
    // SAFETY: the argument is the `Help` below, which waits for this task to end.
    let help = unsafe { &mut *(argument as *mut Help<'_>) };
    help.marking.run(help.stack);
}

/// The mark bytes, as the core wants them.
pub(crate) fn marks_of(bytes: &mut Buf<u8>) -> Marks<'_> {
    let slice = bytes.as_mut_slice();
    // SAFETY: an AtomicU8 is a u8 in memory, and the slice is borrowed for writing.
    Marks::new(unsafe { core::slice::from_raw_parts(slice.as_ptr().cast::<AtomicU8>(), slice.len()) })
}

/// Marks everything that the roots reach, and counts what lives.
pub(crate) fn mark(
    space: &StoppedHeap, roots: Roots<'_>, bytes: &mut Buf<u8>, arena: &'static Arena,
) -> Result<Census, OutOfMemory> {
    let marking = Marking::new(space, roots, marks_of(bytes), sys::yield_now).counting();
    with_helpers(&marking, helpers_for(space), arena)?;
    Ok(marking.census())
}

/// Marks what a few further blocks reach.
pub(crate) fn mark_more(
    space: &StoppedHeap, blocks: &[usize], bytes: &mut Buf<u8>, arena: &'static Arena,
) -> Result<(), OutOfMemory> {
    mark_uncounted(space, Roots { words: blocks, strong: &[], weak: &[], ends: false, tags: false }, bytes, arena)
}

/// Marks what some roots reach; others may follow.
pub(crate) fn mark_uncounted(
    space: &StoppedHeap, roots: Roots<'_>, bytes: &mut Buf<u8>, arena: &'static Arena,
) -> Result<(), OutOfMemory> {
    let marking = Marking::new(space, roots, marks_of(bytes), sys::yield_now);
    with_helpers(&marking, helpers_for(space), arena)
}

fn helpers_for(space: &StoppedHeap) -> usize {
    if space.slots() < ALONE_SLOTS { 0 } else { sys::processors().clamp(1, MARKERS_MAX) - 1 }
}

fn with_helpers(
    marking: &Marking<'_, StoppedHeap>, helpers: usize, arena: &'static Arena,
) -> Result<(), OutOfMemory> {
    let mut stack = Buf::zeros(arena, WAITING)?;
    if helpers == 0 {
        marking.run(stack.as_mut_slice());
        return Ok(());
    }
    let task_stack = arena.take(STACK_BYTES)?;
    let mut help_with = Help { marking, stack: stack.as_mut_slice(), running: AtomicU32::new(1) };
    let top = task_stack + STACK_BYTES;
    let argument = (&raw mut help_with) as usize;
    // SAFETY: the stack is ours, and both live until the task is gone, which is waited for below.
    let started =
        unsafe { arch::clone_task(CLONE_FLAGS, top, help_with.running.as_ptr(), help, argument) } > 0;
    let outcome = with_helpers(marking, helpers - 1, arena);
    if started {
        loop {
            let running = help_with.running.load(Acquire);
            if running == 0 {
                break;
            }
            sys::futex_wait_shared(&help_with.running, running);
        }
    }
    // SAFETY: the task is gone or never was.
    unsafe { arena.give_back(task_stack, STACK_BYTES) };
    outcome
}
