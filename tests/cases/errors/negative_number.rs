//! How often something happens is never less than zero times.

use heapcheck_rt::heapcheck;

#[heapcheck(repeat = 2, max_allocs = -1)]
fn parses() {}

fn main() {}
