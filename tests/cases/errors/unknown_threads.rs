//! Threads are all or the current one.

use heapcheck_rt::heapcheck;

#[heapcheck(threads = "some")]
fn parses() {}

fn main() {}
