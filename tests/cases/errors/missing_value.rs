//! An argument has a value.

use heapcheck_rt::heapcheck;

#[heapcheck(max_leaked)]
fn parses() {}

fn main() {}
