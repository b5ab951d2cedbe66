//! A size is not empty.

use heapcheck_rt::heapcheck;

#[heapcheck(max_total = "")]
fn parses() {}

fn main() {}
