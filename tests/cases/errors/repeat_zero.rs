//! A test runs once at least.

use heapcheck_rt::heapcheck;

#[heapcheck(warmup = 3, repeat = 0)]
fn parses() {}

fn main() {}
