//! A size is never less than nothing.

use heapcheck_rt::heapcheck;

#[heapcheck(max_leaked = -1, repeat = 2)]
fn parses() {}

fn main() {}
