//! A size with a unit stands in quotes.

use heapcheck_rt::heapcheck;

#[heapcheck(max_leaked = 1KB)]
fn parses() {}

fn main() {}
