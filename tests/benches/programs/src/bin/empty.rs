//! Does nothing: what is left is the price of starting and leaving.

fn main() {
    heapcheck_bench_programs::end();
}
