#![expect(unsafe_code, reason = "hands memory to the program and takes it back")]
//! Allocation and release: what the exported functions have in common.
//!
//! The fast paths are: find the thread, take the trace, pop a block off a bin, clear it, write its metadata; and back:
//! find the span, check the metadata, push the block. Everything else is cold and stands in functions of its own.
//!
//! # Safety
//! Blocks that are handed out lie in the heap, are large enough, and belong to the caller until it releases them.
//! A release is checked against the metadata before anything is touched.

use crate::arch;
use crate::capture::Caller;
use crate::fault;
use crate::classes::{REQUEST_MAX, SIZES, aligned_class_of, class_of};
use crate::heap::meta::Meta;
use crate::heap::span::Span;
use crate::lately::Freed;
use crate::limits::{BLOCK_MAX, CLEAR_INLINE, REFILL_STACK_BYTES};
use crate::scope;
use crate::space::{BlockId, OutOfMemory, Slot};
use crate::start::{self, out_of_memory};
use crate::state::{BUSY, DEPOT, LATELY, METERED, PAGES, SCOPES, SETTINGS, SPANS, STACKS_OFF, STACKS_SHORT, STORE};
use crate::putoff::take_back_put_off;
use crate::thread::Thread;
use crate::traces::{free_trace_of, storing, trace_of};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

/// Alignment that every block has.
const ALIGN: usize = 16;

/// Allocates `bytes` that read as zeros. Null, and `errno`, when there is no memory.
///
/// The common case is decided before anything is changed, so that every other one can start anew in a function of its
/// own and this one needs no stack frame.
#[inline(always)]
pub(crate) fn allocate(bytes: usize, caller: Caller) -> *mut u8 {
    let Some(thread) = Thread::current() else { return allocate_first(bytes, ALIGN, caller) };
    if bytes >= thread.quick_bytes {
        return allocate_rarely(thread, bytes, caller);
    }
    // SAFETY: `quick_bytes` is never more.
    unsafe { core::hint::assert_unchecked(bytes < CLEAR_INLINE) };
    let class = class_of(bytes);
    if thread.cache.bin(class).is_empty() {
        return allocate_rarely(thread, bytes, caller);
    }
    let Some(trace) = thread.capture.known(caller) else { return allocate_rarely(thread, bytes, caller) };
    match thread.cache.bin(class).pop() {
        Some((block, id)) => {
            // SAFETY: as in `give_out`.
            unsafe { clear_quickly(block, bytes) };
            note(thread, id, bytes, trace);
            block as *mut u8
        }
        None => allocate_rarely(thread, bytes, caller),
    }
}

#[inline(never)]
fn allocate_rarely(thread: &mut Thread, bytes: usize, caller: Caller) -> *mut u8 {
    if bytes > REQUEST_MAX {
        return allocate_large(thread, bytes, ALIGN, caller);
    }
    let trace = trace_of(thread, caller);
    take_small(thread, bytes, class_of(bytes), trace)
}

/// Takes a small block while the thread's own lists are not to be touched: a signal handler has interrupted it there.
#[cold]
#[inline(never)]
fn take_aside(thread: &mut Thread, bytes: usize, class: usize, trace: u32) -> *mut u8 {
    match STORE.take_aside(class) {
        Ok((block, id)) => give_out(thread, block, id, bytes, trace),
        Err(OutOfMemory) => out_of_memory(),
    }
}

/// Allocates with an alignment, a power of two.
pub(crate) fn allocate_aligned(bytes: usize, align: usize, caller: Caller) -> *mut u8 {
    if align <= ALIGN {
        return allocate(bytes, caller);
    }
    let Some(thread) = Thread::current() else { return allocate_first(bytes, align, caller) };
    match aligned_class_of(bytes, align) {
        Some(class) => {
            let trace = trace_of(thread, caller);
            take_small(thread, bytes, class, trace)
        }
        None => allocate_large(thread, bytes, align, caller),
    }
}

#[inline(always)]
fn take_small(thread: &mut Thread, bytes: usize, class: usize, trace: u32) -> *mut u8 {
    if thread.free_stacks & BUSY != 0 {
        return take_aside(thread, bytes, class, trace);
    }
    match thread.cache.bin(class).pop() {
        Some((block, id)) => give_out(thread, block, id, bytes, trace),
        None => take_after_refill(thread, bytes, class, trace),
    }
}

