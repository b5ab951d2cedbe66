//! The path of the crate stands without quotes.

use heapcheck_rt::heapcheck;

#[heapcheck(crate = "leaks::heapcheck_rt")]
fn parses() {}

fn main() {}
