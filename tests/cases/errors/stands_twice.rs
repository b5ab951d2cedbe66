//! One attribute takes all arguments.

use heapcheck_rt::heapcheck;

#[heapcheck(repeat = 2)]
#[heapcheck(warmup = 2)]
fn parses() {}

fn main() {}