#[inline(always)]
fn give_out(thread: &Thread, block: usize, id: BlockId, bytes: usize, trace: u32) -> *mut u8 {
    // SAFETY: the block is ours and at least `bytes + 1` long, rounded up to sixteen.
    unsafe { clear(block, bytes) };
    note(thread, id, bytes, trace);
    meter(thread, bytes);
    block as *mut u8
}

#[inline(always)]
fn note(thread: &Thread, id: BlockId, bytes: usize, trace: u32) {
    SPANS.meta(id).set_live(bytes, thread.tag.load(Relaxed), trace, thread.scope());
    thread.count_allocation();
}

/// Sums up an allocation for a scope that wants it; the quick way is closed to its threads.
#[inline(always)]
fn meter(thread: &Thread, bytes: usize) {
    if thread.free_stacks & METERED != 0 {
        SCOPES.meter_allocation(thread.scope(), bytes as u64);
    }
}

#[cold]
#[inline(never)]
fn take_after_refill(thread: &mut Thread, bytes: usize, class: usize, trace: u32) -> *mut u8 {
    let quick_bytes = thread.enter_lists(BUSY);
    let class = thread.cache.stand_in(class);
    // There may be some of that class, also because a signal handler was here just now.
    if let Some((block, id)) = thread.cache.bin(class).pop() {
        thread.leave_lists(BUSY, quick_bytes);
        take_back_put_off(thread);
        return give_out(thread, block, id, bytes, trace);
    }
    let filled = match thread.scope() {
        0 => STORE.refill(&mut thread.cache, class),
        _ => STORE.refill_fresh(&mut thread.cache, class),
    };
    thread.leave_lists(BUSY, quick_bytes);
    take_back_put_off(thread);
    if SCOPES.count() > 1 {
        // Whoever counts blocks off arrives at the one behind them, which another thread will get.
        arch::clear_below::<REFILL_STACK_BYTES>();
    }
    if filled.is_err() {
        return out_of_memory();
    }
    match thread.cache.bin(class).pop() {
        Some((block, id)) => give_out(thread, block, id, bytes, trace),
        // A signal handler has taken them all.
        None => take_after_refill(thread, bytes, class, trace),
    }
}

/// Clears a small block.
///
/// # Safety
/// The block belongs to the caller and has `bytes` rounded up to 16, and at least 16, bytes.
#[inline(always)]
unsafe fn clear(block: usize, bytes: usize) {
    if !SETTINGS.zero.load(Relaxed) {
        return;
    }
    // SAFETY: as the caller promises.
    unsafe {
        if bytes > CLEAR_INLINE { (block as *mut u8).write_bytes(0, bytes) } else { clear_quickly(block, bytes) }
    }
}

/// As [`clear`], for at most [`CLEAR_INLINE`] bytes.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn clear_quickly(block: usize, bytes: usize) {
    // Stores from both ends meet in the middle, each length with as few as it needs. How many is told by the length
    // alone: a processor that guessed wrong finds out without waiting for the block's address.
    let len = (bytes.max(1) + 15) / 16 * 16;
    // SAFETY: as the caller promises; blocks are aligned to sixteen.
    unsafe {
        arch::clear_16(block);
        arch::clear_16(block + len - 16);
        if bytes <= 32 {
            return;
        }
        arch::clear_16(block + 16);
        arch::clear_16(block + len - 32);
        if bytes <= 64 {
            return;
        }
        arch::clear_16(block + 32);
        arch::clear_16(block + 48);
        arch::clear_16(block + len - 64);
        arch::clear_16(block + len - 48);
        if bytes <= 128 {
            return;
        }
        arch::clear_16(block + 64);
        arch::clear_16(block + 80);
        arch::clear_16(block + 96);
        arch::clear_16(block + 112);
        arch::clear_16(block + len - 128);
        arch::clear_16(block + len - 112);
        arch::clear_16(block + len - 96);
        arch::clear_16(block + len - 80);
    }
}

