//! The attribute is read before constants have values.

use heapcheck_rt::heapcheck;

#[heapcheck(max_allocs = LIMIT)]
fn parses() {}

fn main() {}
