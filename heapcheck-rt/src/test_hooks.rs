#![expect(unsafe_code, reason = "stands in for the runtime's allocator in unit tests")]
//! The runtime's hooks as the unit tests of [`crate::foreign_hooks`] see them: std's allocator and a list of what lives.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What lives: address to layout.
static LIVE: Mutex<BTreeMap<usize, Layout>> = Mutex::new(BTreeMap::new());

fn layout_of(block: *mut u8) -> Option<Layout> {
    LIVE.lock().expect("no test panics with the lock held").get(&(block as usize)).copied()
}

pub(crate) unsafe fn allocate(
    size: usize,
    align: usize,
    _zeroed: bool,
    pc: usize,
    _sp: usize,
    _bp: usize,
) -> *mut u8 {
    assert!(pc > 4096, "the caller's address is passed on");
    let Ok(layout) = Layout::from_size_align(size.max(1), align) else { return core::ptr::null_mut() };
    // SAFETY: the size is not zero.
    let block = unsafe { alloc_zeroed(layout) };
    let exact = Layout::from_size_align(size, align).unwrap_or(layout);
    LIVE.lock().expect("no test panics with the lock held").insert(block as usize, exact);
    block
}

pub(crate) unsafe fn release(block: *mut u8, _pc: usize, _sp: usize, _bp: usize) {
    let layout = LIVE.lock().expect("no test panics with the lock held").remove(&(block as usize));
    let layout = layout.expect("only what lives is released");
    let layout =
        Layout::from_size_align(layout.size().max(1), layout.align()).expect("it was a layout before");
    // SAFETY: it was allocated with this layout and was on the list.
    unsafe { dealloc(block, layout) };
}

pub(crate) unsafe fn resize(
    block: *mut u8,
    size: usize,
    align: usize,
    pc: usize,
    sp: usize,
    bp: usize,
) -> *mut u8 {
    let old = layout_of(block).expect("only what lives is resized").size();
    // SAFETY: the caller's promise.
    let fresh = unsafe { allocate(size, align, false, pc, sp, bp) };
    if !fresh.is_null() {
        // SAFETY: both hold the smaller size.
        unsafe { core::ptr::copy_nonoverlapping(block, fresh, old.min(size)) };
        // SAFETY: the caller's promise.
        unsafe { release(block, pc, sp, bp) };
    }
    fresh
}

pub(crate) fn owns(block: *mut u8) -> bool {
    layout_of(block).is_some()
}

pub(crate) fn size_of(block: *mut u8) -> usize {
    layout_of(block).map_or(0, |layout| layout.size())
}

pub(crate) fn room_of(block: *mut u8) -> (usize, usize) {
    (size_of(block), size_of(block))
}

pub(crate) fn meet_stranger(_block: *mut u8, pc: usize) {
    assert!(pc > 4096, "the caller's address is passed on");
}

pub(crate) fn die_out_of_memory() -> ! {
    panic!("out of memory")
}
