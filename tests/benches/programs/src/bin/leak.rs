//! Loses one block: a checker that does not tell of it has no place in the table.

use heapcheck_bench_programs::{PLANTED, at_depth, begin, end};
use std::hint::black_box;

fn main() {
    begin();
    // Lost below many frames, whose stack memory is then used again: no stale copy of the pointer is left.
    at_depth(40, &mut || std::mem::forget(black_box(Box::new([1u8; PLANTED]))));
    at_depth(60, &mut || {
        black_box([0u64; 64]);
    });
    end();
}
