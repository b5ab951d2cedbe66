//! A pattern stands in quotes.

use heapcheck_rt::heapcheck;

#[heapcheck(allow = path::pattern)]
fn parses() {}

fn main() {}
