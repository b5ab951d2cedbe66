//! A mode stands in quotes.

use heapcheck_rt::heapcheck;

#[heapcheck(mode = strict)]
fn parses() {}

fn main() {}
