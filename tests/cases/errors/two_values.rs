//! An argument has one value.

use heapcheck_rt::heapcheck;

#[heapcheck(max_allocs = 10 20)]
fn parses() {}

fn main() {}
