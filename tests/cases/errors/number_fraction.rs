//! What is counted is whole.

use heapcheck_rt::heapcheck;

#[heapcheck(max_allocs = 1.5)]
fn parses() {}

fn main() {}
