//! How often a test runs is a number.

use heapcheck_rt::heapcheck;

#[heapcheck(repeat = "often")]
fn parses() {}

fn main() {}
