//! A pattern is not empty.

use heapcheck_rt::heapcheck;

#[heapcheck(allow = ["path::pattern", ""])]
fn parses() {}

fn main() {}
