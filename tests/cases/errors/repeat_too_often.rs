//! A test that runs for ever is no test.

use heapcheck_rt::heapcheck;

#[heapcheck(repeat = 1_000_001)]
fn parses() {}

fn main() {}
