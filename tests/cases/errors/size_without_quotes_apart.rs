//! A size with a unit stands in quotes, also when there is a gap in it.

use heapcheck_rt::heapcheck;

#[heapcheck(max_leaked = 1 KB)]
fn parses() {}

fn main() {}