#[cold]
#[inline(never)]
fn allocate_large(thread: &mut Thread, bytes: usize, align: usize, caller: Caller) -> *mut u8 {
    if bytes > BLOCK_MAX || align > BLOCK_MAX {
        return out_of_memory();
    }
    let trace = trace_of(thread, caller);
    let aside = thread.free_stacks & BUSY != 0;
    let quick_bytes = thread.enter_lists(BUSY);
    let mut taken = PAGES.take_large(bytes, align, true, aside);
    if taken.is_err() && !aside && STORE.reclaim() {
        taken = PAGES.take_large(bytes, align, true, aside);
    }
    if !aside {
        thread.leave_lists(BUSY, quick_bytes);
        take_back_put_off(thread);
    }
    let Ok((number, id)) = taken else { return out_of_memory() };
    // From the moment it lives until it is handed out, the block's address must be where a check looks: in a register or
    // on the stack, and not as the number of a span from which it is still to be computed.
    let block = core::hint::black_box(SPANS.address_of(number));
    note(thread, id, bytes, trace);
    meter(thread, bytes);
    core::hint::black_box(block) as *mut u8
}

/// The first allocation of a thread, or any allocation of a process that is left alone.
#[cold]
#[inline(never)]
fn allocate_first(bytes: usize, align: usize, caller: Caller) -> *mut u8 {
    match start::attach() {
        Some(_) => allocate_aligned(bytes, align, caller),
        None => start::libc_allocate(bytes, align),
    }
}

#[cold]
#[inline(never)]
fn bad_free(thread: &mut Thread, address: usize, caller: Caller) {
    if storing(thread, |thread, traces| fault::bad_free(thread, traces, address, caller)).is_none() {
        fault::bad_free(thread, DEPOT.to_find(), address, caller);
    }
}

/// Releases a block. Null is no block; what is not the address of a live block is reported and left alone.
#[inline(always)]
pub(crate) fn release(address: usize, caller: Caller) {
    let Some(span) = SPANS.find(address) else { return release_foreign(address, caller) };
    let magic = span.magic.load(Relaxed);
    if magic == 0 {
        return release_large(address, caller);
    }
    let Some(thread) = Thread::current() else { return release_first(address, caller) };
    let Some(id) = SPANS.block_at(span, magic, address) else { return bad_free(thread, address, caller) };
    let meta = SPANS.meta(id);
    if !meta.is_live() {
        return bad_free(thread, address, caller);
    }
    if meta.scope() != thread.scope() {
        return release_rarely(thread, address, caller);
    }
    if thread.free_stacks != STACKS_OFF {
        return release_traced(thread, address, caller, span, id);
    }
    put_back(thread, span, address, id, caller, 0);
}

#[inline(always)]
fn put_back(thread: &mut Thread, span: &Span, address: usize, id: BlockId, caller: Caller, trace: u32) {
    thread.count_free();
    keep(thread, span, address, id, caller, trace);
}

#[inline(always)]
fn keep(thread: &mut Thread, span: &Span, address: usize, id: BlockId, caller: Caller, trace: u32) {
    SPANS.meta(id).set_freed(caller.pc(), trace);
    let class = usize::from(span.class.load(Relaxed));
    if !thread.cache.bin(class).push(address, id) {
        spill(thread, class, address, id);
        take_back_put_off(thread);
    }
}

#[cold]
#[inline(never)]
fn spill(thread: &mut Thread, class: usize, address: usize, id: BlockId) {
    let quick_bytes = thread.enter_lists(BUSY);
    STORE.spill(&mut thread.cache, class, address, id);
    thread.leave_lists(BUSY, quick_bytes);
}

/// Releases a small block of the thread's scope and takes a trace of its free.
#[inline(never)]
fn release_traced(thread: &mut Thread, address: usize, caller: Caller, span: &Span, id: BlockId) {
    if thread.free_stacks == STACKS_SHORT
        && let Some(trace) = thread.capture.known(caller)
    {
        return put_back(thread, span, address, id, caller, trace);
    }
    release_traced_anew(thread, address, caller, span, id);
}

