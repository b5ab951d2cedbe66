//! What the Rust cases share: loss that leaves no stale word behind.
#![allow(dead_code)]

use std::hint::black_box;

/// Runs `work` in a frame of its own and overwrites what it left on the stack.
#[inline(never)]
pub fn apart<T>(work: fn() -> T) -> T {
    let result = black_box(work)();
    scrub();
    result
}

/// Overwrites the stack below the caller.
#[inline(always)]
pub fn scrub() {
    black_box(scrub_stack as fn())();
}

#[inline(never)]
fn scrub_stack() {
    let mut waste = [0u8; 65536];
    for byte in black_box(&mut waste).iter_mut() {
        unsafe { std::ptr::write_volatile(byte, 0) };
    }
    black_box(&waste);
}
