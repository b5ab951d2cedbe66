//! A number stands without quotes.

use heapcheck_rt::heapcheck;

#[heapcheck(warmup = "3")]
fn parses() {}

fn main() {}