#[inline(never)]
fn release_traced_anew(thread: &mut Thread, address: usize, caller: Caller, span: &Span, id: BlockId) {
    let trace = free_trace_of(thread, caller);
    // The frees of a metered scope come here as well.
    count_free(thread, SPANS.meta(id));
    if thread.free_stacks & BUSY != 0 {
        SPANS.meta(id).set_freed(caller.pc(), trace);
        return thread.put_off(address);
    }
    keep(thread, span, address, id, caller, trace);
}

/// Releases a small block of another scope.
#[inline(never)]
fn release_rarely(thread: &mut Thread, address: usize, caller: Caller) {
    let trace = free_trace_of(thread, caller);
    let Some(slot) = live_slot(address) else { return };
    let meta = SPANS.meta(slot.id);
    let is_strange = thread.scope() != 0 && meta.scope() != thread.scope();
    count_free(thread, meta);
    if thread.free_stacks & BUSY != 0 {
        meta.set_freed(caller.pc(), trace);
        return thread.put_off(address);
    }
    if is_strange {
        // A scope's thread does not use again what others had; see `Store::refill_fresh`.
        meta.set_freed(caller.pc(), trace);
        let quick_bytes = thread.enter_lists(BUSY);
        STORE.shelve_one(usize::from(SPANS.at(address).class.load(Relaxed)), address, slot.id);
        return thread.leave_lists(BUSY, quick_bytes);
    }
    keep(thread, SPANS.at(address), address, slot.id, caller, trace);
}

fn count_free(thread: &Thread, meta: &Meta) {
    let scope = meta.scope();
    if scope == thread.scope() {
        thread.count_free();
    } else {
        scope::lost_block(&SCOPES, scope);
    }
    if SCOPES.is_counted(scope) {
        SCOPES.meter_free(scope, meta.live_size().unwrap_or(0) as u64);
    }
}

#[cold]
#[inline(never)]
fn release_large(address: usize, caller: Caller) {
    let Some(thread) = Thread::current() else { return release_first(address, caller) };
    let Some(slot) = live_slot(address) else { return bad_free(thread, address, caller) };
    let meta = SPANS.meta(slot.id);
    count_free(thread, meta);
    let trace = free_trace_of(thread, caller);
    LATELY.add(Freed { address, alloc_trace: meta.trace(), free_trace: trace, free_pc: caller.pc() });
    meta.set_freed(caller.pc(), trace);
    if thread.free_stacks & BUSY != 0 {
        return thread.put_off(address);
    }
    let quick_bytes = thread.enter_lists(BUSY);
    PAGES.give_back_large(SPANS.number_of(address));
    thread.leave_lists(BUSY, quick_bytes);
    take_back_put_off(thread);
}

#[cold]
#[inline(never)]
fn release_first(address: usize, caller: Caller) {
    if start::attach().is_some() {
        release(address, caller);
    }
}

#[cold]
#[inline(never)]
fn release_foreign(address: usize, caller: Caller) {
    if address == 0 || start::libc_release(address) {
        return;
    }
    if let Some(thread) = Thread::current().or_else(start::attach) {
        bad_free(thread, address, caller);
    }
}

/// Changes a block's size, in place when it fits. Bytes that were not there before read as zeros.
pub(crate) fn resize(address: usize, bytes: usize, caller: Caller) -> *mut u8 {
    if address == 0 {
        return allocate(bytes, caller);
    }
    if let Some(moved) = start::libc_resize(address, bytes) {
        return moved;
    }
    let Some(thread) = Thread::current().or_else(start::attach) else { return null_mut() };
    let Some(slot) = live_slot(address) else {
        bad_free(thread, address, caller);
        return null_mut();
    };
    if bytes == 0 {
        release(address, caller);
        return null_mut();
    }
    let meta = SPANS.meta(slot.id);
    let old = meta.live_size().unwrap_or(0);
    if resize_in_place(thread, slot, old, bytes) {
        let trace = trace_of(thread, caller);
        meta.set_live(bytes, thread.tag.load(Relaxed), trace, meta.scope());
        if SCOPES.is_counted(meta.scope()) {
            SCOPES.meter_resize(meta.scope(), old as u64, bytes as u64);
        }
        return address as *mut u8;
    }
    let aside = Aside::set(meta.scope(), old);
    let new = allocate(bytes, caller);
    if !new.is_null() {
        // SAFETY: both blocks are live and at least as long as the shorter size; pages move between large ones only.
        unsafe {
            let common = old.min(bytes);
            let large = old > REQUEST_MAX && bytes > REQUEST_MAX;
            if !large || !PAGES.move_content(SPANS.number_of(address), SPANS.number_of(new as usize), common) {
                core::ptr::copy_nonoverlapping(address as *const u8, new, common);
            }
        }
        release(address, caller);
    }
    drop(aside);
    new
}

