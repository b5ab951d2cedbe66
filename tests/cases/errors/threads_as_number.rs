//! How many threads there are is not asked.

use heapcheck_rt::heapcheck;

#[heapcheck(threads = 4)]
fn parses() {}

fn main() {}
