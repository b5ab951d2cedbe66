//! A size in quotes is never less than nothing, either.

use heapcheck_rt::heapcheck;

#[heapcheck(max_total = "-1KB")]
fn parses() {}

fn main() {}
