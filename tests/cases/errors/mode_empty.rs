//! A mode is not empty.

use heapcheck_rt::heapcheck;

#[heapcheck(mode = "")]
fn parses() {}

fn main() {}
