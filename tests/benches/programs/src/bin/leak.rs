//! Loses one block of 1234 bytes: a checker that does not tell of it has no place in the table.

use heapcheck_bench_programs::{at_depth, end, malloc, write_word};

fn main() {
    // Lost below many frames, whose stack memory is then used again: no stale copy of the pointer is left.
    at_depth(40, &mut || write_word(malloc(1234), 0, 1));
    at_depth(60, &mut || {
        std::hint::black_box([0u64; 64]);
    });
    end();
}
