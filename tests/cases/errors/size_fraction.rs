//! The number of a size is whole.

use heapcheck_rt::heapcheck;

#[heapcheck(max_peak = "1.5MB")]
fn parses() {}

fn main() {}
