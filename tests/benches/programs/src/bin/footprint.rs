//! `footprint SIZE COUNT`: resident bytes a live block of SIZE bytes costs, all of it written.

use heapcheck_bench_programs::{at_depth, end, free, malloc, number, rss_bytes, tell, write_word};

fn main() {
    let (size, count) = (number(1, 64), number(2, 1_000_000));
    // Filled with something, so that the list's own pages are resident before the first reading.
    let mut blocks = vec![usize::MAX as *mut u8; count];
    let before = rss_bytes();
    at_depth(8, &mut || {
        for block in &mut blocks {
            *block = malloc(size);
            for word in 0..size / 8 {
                write_word(*block, word, word as u64);
            }
        }
    });
    let after = rss_bytes();
    tell("bytes_per_block", (after - before) as f64 / count as f64);
    for block in blocks {
        free(block);
    }
    end();
}
