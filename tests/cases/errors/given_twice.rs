//! An argument is given once.

use heapcheck_rt::heapcheck;

#[heapcheck(max_allocs = 10, repeat = 2, max_allocs = 20)]
fn parses() {}

fn main() {}
