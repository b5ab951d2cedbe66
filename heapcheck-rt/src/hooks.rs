#![expect(unsafe_code, reason = "the stand-ins promise what these functions need")]
//! The allocator as the stand-ins of foreign allocators call it: plain functions, with the registers of their callers.

use crate::blocks;
use crate::capture::Caller;
use crate::state::SPANS;
use crate::sys;

/// The caller; `sp` is its stack pointer behind the call. Without one (the probe of the constructor) it is us.
fn caller(sp: usize, bp: usize) -> Caller {
    if sp == 0 { Caller { slot: crate::arch::stack_pointer(), bp: 0 } } else { Caller { slot: sp - 8, bp } }
}

/// Allocates zeros.
///
/// # Safety
/// `align` is a power of two; `sp` and `bp` are those of the caller.
pub(crate) unsafe fn allocate(
    size: usize, align: usize, _zeroed: bool, _pc: usize, sp: usize, bp: usize,
) -> *mut u8 {
    blocks::allocate_aligned(size, align, caller(sp, bp))
}

/// Releases a block.
///
/// # Safety
/// Nobody uses the block any more.
pub(crate) unsafe fn release(block: *mut u8, _pc: usize, sp: usize, bp: usize) {
    blocks::release(block as usize, caller(sp, bp));
}

/// Changes the size of a block, which keeps its alignment.
///
/// # Safety
/// Nobody uses the old address any more.
pub(crate) unsafe fn resize(
    block: *mut u8, size: usize, align: usize, _pc: usize, sp: usize, bp: usize,
) -> *mut u8 {
    blocks::resize_aligned(block as usize, size, align, caller(sp, bp))
}

/// Whether an address lies in our heap.
pub(crate) fn owns(block: *mut u8) -> bool {
    SPANS.covers(block as usize)
}

/// The size of a live block; 0 when it is none.
pub(crate) fn size_of(block: *mut u8) -> usize {
    blocks::size_of_block(block as usize).unwrap_or(0)
}

/// The size of the live block around an address, and how much of it lies from there on.
pub(crate) fn room_of(address: *mut u8) -> (usize, usize) {
    let address = address as usize;
    if !SPANS.covers(address) {
        return (0, 0);
    }
    let room = SPANS.slot_of(address).and_then(|slot| {
        let size = SPANS.meta(slot.id).live_size()?;
        Some((size, (slot.base + size).saturating_sub(address)))
    });
    room.unwrap_or((0, 0))
}

/// A block that the program's own allocator gave out before it was patched: it stays where it is.
pub(crate) fn meet_stranger(_block: *mut u8, _pc: usize) {}

/// Ends the process, as the functions do that promise never to return null.
pub(crate) fn die_out_of_memory() -> ! {
    sys::write_all(2, b"heapcheck: out of memory in a function that must not fail\n").ok();
    sys::exit_process(134)
}
