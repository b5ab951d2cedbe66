//! Arguments have commas between them.

use heapcheck_rt::heapcheck;

#[heapcheck(repeat = 2 warmup = 3)]
fn parses() {}

fn main() {}
