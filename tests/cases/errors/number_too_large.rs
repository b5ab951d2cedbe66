//! A number has 64 bits at most.

use heapcheck_rt::heapcheck;

#[heapcheck(max_allocs = 99999999999999999999)]
fn parses() {}

fn main() {}
