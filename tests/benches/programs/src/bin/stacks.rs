//! `stacks LEVELS`: allocates from 2^LEVELS different stacks in random order and keeps the blocks.

use heapcheck_bench_programs::{end, free, malloc, monotonic_ns, number, tell};
use std::hint::black_box;

fn main() {
    let levels = number(1, 20);
    let count = 1usize << levels;
    let mut blocks = Vec::with_capacity(count);
    let start_ns = monotonic_ns();
    for index in 0..count {
        // An odd factor permutes the numbers below a power of two: each path is taken once.
        let path = index.wrapping_mul(0x9e37_79b1) & (count - 1);
        blocks.push(fork(path, levels));
    }
    tell("ns_per_stack", (monotonic_ns() - start_ns) as f64 / count as f64);
    for block in blocks {
        free(block);
    }
    end();
}

/// One frame a level; each bit of the path picks one of two calls, which return to different addresses.
#[inline(never)]
fn fork(path: usize, levels: usize) -> *mut u8 {
    if levels == 0 {
        return malloc(32);
    }
    // The marks before and after keep the optimiser from making one call of the two.
    if path & 1 == 0 {
        black_box(0);
        let block = fork(path >> 1, levels - 1);
        black_box(1);
        block
    } else {
        black_box(2);
        let block = fork(path >> 1, levels - 1);
        black_box(3);
        block
    }
}
