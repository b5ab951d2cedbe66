//! A size has a unit that exists.

use heapcheck_rt::heapcheck;

#[heapcheck(max_peak = "24 miles")]
fn parses() {}

fn main() {}