/// While this lives, a block that moves is left out of the live bytes of its scope.
struct Aside(u32, u64);

impl Aside {
    fn set(scope: u32, bytes: usize) -> Option<Self> {
        let aside = SCOPES.is_counted(scope).then_some(Self(scope, bytes as u64));
        if let Some(Self(scope, bytes)) = aside {
            SCOPES.set_aside(scope, bytes);
        }
        aside
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        SCOPES.take_back(self.0, self.1);
    }
}

/// As [`resize`], for a block with an alignment.
pub(crate) fn resize_aligned(address: usize, bytes: usize, align: usize, caller: Caller) -> *mut u8 {
    if align <= ALIGN || address == 0 {
        return resize(address, bytes, caller);
    }
    let Some(slot) = live_slot(address) else { return resize(address, bytes, caller) };
    let meta = SPANS.meta(slot.id);
    let old = meta.live_size().unwrap_or(0);
    let aside = Aside::set(meta.scope(), old);
    let new = allocate_aligned(bytes, align, caller);
    if !new.is_null() {
        // SAFETY: both blocks are live and at least as long as the shorter size.
        unsafe { core::ptr::copy_nonoverlapping(address as *const u8, new, old.min(bytes)) };
        release(address, caller);
    }
    drop(aside);
    new
}

fn resize_in_place(thread: &mut Thread, slot: Slot, old: usize, new: usize) -> bool {
    let span = SPANS.at(slot.base);
    if span.magic.load(Relaxed) == 0 {
        // A block that shrinks below half moves, so that its memory is not wasted.
        return new > REQUEST_MAX && new > old / 2 && resize_large(thread, slot.base, old, new);
    }
    let size = span.size.load(Relaxed) as usize;
    let fits = new < size && (new <= REQUEST_MAX && SIZES[class_of(new)] as usize == size || new > size / 2 + size / 4);
    if fits && new > old {
        // SAFETY: the block is live and `size` bytes long; the bytes behind `old` are nobody's yet.
        unsafe { ((slot.base + old) as *mut u8).write_bytes(0, new - old) };
    }
    fits
}

fn resize_large(thread: &mut Thread, address: usize, old: usize, new: usize) -> bool {
    if thread.free_stacks & BUSY != 0 {
        return false;
    }
    let quick_bytes = thread.enter_lists(BUSY);
    let is_done = PAGES.resize_large(SPANS.number_of(address), old, new);
    thread.leave_lists(BUSY, quick_bytes);
    is_done
}

/// The slot of the live block that begins at `address`.
pub(crate) fn live_slot(address: usize) -> Option<Slot> {
    if !SPANS.covers(address) {
        return None;
    }
    SPANS.slot_of(address).filter(|slot| slot.base == address && SPANS.meta(slot.id).is_live())
}

/// The exact size of the live block at `address`.
pub(crate) fn size_of_block(address: usize) -> Option<usize> {
    live_slot(address).and_then(|slot| SPANS.meta(slot.id).live_size())
}

#[cfg(test)]
mod tests {
    use super::{ALIGN, CLEAR_INLINE, clear_quickly};

    const UNITS: usize = 2 + CLEAR_INLINE / ALIGN;

    #[test]
    fn a_small_block_is_cleared_and_nothing_beside_it() {
        for bytes in 0..=CLEAR_INLINE {
            let mut units = [u128::MAX; UNITS];
            let cleared = bytes.max(1).div_ceil(ALIGN);
            // SAFETY: the units behind the first are aligned, and more than are cleared.
            unsafe { clear_quickly(units[1..].as_mut_ptr() as usize, bytes) };
            let expected: [u128; UNITS] =
                core::array::from_fn(|index| if (1..=cleared).contains(&index) { 0 } else { u128::MAX });
            assert_eq!(units, expected, "{bytes} bytes");
        }
    }
}
