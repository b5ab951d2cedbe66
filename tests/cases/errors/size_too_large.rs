//! A size has 64 bits at most.

use heapcheck_rt::heapcheck;

#[heapcheck(max_total = "99999999999GB")]
fn parses() {}

fn main() {}
