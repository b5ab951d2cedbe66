//! Does nothing: what is left is the price of starting and leaving.

use heapcheck_bench_programs::{begin, end};

fn main() {
    begin();
    end();
}
